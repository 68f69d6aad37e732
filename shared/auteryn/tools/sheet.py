"""Workbooks: written with real tables, charts and computed formulas; read cell by cell."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_spreadsheets
from auteryn.tools.sheet_formulas import cell_at, computed, ends_first, faults, shown_at
from auteryn.tools.sheet_plan import Planned, planned
from auteryn.tools.sheet_shape import Sheet
from auteryn.tools.tables.text_files import readable
from auteryn.tools.tables.workbooks import SHEETS, Cells, sheet_cells, shown_cell
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Workspace

MOST_ROWS = 10_000
MOST_CELLS = 1_000_000
"""Of a workbook: 10 s and 400 MB on a slow core; more belongs into csv or parquet."""
_SHOWN = 50
_TEXT = (".csv", ".tsv")


@tool(
    reads_files=True,
    effect="idempotent",
    group="office",
    timeout=timedelta(minutes=3),
    missing=no_spreadsheets,
    serial=lambda args: str(args["path"]),
)
async def sheet_create(
    ctx: ToolContext,
    path: Annotated[str, "The workbook to write, .xlsx; one that is there is replaced"],
    sheets: Annotated[list[Sheet], Meta(min_length=1, max_length=100), "Its sheets, in order"],
) -> dict[str, Any]:
    """Write an Excel workbook (xlsx export): tables with filters, number formats, formulas with their values, native charts.
    Row 1 has the
    headers, data starts in row 2. Text is text, also if it starts with "=": declare formulas in formulas or in a column."""
    if not path.lower().endswith(".xlsx"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .xlsx")
    return await in_thread(lambda leash: _create(ctx.files, path, sheets, leash))


@tool(reads_files=True, effect="read", group="office", missing=no_spreadsheets, untrusted=True)
async def sheet_read(
    ctx: ToolContext,
    path: Annotated[str, "An .xlsx, .xlsm, .xlsb, .xls, .ods, .csv or .tsv file"],
    sheet: Annotated[str | None, "Name of the sheet; else the first that is seen and has cells"] = None,
    range: Annotated[str | None, "Cells such as A1:D20; else all"] = None,
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS), "Most rows in the answer"] = 100,
) -> dict[str, Any]:
    """Read the cells of a spreadsheet as they are, row by row. (data_query asks a sheet in SQL.)"""
    if not path.lower().endswith((*SHEETS, *_TEXT)):
        raise ToolFailed("unsupported", f"path: {path!r} is no spreadsheet ({', '.join((*SHEETS, *_TEXT))})")
    return await in_thread(lambda _: _read(ctx.files, path, sheet, range, limit))


# ---- create --------------------------------------------------------------------------------------------------


def _create(files: Workspace, path: str, sheets: list[Sheet], leash: Leash) -> dict[str, Any]:
    from auteryn.tools.sheet_book import write_book

    _refuse_names([sheet.name for sheet in sheets])
    warnings, cells, plans = list[str](), 0, list[Planned]()
    for sheet in sheets:
        leash.check()
        plans.append(planned(files, sheet, leash, warnings, MOST_CELLS - cells))
        cells += plans[-1].cells
    values, unknown = computed({plan.name: plan.grid for plan in plans})
    for cell, why in unknown.items():
        formula = next(plan for plan in plans if plan.name == cell.sheet).formulas[cell.row, cell.column]
        warnings.append(f"{cell.sheet}!{shown_at(cell.row, cell.column)} {formula!r} shows empty until Excel opens it: {why}")
    leash.check()
    with files.path_to_write(path) as to:
        write_book(to, plans, values, leash)
    told: dict[str, Any] = {
        "path": path,
        "size_bytes": files.stat(path).size_bytes,
        "sheets": [plan.told() for plan in plans],
    }
    shown = {f"{cell.sheet}!{shown_at(cell.row, cell.column)}": values[cell] for cell in ends_first(values)[:_SHOWN]}
    told |= {"computed": shown} if shown else {}
    more = [f"and {len(warnings) - _SHOWN} more warnings"] if len(warnings) > _SHOWN else []
    heard = [*warnings[:_SHOWN], *more, *faults(values)]
    return told | ({"warnings": heard} if heard else {})


def _refuse_names(names: list[str]) -> None:
    """Excel's rules for the names of sheets."""
    seen = set[str]()
    for name in names:
        if not 1 <= len(name) <= 31 or any(letter in "[]:*?/\\" or ord(letter) < 32 for letter in name):
            raise _invalid("sheets.name", name, "must have 1 to 31 characters and none of [ ] : * ? / \\")
        if name.startswith("'") or name.endswith("'") or name.lower() == "history":
            raise _invalid("sheets.name", name, "may not begin or end with an apostrophe, nor be 'History'")
        if name.lower() in seen:
            raise _invalid("sheets.name", name, "is used twice; case does not count")
        seen.add(name.lower())


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))


# ---- read ----------------------------------------------------------------------------------------------------


def _read(files: Workspace, path: str, sheet: str | None, asked: str | None, limit: int) -> dict[str, Any]:
    with files.path_for_library(path) as real:
        cells = _text_cells(real, path) if path.lower().endswith(_TEXT) else sheet_cells(Path(real), path, sheet)
    rows = cells.rows
    width = max(map(len, rows), default=0)
    top, left, bottom, right = _corners(asked) if asked else (0, 0, len(rows) - 1, width - 1)
    picked = [[shown_cell(cell) for cell in row[left : right + 1]] for row in rows[top : bottom + 1]]
    last = shown_at(top + max(0, min(len(picked), limit) - 1), max(left, min(right, width - 1)))
    return {
        "sheet": cells.name,
        "sheets": cells.names,
        "range": f"{shown_at(top, left)}:{last}",
        "rows": picked[:limit],
        "row_count": len(picked),
        "truncated": len(picked) > limit,
        **({"notes": cells.notes} if cells.notes else {}),
    }


def _text_cells(real: Path, path: str) -> Cells:
    """The cells of a text file with separators, as one sheet; what is written like a number is one."""
    notes = list[str]()
    text = readable(real, path, notes).read_bytes().decode("utf-8-sig", "replace")
    try:
        dialect = csv.Sniffer().sniff(text[:8_192], ",;\t|")
        dialect.doublequote = True  # though none may stand in the first lines
    except csv.Error:
        dialect = csv.excel_tab if real.suffix.lower() == ".tsv" else csv.excel
    try:
        rows = [[_number_or_text(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""), dialect)]
    except csv.Error as error:
        raise ToolFailed("unsupported", f"{path!r} cannot be read cell by cell ({error}): data_query reads it") from error
    return Cells(real.stem, [real.stem], rows, [], notes)


def _number_or_text(cell: str) -> Any:
    return float(cell) if re.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d+)?", cell) else cell


def _corners(asked: str) -> tuple[int, int, int, int]:
    first, _, last = asked.replace("$", "").partition(":")
    start, end = cell_at(first.strip()), cell_at((last or first).strip())
    if start is None or end is None:
        raise _invalid("range", asked, "must be cells such as A1:D20")
    rows, columns = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return rows[0], columns[0], rows[1], columns[1]
