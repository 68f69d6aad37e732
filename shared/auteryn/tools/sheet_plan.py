"""What a sheet will hold, settled before a byte is written: typed cells, formulas, formats, the columns of its charts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.leash import Leash
from auteryn.tools.sheet_formulas import Grid, cell_at, column_at, shown_at
from auteryn.tools.sheet_shape import Chart, Sheet
from auteryn.tools.tables.database import query_of, whole_result
from auteryn.tools.tables.workbooks import unique
from auteryn.tools.workspace import Workspace

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
FIRST_YEAR = 1901
"""Excel's days begin in 1900, and not quite right: what is older stays text."""
LONGEST_TEXT = 32_767
LONGEST_FORMULA = 8_192
FORMATS = {
    "integer": "#,##0",
    "int": "#,##0",
    "number": "#,##0.00",
    "decimal": "#,##0.00",
    "percent": "0.0%",
    "percentage": "0.0%",
    "currency": "#,##0.00",
    "usd": '"$"#,##0.00',
    "eur": '#,##0.00 "€"',
    "gbp": '"£"#,##0.00',
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm",
    "text": "@",
    "general": "General",
}

_DIGITS = 15
"""What Excel keeps of a number."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Signs no XML holds; in cells they are spelled out, in the names of a table's columns they cannot be."""
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?")
_REACHES_OUT = re.compile(
    r"\b(?:WEBSERVICE|FILTERXML|RTD|CALL|REGISTER(?:\.ID)?|EXEC|IMPORT\w+|IMAGE|HYPERLINK|DDE)\s*\(", re.IGNORECASE
)


class PlannedChart(Struct):
    kind: str
    title: str
    x: int
    y: list[int]
    at: str | None


class Planned(Struct):
    """A sheet: headers in row 1, data below, formulas by (row, column) from 0."""

    name: str
    headers: list[str]
    rows: list[list[Any]]
    formulas: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    column_formats: dict[int, str] = field(default_factory=dict[int, str])
    cell_formats: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    widths: dict[int, float] = field(default_factory=dict[int, float])
    charts: list[PlannedChart] = field(default_factory=list[PlannedChart])
    table: bool = True

    @property
    def cells(self) -> int:
        return (len(self.rows) + 1) * len(self.headers) + len(self.formulas)

    @property
    def grid(self) -> Grid:
        return Grid([list[Any](self.headers), *self.rows] if self.headers else self.rows, self.formulas)

    def told(self) -> dict[str, Any]:
        last = shown_at(len(self.rows), max(0, len(self.headers) - 1))
        return {
            "name": self.name,
            "rows": len(self.rows),
            "columns": self.headers,
            "range": f"A1:{last}",
            "charts": len(self.charts),
        }


def planned(files: Workspace, sheet: Sheet, leash: Leash, warnings: list[str], most_cells: int) -> Planned:
    """The sheet, settled; what was not as asked is in `warnings`. Raises `ToolFailed` naming the field."""
    headers, raw = _sourced(files, sheet, leash, warnings, most_cells) if sheet.source else _given(sheet, warnings)
    _fits(sheet.name, len(raw), len(headers), most_cells)
    plan = Planned(sheet.name, _headers(sheet.name, headers, warnings), _typed(raw, len(headers)))
    plan.table = sheet.table
    _cut_texts(plan, warnings)
    if not sheet.source:
        _note_formulas(plan, warnings)
    _add_formulas(plan, sheet)
    _add_formats(plan, sheet)
    for chart in sheet.charts:
        plan.charts += _chart(plan, chart, warnings)
    return plan


# ---- cells ---------------------------------------------------------------------------------------------------


def _wanted(sheet: Sheet) -> list[str]:
    return [column if isinstance(column, str) else column.header for column in sheet.columns]


