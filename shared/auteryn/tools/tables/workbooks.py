"""Spreadsheet files as rows, read by calamine; and as tables for SQL."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MEMBERS, RATIO_FREE, UNPACKED_BYTES, UNPACKED_RATIO
from auteryn.tools.leash import Leash
from auteryn.tools.tables.titles import titles_above
from auteryn.tools.tables.words import identifier

SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
MOST_CELLS = 5_000_000
"""Empty ones included: one stray cell in the last corner makes 17 billion."""
_CHUNK = 20_000
_INT_LIMIT = 1 << 53


def sheet_cells(real: Path, shown: str, sheet: str | None) -> tuple[str, list[str], list[list[Any]]]:
    """Name of the sheet read, names of all, and its cells from A1 on; raises `ToolFailed`."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError as error:
        raise ToolFailed("missing_extra", f"{shown!r}: reading spreadsheets needs pip install 'auteryn[office]'") from error
    refuse_bomb(real, shown)
    try:
        with CalamineWorkbook.from_path(str(real)) as book:
            name = _chosen(book.sheet_names, sheet, shown)
            found = book.get_sheet_by_name(name)
            if found.total_height * found.total_width > MOST_CELLS:
                raise ToolFailed(
                    "too_large", f"{shown!r}: {found.total_height:,} rows x {found.total_width:,} columns are too many"
                )
            return name, list(book.sheet_names), found.to_python(skip_empty_area=False)
    except CalamineError as error:
        if "password" in str(error).lower():
            raise ToolFailed("auth", f"{shown!r} is protected by a password") from error
        raise ToolFailed("unsupported", f"{shown!r} cannot be read as a spreadsheet: {error}") from error


def refuse_bomb(real: Path, shown: str) -> None:
    """Raises `ToolFailed("too_large")` if the file is a zip that unpacks to more than is sane."""
    if not zipfile.is_zipfile(real):
        return
    with zipfile.ZipFile(real) as inside:
        entries = inside.infolist()
    total = sum(entry.file_size for entry in entries)
    ratio = total > RATIO_FREE and total > UNPACKED_RATIO * max(1, real.stat().st_size)
    if total > UNPACKED_BYTES or len(entries) > MEMBERS or ratio:
        raise ToolFailed(
            "too_large", f"{shown!r} unpacks to {total:,} bytes in {len(entries):,} parts, which is more than is sane"
        )


def _chosen(names: list[str], sheet: str | None, shown: str) -> str:
    if not names:
        raise ToolFailed("unsupported", f"{shown!r} has no sheet with cells")
    if sheet is None:
        return names[0]
    found = next((name for name in names if name == sheet), None) or next(
        (n for n in names if n.lower() == sheet.lower()), None
    )
    if found is None:
        raise ToolFailed("not_found", f"sheet: {sheet!r} is not in {shown!r}, which has {', '.join(map(repr, names))}")
    return found


def load_sheet(
    run: Callable[..., Any], leash: Leash, real: Path, shown: str, sheet: str | None, alias: str, notes: list[str]
) -> None:
    """The sheet as a table `alias`: its first row below titles names the columns, their values the types."""
    name, names, rows = sheet_cells(real, shown, sheet)
    rows = [row for row in rows if any(cell not in ("", None) for cell in row)]
    if len(names) > 1 and sheet is None:
        notes.append(
            f"{shown!r}: read is its first sheet {name!r}; '{shown}#NAME' reads another of {', '.join(map(repr, names))}"
        )
    if above := titles_above(rows):
        notes.append(f"{shown!r}: {above} rows above the table were skipped")
        rows = rows[above:]
    header, *body = rows or [["column0"]]
    titles = unique([str(_tidy(cell)) if cell not in ("", None) else f"column{at}" for at, cell in enumerate(header)])
    columns = [[_tidy(row[at]) if at < len(row) else None for row in body] for at in range(len(titles))]
    kinds = [_kind(column) for column in columns]
    declared = ", ".join(f"{identifier(title)} {kind}" for title, kind in zip(titles, kinds, strict=True))
    run(f"CREATE TABLE {identifier(alias)} ({declared})")
    _insert(run, leash, alias, columns, kinds)


def _insert(run: Callable[..., Any], leash: Leash, alias: str, columns: list[list[Any]], kinds: list[str]) -> None:
    slots = ", ".join(f"unnest(?::{kind}[])" for kind in kinds)
    for at in range(0, len(columns[0]) if columns else 0, _CHUNK):
        leash.check()
        part = [_as_kind(column[at : at + _CHUNK], kind) for column, kind in zip(columns, kinds, strict=True)]
        run(f"INSERT INTO {identifier(alias)} SELECT {slots}", part)


def unique(titles: Sequence[str]) -> list[str]:
    """Titles without doubles (case does not count): the second `a` is `a_1`."""
    seen, out = set[str](), list[str]()
    for title in titles:
        name, count = title, 0
        while name.lower() in seen:
            count += 1
            name = f"{title}_{count}"
        seen.add(name.lower())
        out.append(name)
    return out


def _tidy(cell: Any) -> Any:
    """Empty text is nothing; a whole number is one."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _INT_LIMIT:
        return int(cell)
    return cell


def _kind(column: list[Any]) -> str:
    kinds: set[type] = {type(cell) for cell in column if cell is not None}
    for wanted, kind in (
        ({bool}, "BOOLEAN"),
        ({int}, "BIGINT"),
        ({int, float}, "DOUBLE"),
        ({date}, "DATE"),
        ({date, datetime}, "TIMESTAMP"),
    ):
        if kinds and kinds <= wanted:
            return kind
    return "VARCHAR"


def _as_kind(cells: list[Any], kind: str) -> list[Any]:
    if kind != "VARCHAR":
        return cells
    return [cell if cell is None or isinstance(cell, str) else str(cell) for cell in cells]


def shown_cell(cell: Any) -> Any:
    """A cell as JSON: whole numbers whole, dates in ISO form, empty as null."""
    cell = _tidy(cell)
    match cell:
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return cell
