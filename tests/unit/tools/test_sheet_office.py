"""Workbooks of another program are read as they are, and that program computes what stands beside our formulas."""

from __future__ import annotations

from typing import Any

import pytest

from auteryn.tools.sheet import sheet_create, sheet_read
from unit.tools.office import LibreOffice, sheet_of, without_values
from unit.tools.room import Room

CSV = "item,qty,price,note\nbolt,2,9.99,big\nnut,3,1.5,\n"
ROWS = [["item", "qty", "price", "note"], ["bolt", 2, 9.99, "big"], ["nut", 3, 1.5, None]]


@pytest.mark.tool("sheet_read", "happy")
@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods", "csv:Text - txt - csv (StarCalc):44,34,76"])
def test_a_file_of_libreoffice_is_read_cell_by_cell(room: Room, libreoffice: LibreOffice, ending: str) -> None:
    book = libreoffice.converted(CSV.encode(), "in.csv", "ods")
    name = f"book.{ending.partition(':')[0]}"
    room.put(name, libreoffice.converted(book, "book.ods", ending) if ending != "ods" else book)
    assert room.call(sheet_read, path=name)["rows"] == ROWS
    assert room.call(sheet_read, path=name, range="B2:C3")["rows"] == [[2, 9.99], [3, 1.5]]


FORMULAS = {
    "E1": "=SUM(A2:B6)",
    "E2": "=AVERAGE(A2:A6)",
    "E3": "=COUNT(A2:B6)",
    "E4": "=MIN(A2:A6)*MAX(B2:B6)",
    "E5": "=(A2+B2)*3-A3/B3",
    "E6": "=A2*19%",
    "E7": "=2^3^2",
    "E8": "=-A2^2",
    "E9": "=ROUND(A3/3,2)",
    "E10": '=IF(A2>B2,"more","less")',
    "E11": "=E1+E5",
    "E12": "=A2/0",
    "E13": "=SUM(A2:A6)/COUNT(A2:A6)-E2",
}


@pytest.mark.proves("P20")
def test_the_values_beside_formulas_are_those_libreoffice_computes(room: Room, libreoffice: LibreOffice) -> None:
    rows = [[3.5, 2], [10, 4], [-2, 7.25], [0, 1], [8, 0.5]]
    sheet: dict[str, Any] = {"name": "S", "columns": ["a", "b"], "rows": rows, "table": False, "formulas": FORMULAS}
    room.call(sheet_create, path="book.xlsx", sheets=[sheet])
    body = room.files.read("book.xlsx")
    ours = sheet_of(body, "S")
    theirs = sheet_of(libreoffice.converted(without_values(body), "book.xlsx", "ods"), "S")
    for at, cell in enumerate(FORMULAS):
        mine, other = ours[at][4], theirs[at][4]
        assert mine == (pytest.approx(other) if isinstance(other, float) else other), (cell, FORMULAS[cell], mine, other)
