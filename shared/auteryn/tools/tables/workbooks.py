"""Spreadsheet files as rows, read by calamine; and as tables for SQL."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MEMBERS, RATIO_FREE, UNPACKED_BYTES, UNPACKED_RATIO
from auteryn.tools.leash import Leash
from auteryn.tools.sheet_formulas import cell_at, shown_at
from auteryn.tools.tables.titles import Area, titles_above, unmerged
from auteryn.tools.tables.uncomputed import with_formulas
from auteryn.tools.tables.words import identifier

SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
MOST_CELLS = 5_000_000
"""Empty ones included: one stray cell in the last corner makes 17 billion."""
_FIRST_BYTES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""Of a zip, and of Microsoft's older container."""
_CHUNK = 20_000
_INT_LIMIT = 1 << 53


class Cells(Struct):
    """A sheet from A1 on, rows of one length."""

    name: str
    names: list[str]
    """Of all sheets of the workbook."""
    rows: list[list[Any]]
    merged: list[Area]
    notes: list[str]
    """What was made of it, for a model."""


def sheet_cells(real: Path, shown: str, sheet: str | None) -> Cells:
    """The sheet of this name; else the first that is seen and has cells. Raises `ToolFailed`."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError as error:
        raise ToolFailed("missing_extra", f"{shown!r}: reading spreadsheets needs pip install 'auteryn[office]'") from error
    if not is_workbook(real):
        raise ToolFailed("unsupported", f"{shown!r} is no workbook, whatever its name says: data_query reads text as a table")
    refuse_bomb(real, shown)
    try:
        with CalamineWorkbook.from_path(str(real)) as book:
            name = _chosen(book, sheet, shown)
            found = book.get_sheet_by_name(name)
            if found.total_height * found.total_width > MOST_CELLS:
                raise ToolFailed(
                    "too_large", f"{shown!r}: {found.total_height:,} rows x {found.total_width:,} columns are too many"
                )
            names = list(book.sheet_names)
            cells = Cells(name, names, found.to_python(skip_empty_area=False), list(found.merged_cell_ranges or ()), [])
    except CalamineError as error:
        if "password" in str(error).lower():
            raise ToolFailed("auth", f"{shown!r} is protected by a password") from error
        raise ToolFailed("unsupported", f"{shown!r} cannot be read as a spreadsheet: {error}") from error
    cells.notes += with_formulas(real, shown, name, cells.rows)
    return cells


def is_workbook(real: Path) -> bool:
    """By its first bytes: what is called .xls is often a csv, or a web page."""
    with real.open("rb") as file:
        return file.read(4) in _FIRST_BYTES


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


def _chosen(book: Any, sheet: str | None, shown: str) -> str:
    names: list[str] = book.sheet_names
    if not names:
        raise ToolFailed("unsupported", f"{shown!r} has no sheet with cells")
    if sheet is None:
        seen = [one.name for one in book.sheets_metadata if str(one.visible).endswith(".Visible")]
        return next((name for name in seen if book.get_sheet_by_name(name).height), names[0])
    found = next((name for name in names if name == sheet), None) or next(
        (n for n in names if n.lower() == sheet.lower()), None
    )
    if found is None:
        raise ToolFailed("not_found", f"sheet: {sheet!r} is not in {shown!r}, which has {', '.join(map(repr, names))}")
    return found


def load_sheet(run: Callable[..., Any], leash: Leash, real: Path, shown: str, asked: str, alias: str, notes: list[str]) -> None:
    """A sheet as a table `alias`: its first row below titles names the columns, their values the types.

    `asked` is nothing, the sheet's name, a range of cells, or both: `Sheet1!A1:D9`.
    """
    sheet, area = _part(asked)
    cells = sheet_cells(real, shown, sheet)
    notes += cells.notes
    for row in cells.rows:  # a space that somebody typed far away would be a row and a column
        row[:] = ["" if isinstance(cell, str) and cell.isspace() else cell for cell in row]
    if len(cells.names) > 1 and sheet is None:
        others = ", ".join(map(repr, cells.names))
        notes.append(f"{shown!r}: read is its sheet {cells.name!r}; '{shown}#NAME' reads another of {others}")
    if cells.merged:
        unmerged(cells.rows, cells.merged)
        notes.append(f"{shown!r}: merged cells count for each cell they cover")
    top, left, bottom, right = area or (0, 0, len(cells.rows) - 1, max(map(len, cells.rows), default=0) - 1)
    part = [row[left : right + 1] if area else row for row in cells.rows[top : bottom + 1]]
    numbered = [(at, row) for at, row in enumerate(part, top) if any(cell not in ("", None) for cell in row)]
    rows = [row for _, row in numbered]
    if above := titles_above(rows):
        notes.append(f"{shown!r}: {above} rows above the table were skipped")
        numbered, rows = numbered[above:], rows[above:]
    if found := _another(numbered, left):
        notes.append(f"{shown!r}: another table may begin below empty rows: '{shown}#{cells.name}!{found}' reads it alone")
    if not rows:
        notes.append(f"{shown!r}: the sheet {cells.name!r} is empty")
    header, *body = rows or [["column0"]]
    places = [at for at in range(len(header)) if any(row[at] not in ("", None) for row in rows)] or [0]
    titles = unique([str(_tidy(header[at])) if header[at] not in ("", None) else f"column{at}" for at in places])
    columns = [[_tidy(row[at]) for row in body] for at in places]
    kinds = [_kind(column) for column in columns]
    declared = ", ".join(f"{identifier(title)} {kind}" for title, kind in zip(titles, kinds, strict=True))
    run(f"CREATE TABLE {identifier(alias)} ({declared})")
    _insert(run, leash, alias, columns, kinds)


def _part(asked: str) -> tuple[str | None, tuple[int, int, int, int] | None]:
    """Name of the sheet, and top, left, bottom, right of the cells, where they are given."""
    name, _, cells = asked.rpartition("!")
    first, _, last = cells.partition(":")
    start, end = cell_at(first), cell_at(last)
    if start is None or end is None:
        return asked or None, None
    rows, columns = sorted((start[0], end[0])), sorted((start[1], end[1]))
    return name or None, (rows[0], columns[0], rows[1], columns[1])


def _another(numbered: list[tuple[int, list[Any]]], left: int) -> str | None:
    """The cells below an empty row that begin like a table: with names, and with more below them."""
    for (before, _), (at, row) in itertools.pairwise(numbered):
        filled = [place for place, cell in enumerate(row) if cell not in ("", None)]
        if (
            at > before + 1
            and len(filled) > 1
            and all(isinstance(row[place], str) for place in filled)
            and at < numbered[-1][0]
        ):
            return f"{shown_at(at, left + filled[0])}:{shown_at(numbered[-1][0], left + filled[-1])}"
    return None


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
        ({time}, "TIME"),
        ({timedelta}, "INTERVAL"),
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