def _sourced(
    files: Workspace, sheet: Sheet, leash: Leash, warnings: list[str], most_cells: int
) -> tuple[list[str], list[list[Any]]]:
    """Headers and rows of a file or a query; `columns` picks from them by name, or names them anew."""
    if sheet.rows:
        raise _invalid(f"{sheet.name}.source", sheet.source, "stands beside rows: give one of them")
    sql = query_of(files, sheet.source or "")
    answer = whole_result(files, sql, leash, most_rows=LAST_ROW - 1, most_cells=most_cells)
    warnings += [f"{sheet.name}: {note}" for note in answer.notes]
    rows = [[_cell(value) for value in row] for row in answer.rows]
    wanted = _wanted(sheet)
    known = {name.lower(): at for at, name in enumerate(answer.columns)}
    if wanted and all(name.lower() in known for name in wanted):
        picked = [known[name.lower()] for name in wanted]
        return wanted, [[row[at] for at in picked] for row in rows]
    if wanted and len(wanted) != len(answer.columns):
        raise _invalid(
            f"{sheet.name}.columns", wanted, f"must be among the source's columns {answer.columns}, or name all of them"
        )
    return wanted or answer.columns, rows


def _given(sheet: Sheet, warnings: list[str]) -> tuple[list[str], list[list[Any]]]:
    """Headers and rows of the arguments, all rows of one length."""
    headers, rows = _wanted(sheet), list(sheet.rows)
    if not headers:
        keys = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
        headers = list(keys)
    if not headers and rows:
        first = rows.pop(0)
        headers = [str(cell) for cell in first]
        warnings.append(f"{sheet.name}: no columns were given, so the first row {headers} became the headers")
    out = list[list[Any]]()
    known = {header.lower(): at for at, header in reversed(list(enumerate(headers)))}
    for number, row in enumerate(rows):
        where = f"{sheet.name}.rows[{number}]"
        if isinstance(row, dict):
            cells: list[Any] = [None] * len(headers)
            for key, value in row.items():
                if key.lower() not in known:
                    raise _invalid(where, key, f"is no column: there are {headers}")
                cells[known[key.lower()]] = value
        else:
            if len(row) > len(headers):
                raise _invalid(where, row, f"has {len(row)} cells for {len(headers)} columns {headers}")
            cells = [*row, *[None] * (len(headers) - len(row))]
        out.append(cells)
    return headers, out


def _fits(name: str, rows: int, columns: int, most_cells: int) -> None:
    if rows >= LAST_ROW or columns > LAST_COLUMN:
        raise ToolFailed("too_large", f"{name}: {rows:,} rows x {columns:,} columns are more than a sheet has")
    if (rows + 1) * columns > most_cells:
        raise ToolFailed(
            "too_large", f"{name}: {rows * columns:,} cells are too many for a workbook: aggregate, or save csv or parquet"
        )


def _headers(name: str, headers: Sequence[str], warnings: list[str]) -> list[str]:
    """Filled and unique, as a table needs them."""
    plain = [_CONTROL.sub("", header).strip() for header in headers]
    filled = [header or f"Column{at}" for at, header in enumerate(plain, 1)]
    clean = unique([header[:255] for header in filled])
    if clean != list(headers):
        warnings.append(f"{name}: headers were made unique and filled: {clean}")
    return clean


def _typed(rows: list[list[Any]], width: int) -> list[list[Any]]:
    """Text that is a date in every filled cell of its column becomes one; numbers too long for Excel become text."""
    for at in range(width):
        filled = [row[at] for row in rows if row[at] not in (None, "")]
        texts = [value for value in filled if isinstance(value, str)]
        if texts and len(texts) == len(filled) and (dates := _dates(texts)):
            for row in rows:
                row[at] = None if row[at] in (None, "") else dates[row[at]]
    return [[_cell(value) for value in row] for row in rows]


def _dates(texts: list[str]) -> dict[str, date] | None:
    found = dict[str, date]()
    for text in texts:
        try:
            if _ISO_DATE.fullmatch(text):
                found[text] = date.fromisoformat(text)
            elif _ISO_TIME.fullmatch(text):
                found[text] = datetime.fromisoformat(text.removesuffix("Z"))
            else:
                return None
        except ValueError:
            return None
        if found[text].year < FIRST_YEAR:
            return None
    return found


