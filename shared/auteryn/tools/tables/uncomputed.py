"""Formulas that were written by a program which computes none: they have no values, and every reader sees empty cells."""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from auteryn.policy.quotas import MB
from auteryn.tools.sheet_formulas import Grid, computed, shown_at
from auteryn.tools.sheet_functions import Fault

_BARE = re.compile(rb"</f>\s*(?:<v\s*/>|<v></v>)?\s*</c>")
_LARGEST = 8 * MB
"""Of one sheet: what is larger takes too long to compute."""


def with_formulas(real: Path, shown: str, name: str, rows: list[list[Any]]) -> list[str]:
    """Put their values into the rows of the sheet `name`; says so, and which have none that we can compute."""
    if not _has_bare(real):
        return []
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that only matter to who writes the file again
        book = load_workbook(real)
    grids = {sheet.title: _grid([list(row) for row in sheet.iter_rows(values_only=True)]) for sheet in book.worksheets}
    values, unknown = computed(grids)
    count = 0
    for cell, value in values.items():
        inside = cell.sheet == name and cell.row < len(rows) and cell.column < len(rows[cell.row])
        if inside and rows[cell.row][cell.column] == "" and not isinstance(value, Fault):
            rows[cell.row][cell.column] = value
            count += 1
    left = [shown_at(cell.row, cell.column) for cell in unknown if cell.sheet == name]
    notes = [f"{shown!r}: {count} formulas were stored without values, and were computed"] if count else []
    return notes + ([f"{shown!r}: formulas without values, read as empty: {', '.join(left[:10])}"] if left else [])


def _has_bare(real: Path) -> bool:
    if not zipfile.is_zipfile(real):
        return False
    with zipfile.ZipFile(real) as parts:
        sheets = [
            part for part in parts.infolist() if part.filename.startswith("xl/worksheets/") and part.file_size <= _LARGEST
        ]
        return any(_BARE.search(parts.read(part)) for part in sheets)


def _grid(rows: list[list[Any]]) -> Grid:
    formulas = {
        (at, column): cell
        for at, row in enumerate(rows)
        for column, cell in enumerate(row)
        if isinstance(cell, str) and cell.startswith("=")
    }
    plain = [[None if (at, column) in formulas else cell for column, cell in enumerate(row)] for at, row in enumerate(rows)]
    return Grid(plain, formulas)