def _cell(value: Any) -> Any:
    """What a cell can hold: None, bool, int, float, str, date, datetime."""
    match value:
        case date() if value.year < FIRST_YEAR:
            return value.isoformat()
        case None | bool() | date():
            return value.replace(tzinfo=None) if isinstance(value, datetime) else value
        case int():
            return value if abs(value) < 10**_DIGITS else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            short = value.is_finite() and len(value.normalize().as_tuple().digits) <= _DIGITS
            return (int(value) if value == value.to_integral_value() else float(value)) if short else str(value)
        case str():
            return value or None
        case time():
            return value.isoformat()
        case dict() | list() | tuple():
            return json.dumps(value, default=str, ensure_ascii=False)
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _cut_texts(plan: Planned, warnings: list[str]) -> None:
    for number, at, value in _texts(plan):
        if len(value) > LONGEST_TEXT:
            plan.rows[number - 1][at] = value[:LONGEST_TEXT]
            warnings.append(f"{plan.name}!{shown_at(number, at)} was cut to {LONGEST_TEXT:,} characters, the most a cell holds")


def _note_formulas(plan: Planned, warnings: list[str]) -> None:
    """Text that looks like a formula stays text. Said of given rows only: what a file says is nothing to act on."""
    for number, at, value in _texts(plan):
        if value.startswith("=") and len(value) > 1:
            cell = shown_at(number, at)
            warnings.append(
                f'{plan.name}!{cell} {value[:60]!r} was written as text; as a formula it is formulas: {{"{cell}": …}}'
            )


def _texts(plan: Planned) -> Iterator[tuple[int, int, str]]:
    for number, row in enumerate(plan.rows, 1):
        for at, value in enumerate(row):
            if isinstance(value, str):
                yield number, at, value


# ---- formulas and formats ------------------------------------------------------------------------------------


def _add_formulas(plan: Planned, sheet: Sheet) -> None:
    named = zip(plan.headers, sheet.columns, strict=False)  # as they are called now: two may have had one name
    filled = [(header, one.formula) for header, one in named if not isinstance(one, str) and one.formula]
    for key, formula in [*filled, *sheet.formulas.items()]:
        if (column := _column(plan, key)) is not None:
            for row in range(1, len(plan.rows) + 1):
                plan.formulas[row, column] = _formula(plan, f"{sheet.name}.formulas[{key}]", formula, row)
        elif (at := cell_at(key)) is not None:
            if at[0] == 0 and at[1] < len(plan.headers):
                raise _invalid(f"{sheet.name}.formulas", key, "is in row 1, which has the headers")
            plan.formulas[at] = _formula(plan, f"{sheet.name}.formulas[{key}]", formula, at[0])
        else:
            raise _invalid(
                f"{sheet.name}.formulas", key, f"is neither a cell such as B9 nor a column: there are {plan.headers}"
            )


def _formula(plan: Planned, where: str, formula: str, row: int) -> str:
    """The formula of one row, with A1 references; refused if it is broken or reaches out of the workbook."""
    text = "=" + formula.strip().lstrip("=")
    text = re.sub(r"\{row\}", str(row + 1), text)
    for named in (r"\[@\[([^\]]+)\]\]", r"\[@([^\]\[]+)\]"):
        text = re.sub(named, lambda found: f"${_letter(plan, where, found[1])}{row + 1}", text)
    bare = re.sub(r'"(?:[^"]|"")*"', '""', text)
    if '"' in bare.replace('""', "") or _unbalanced(bare) or len(text) < 2:
        raise _invalid(where, formula, "is no complete formula: check its brackets and quotes")
    if len(text) > LONGEST_FORMULA:
        raise _invalid(where, formula, f"is longer than {LONGEST_FORMULA:,} characters")
    refuse_reaching_out(where, text)
    return text


def refuse_reaching_out(where: str, formula: str) -> None:
    """Raises `ToolFailed("blocked")` for a formula that would fetch something, start something or read another workbook."""
    bare = re.sub(r'"(?:[^"]|"")*"', '""', formula)
    links = re.sub(r'(?i)\bHYPERLINK\s*\(\s*""\s*([,)])', r"LINK(\1", bare)  # a plain address; not one made of cells
    if "|" in links or _REACHES_OUT.search(links) or re.search(r"\[[^\]]*\][^!]*!", links):
        raise ToolFailed("blocked", f"{where}: {formula!r} reaches out of the workbook, which is not written")


def _unbalanced(bare: str) -> bool:
    depth = 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return True
    return depth != 0


def _letter(plan: Planned, where: str, header: str) -> str:
    at = _column(plan, header)
    if at is None:
        raise _invalid(where, header, f"is no column: there are {plan.headers}")
    return shown_at(0, at).rstrip("1")


def _column(plan: Planned, name: str) -> int | None:
    """The column of this header; case does not count."""
    lowered = [header.lower() for header in plan.headers]
    return lowered.index(name.strip().lower()) if name.strip().lower() in lowered else None


def _add_formats(plan: Planned, sheet: Sheet) -> None:
    for at, column in enumerate(sheet.columns):
        if not isinstance(column, str) and at < len(plan.headers):
            plan.column_formats |= {at: _number_format(column.format)} if column.format else {}
            plan.widths |= {at: min(255.0, max(1.0, column.width))} if column.width else {}
    for key, form in sheet.formats.items():
        if (at := _column(plan, key)) is not None:
            plan.column_formats[at] = _number_format(form)
        elif (cell := cell_at(key)) is not None:
            plan.cell_formats[cell] = _number_format(form)
        elif re.fullmatch(r"[A-Za-z]{1,2}", key) and column_at(key) < len(plan.headers):
            plan.column_formats[column_at(key)] = _number_format(form)
        else:
            raise _invalid(
                f"{sheet.name}.formats", key, f"is neither a column, its letter nor a cell: there are {plan.headers}"
            )


def _number_format(form: str) -> str:
    return FORMATS.get(form.strip().lower(), form)


# ---- charts --------------------------------------------------------------------------------------------------


def _chart(plan: Planned, chart: Chart, warnings: list[str]) -> list[PlannedChart]:
    """The chart with its columns found; none where there is nothing to draw."""
    where = f"{plan.name}.charts"
    if not plan.rows:
        warnings.append(f"{where}: {chart.title!r} was left out, there are no rows")
        return []
    x = _asked(plan, where, "x", chart.x)[0] if chart.x else 0
    y = _asked(plan, where, "y", chart.y) if chart.y else [at for at in _number_columns(plan) if at != x]
    if not y:
        raise _invalid(where, chart.title, f"has no column of numbers to draw: there are {plan.headers}")
    for at in y:
        if at not in _number_columns(plan):
            warnings.append(f"{where}: column {plan.headers[at]!r} holds no numbers, so the chart shows nothing of it")
    if chart.at is not None and cell_at(chart.at) is None:
        raise _invalid(f"{where}.at", chart.at, "must be a cell such as F2")
    kind = chart.kind or chart.type or "column"
    return [PlannedChart(kind, chart.title, x, y[:1] if kind == "pie" else y, chart.at)]


def _asked(plan: Planned, where: str, axis: str, names: str) -> list[int]:
    """Columns by header: one, or several with commas."""
    whole = _column(plan, names)
    found = [whole] if whole is not None else [_column(plan, name) for name in names.split(",")]
    if None in found:
        raise _invalid(f"{where}.{axis}", names, f"is no column: there are {plan.headers}")
    return [at for at in found if at is not None]


def _number_columns(plan: Planned) -> list[int]:
    def numeric(values: Iterable[Any]) -> bool:
        return any(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)

    counted = {column for row, column in plan.formulas if 1 <= row <= len(plan.rows)}
    return [at for at in range(len(plan.headers)) if at in counted or numeric(row[at] for row in plan.rows)]


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))
