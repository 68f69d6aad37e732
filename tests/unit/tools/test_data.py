"""Any table file can be looked at and asked in SQL; the SQL reaches nothing else."""

from __future__ import annotations

import asyncio
import json
import math
import random
import statistics
import threading
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from auteryn.agent.output import capped
from auteryn.errors import ToolFailed
from auteryn.schema.event import CallAnswered
from auteryn.tools import data as module
from auteryn.tools.data import data_profile, data_query, plain
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.leash import Leash, Stopped, in_thread
from auteryn.tools.registry import Registry
from auteryn.tools.tables import csv_files
from auteryn.tools.tables.casts import cast_hint
from auteryn.tools.tables.database import opened, whole_result
from auteryn.tools.tables.words import files_in
from unit.tools.bench import Bench
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

SALES = "region,amount,sold on\nNorth,10.5,2024-01-05\nSouth,4,2024-02-01\nNorth,2,2024-03-09\n,8,2024-03-10\n"
TOTALS = 'SELECT "{}" AS label, SUM("{}") AS total FROM t GROUP BY 1 ORDER BY 1'


def rows(room: Room, sql: str, **given: Any) -> list[list[Any]]:
    return room.call(data_query, sql=sql, **given)["rows"]


def column(profile: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in profile["columns"] if one["name"] == name)


# ---- asking --------------------------------------------------------------------------------------------------


@pytest.mark.proves("P20")
def test_a_judge_asks_for_totals_in_the_way_it_always_does(room: Room) -> None:
    room.put("sales.csv", SALES)
    given = as_a_judge_calls(data_query, sql=TOTALS.format("region", "amount"), files={"t": "sales.csv"}, limit=100)
    assert given["files"] == {"t": "sales.csv"}
    assert room.call(data_query, **given) == {
        "columns": ["label", "total"],
        "rows": [["North", 12.5], ["South", 4.0], [None, 8.0]],
        "row_count": 3,
        "truncated": False,
    }
    profile = room.call(data_profile, **as_a_judge_calls(data_profile, path="sales.csv"))
    assert profile["row_count"] == 4


@pytest.mark.tool("data_query", "happy")
@pytest.mark.proves("P20")
def test_a_figure_is_the_one_counted_by_hand(room: Room) -> None:
    draw = random.Random(7)
    table = [(draw.choice("NSEW"), round(draw.uniform(-50, 1_000), 2), draw.randrange(10)) for _ in range(5_000)]
    room.put("t.csv", "region,amount,n\n" + "".join(f"{a},{b},{c}\n" for a, b, c in table))
    answer = rows(room, "SELECT region, sum(amount), sum(n), count(*) FROM 't.csv' GROUP BY 1 ORDER BY 1")
    for region, total, whole, count in answer:
        mine = [row for row in table if row[0] == region]
        assert total == pytest.approx(math.fsum(row[1] for row in mine), rel=1e-12)
        assert (whole, count) == (sum(row[2] for row in mine), len(mine))


def test_files_are_tables_by_their_quoted_path_and_may_be_joined(room: Room) -> None:
    room.put("deep folder/sales.csv", SALES)
    room.put("it's.csv", "region,boss\nNorth,Ann\n")
    joined = "SELECT boss, sum(amount) FROM 'deep folder/sales.csv' JOIN 'it''s.csv' USING (region) GROUP BY 1"
    assert rows(room, joined) == [["Ann", 12.5]]
    assert rows(room, "SELECT count(*) FROM \"deep folder/sales.csv\" -- it's a comment with 'sales.csv'") == [[4]]
    assert rows(room, "SELECT count(*) FROM read_csv('deep folder/sales.csv', all_varchar = true)") == [[4]]


def test_json_parquet_gzip_and_workbooks_are_tables_too(room: Room) -> None:
    import gzip

    room.put("t.json", json.dumps([{"a": 1, "b": "x"}, {"a": 2, "b": None}]))
    room.put("t.jsonl", '{"a": 3}\n{"a": 4}\n')
    room.put("t.csv.gz", gzip.compress(b"a\n5\n6\n"))
    room.call(data_query, sql="SELECT 7 AS a UNION ALL SELECT 8", save_as="t.parquet")
    book = openpyxl.Workbook()
    book.active.append(["a", "when", "text"])
    book.active.append([9, datetime(2024, 1, 5), "x"])
    second = book.create_sheet("Second")
    second.append(["a"])
    second.append([11.5])
    with room.files.path_to_write("t.xlsx") as to:
        book.save(to)
    for path, total in [
        ("t.json", 3),
        ("t.jsonl", 7),
        ("t.csv.gz", 11),
        ("t.parquet", 15),
        ("t.xlsx", 9),
        ("t.xlsx#Second", 11.5),
    ]:
        assert rows(room, f"SELECT sum(a) FROM '{path}'") == [[total]], path
    told = room.call(data_query, sql="SELECT * FROM 't.xlsx'")
    assert told["rows"] == [[9, "2024-01-05", "x"]] and "'Second'" in told["notes"][0]
    assert room.refusal(data_query, sql="SELECT 1 FROM 't.xlsx#Third'").kind == "not_found"


def test_several_statements_run_and_the_last_one_answers(room: Room) -> None:
    room.put("sales.csv", SALES)
    sql = "CREATE TEMP TABLE x AS SELECT * FROM 'sales.csv'; UPDATE x SET amount = amount * 2; SELECT sum(amount) FROM x;"
    assert rows(room, sql) == [[49.0]]
    assert room.call(data_query, sql="PIVOT 'sales.csv' ON region USING sum(amount)")["columns"] == [
        "sold on",
        "North",
        "South",
    ]


def test_values_come_as_json_and_none_is_rounded(room: Room) -> None:
    sql = (
        "SELECT 'NaN'::DOUBLE, '-inf'::DOUBLE, 1.10::DECIMAL(9,2), 12345678901234567.89::DECIMAL(30,2), 9007199254740993, "
        "DATE '2024-01-05', TIMESTAMP '2024-01-05 10:00', TIMESTAMPTZ '2024-01-05 12:00:00+02', INTERVAL 90 MINUTE, "
        "{'a': 1.5::DECIMAL(3,1), 'd': [DATE '2024-01-05', NULL]}, MAP {'k': 1}, NULL, true, 'é', '\\xAA'::BLOB"
    )
    assert rows(room, sql) == [
        [
            "NaN",
            "-Infinity",
            1.1,
            "12345678901234567.89",
            "9007199254740993",
            "2024-01-05",
            "2024-01-05T10:00:00",
            "2024-01-05 10:00:00+00",
            "1:30:00",
            {"a": 1.5, "d": ["2024-01-05", None]},
            {"k": 1},
            None,
            True,
            "é",
            "aa",
        ]
    ]


def test_plain_keeps_what_json_can_say() -> None:
    assert plain(Decimal("3")) == 3 and plain(Decimal("NaN")) == "NaN" and plain(time(1, 2)) == "01:02:00"
    assert plain(timedelta(days=1)) == "1 day, 0:00:00" and plain({date(2024, 1, 5): (1, {2})}) == {"2024-01-05": [1, [2]]}
    assert plain("x" * 10_001).endswith("… (10,001 characters)")


def test_a_large_answer_is_cut_and_says_how_large_it_is(room: Room) -> None:
    answer = room.call(data_query, sql="SELECT range AS n FROM range(12345)", limit=3)
    assert (answer["rows"], answer["row_count"], answer["truncated"]) == ([[0], [1], [2]], 12_345, True)
    assert room.refusal(data_query, sql="SELECT 1", limit=0).kind == "invalid"


# ---- saving --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_a_saved_result_is_whole_and_its_repeat_has_the_same_bytes(room: Room, form: str) -> None:
    room.put("sales.csv", SALES)
    sql = "SELECT region, sum(amount) AS total, max(\"sold on\") AS last FROM 'sales.csv' GROUP BY 1 ORDER BY 1 NULLS LAST"
    first = room.call(data_query, sql=sql, save_as=f"out/totals.{form}", limit=1)
    body = room.files.read(f"out/totals.{form}")
    assert room.call(data_query, sql=sql, save_as=f"out/totals.{form}", limit=1) == first
    assert room.files.read(f"out/totals.{form}") == body
    assert (first["row_count"], first["truncated"], first["size_bytes"]) == (3, True, len(body))
    assert rows(room, f"SELECT * FROM 'out/totals.{form}'") == [
        ["North", 12.5, "2024-03-09"],
        ["South", 4.0, "2024-02-01"],
        [None, 8.0, "2024-03-10"],
    ]


def test_a_sum_of_floats_is_the_same_in_every_run(room: Room) -> None:
    draw = random.Random(1)
    room.put("f.csv", "x\n" + "".join(f"{draw.random() * 10 ** draw.randrange(9)}\n" for _ in range(300_000)))
    assert len({rows(room, "SELECT sum(x) FROM 'f.csv'")[0][0] for _ in range(4)}) == 1


def test_what_cannot_be_saved_leaves_no_file(room: Room) -> None:
    assert room.refusal(data_query, sql="SELECT 1", save_as="x.xlsx").kind == "unsupported"
    assert room.refusal(data_query, sql="SELECT nope", save_as="x.csv").kind == "invalid"
    assert room.refusal(data_query, sql="SELECT 1", save_as="../x.csv").kind == "denied"
    assert room.refusal(data_query, sql="SELECT 1", save_as=f"{HIDDEN}/x.csv").kind == "denied"
    assert [file.path for file in room.files.walk()] == [] and not list((room.files.own / "tmp").iterdir())
    assert room.call(data_query, sql="SELECT 1 AS a WHERE false", save_as="none.csv")["columns"] == ["a"]


# ---- files as people write them --------------------------------------------------------------------------------

ODD = {
    "semicolons and a comma in numbers": (
        "Région;Umsatz (EUR)\nNord;1.234,50\nSüd;2,5\n".encode(),
        2,
        ["Région", "Umsatz (EUR)"],
    ),
    "byte order mark": ("\ufeffregion,amount\nN,1\n".encode(), 1, ["region", "amount"]),
    "latin-1": ("région,amount\nété,1\n".encode("latin-1"), 1, ["région", "amount"]),
    "utf-16 without its mark": ("région,amount\nété,1\n".encode("utf-16-le"), 1, ["région", "amount"]),
    "utf-16, the other way round": ("région,amount\nété,1\n".encode("utf-16-be"), 1, ["région", "amount"]),
    "utf-32": ("région,amount\nété,1\n".encode("utf-32"), 1, ["région", "amount"]),
    "utf-16": ("région,amount\nété,1\n".encode("utf-16"), 1, ["région", "amount"]),
    "header only": (b"a,b\n", 0, ["a", "b"]),
    "single column": (b"amount\n1\n2\n", 2, ["amount"]),
    "empty": (b"", 0, []),
    "blank lines only": (b"\n \n", 0, []),
    "doubled headers": (b"a,a,b\n1,2,3\n", 1, ["a", "a_1", "b"]),
    "a header without a name": (b"a,,b\n1,2,3\n", 1, ["a", "column1", "b"]),
    "quotes, commas and line breaks in cells": (b'"na""me","two words"\n"x,1",2\n"multi\nline",3\n', 2, ['na"me', "two words"]),
    "spaces around headers": (b" region , amount \n N , 1 \n", 1, ["region", "amount"]),
    "lines end as in Windows": (b"a,b\r\n1,2\r\n", 1, ["a", "b"]),
    "a title above the table": (b"My report\n\nregion,amount\nN,1\nS,2\n", 2, ["region", "amount"]),
    "empty cells": (b"a,b\n1,\n,2\n", 2, ["a", "b"]),
    "rows that are too short": (b"a,b,c\n1,2,3\n4,5\n6,7,8\n", 3, ["a", "b", "c"]),
    "no header at all": (b"N,1\nS,2\n", 2, ["column0", "column1"]),
    "tabs": (b"a\tb\n1\t2\n", 1, ["a", "b"]),
    "quotes in SQL and Unicode in headers": ('it\'s "x",Ürün adı,列\n1,2,3\n'.encode(), 1, ['it\'s "x"', "Ürün adı", "列"]),
}


@pytest.mark.proves("P20")
@pytest.mark.parametrize("name", ODD)
def test_an_odd_csv_is_read_as_what_it_means(room: Room, name: str) -> None:
    body, count, names = ODD[name]
    room.put("odd file.csv", body)
    profile = room.call(data_profile, path="odd file.csv")
    assert (profile["row_count"], [one["name"] for one in profile["columns"]]) == (count, names)
    assert len(profile["sample"]) == count
    assert rows(room, "SELECT count(*) FROM t", files={"t": "odd file.csv"}) == [[count]]


def test_numbers_with_a_decimal_comma_are_numbers_and_it_is_said(room: Room) -> None:
    room.put("umsatz.csv", "Ort;Umsatz;Stand;Version\nKöln;1,50;2026-01-02;1.2.3\nUlm;-20,25;2026-01-03;1.2.4\n")
    answer = room.call(data_query, sql="SELECT sum(Umsatz), max(Stand), max(Version) FROM t", files={"t": "umsatz.csv"})
    assert answer["rows"] == [[-18.75, "2026-01-03", "1.2.4"]]
    assert answer["notes"] == ["'umsatz.csv': numbers were read with a decimal comma: Umsatz"]


@pytest.mark.parametrize("body", ["a;b\n1,50;1.5\n2,25;2.25\n", "a;b\n1,50;x\n2.25;y\n", "a;b\n1,50;x\nn/a;y\n"])
def test_where_the_comma_may_mean_something_else_the_text_stays_as_it_is(room: Room, body: str) -> None:
    room.put("mixed.csv", body)
    assert rows(room, "SELECT a FROM 'mixed.csv' LIMIT 1") == [["1,50"]]


def test_a_column_of_numbers_with_one_word_in_row_30_000_is_text_not_an_error(room: Room) -> None:
    room.put("late.csv", "a,b\n" + "1,2\n" * 30_000 + "x,3\n")
    assert rows(room, "SELECT count(*), sum(b) FROM 'late.csv'") == [[30_001, 60_003]]
    assert column(room.call(data_profile, path="late.csv"), "a")["type"] == "VARCHAR"


def test_rows_that_are_too_long_are_an_error_that_names_the_line(room: Room) -> None:
    room.put("long.csv", "a,b\n1,2\n3,4,5\n")
    told = room.refusal(data_profile, path="long.csv")
    assert told.kind == "invalid" and "line 3 has 3 fields, the header has 2" in str(told)
    assert rows(room, "FROM read_csv('long.csv', header = true, ignore_errors = true)") == [[1, 2]]


@pytest.mark.tool("data_profile", "failure")
def test_what_is_no_table_is_refused(room: Room) -> None:
    room.put("image.csv", bytes(range(256)) * 9)
    room.put("notes.md", "# hello")
    room.put("broken.json", "[{")
    room.put("broken.xlsx", "no zip")
    assert room.refusal(data_profile, path="image.csv").kind == "unsupported"
    assert room.refusal(data_profile, path="notes.md").kind == "unsupported"
    assert room.refusal(data_profile, path="broken.json").kind == "invalid"
    assert room.refusal(data_profile, path="broken.xlsx").kind == "unsupported"
    assert room.refusal(data_profile, path="nope.csv").kind == "not_found"


# ---- profile -------------------------------------------------------------------------------------------------


@pytest.mark.tool("data_profile", "happy")
def test_a_profile_has_the_figures_counted_by_hand(room: Room) -> None:
    room.put("sales.csv", SALES)
    profile = room.call(data_profile, path="sales.csv")
    assert column(profile, "amount") == {
        "name": "amount",
        "type": "DOUBLE",
        "nulls": 0,
        "distinct": 4,
        "min": 2.0,
        "max": 10.5,
        "mean": 6.125,
        "std": pytest.approx(statistics.stdev([10.5, 4, 2, 8])),
        "quartiles": [3.5, 6.0, 8.625],
    }
    assert column(profile, "region")["nulls"] == 1
    assert column(profile, "region")["top"] == [{"value": "North", "count": 2}, {"value": "South", "count": 1}]
    assert column(profile, "sold on") | {"name": ""} == {
        "name": "",
        "type": "DATE",
        "nulls": 0,
        "distinct": 4,
        "min": "2024-01-05",
        "max": "2024-03-10",
    }
    assert profile["sample"][0] == ["North", 10.5, "2024-01-05"]


def test_a_million_rows_are_estimated_from_the_limit_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_ROWS", 1_000)
    room.call(data_query, sql="SELECT range AS n, range % 4 AS q FROM range(20000)", save_as="n.parquet")
    profile = room.call(data_profile, path="n.parquet")
    assert column(profile, "n")["distinct"] == pytest.approx(20_000, rel=0.1)
    assert column(profile, "q")["top"][0] == {"value": 0, "count": 5_000}
    assert "estimates" in profile["notes"][0]


def test_nested_and_zoned_columns_are_profiled(room: Room) -> None:
    room.put("n.json", '[{"a": [1, 2], "t": "2024-01-05T10:00:00Z"}, {"a": [], "t": "2024-01-05T10:00:00Z"}]')
    profile = room.call(data_profile, path="n.json")
    assert column(profile, "a") == {"name": "a", "type": "BIGINT[]", "nulls": 0}
    room.put("z.csv", "t,v\n2024-01-05T10:00:00Z,1\n2024-01-05T10:00:00Z,2\n")
    zoned = column(room.call(data_profile, path="z.csv"), "t")
    assert zoned["top"] == [{"value": "2024-01-05 10:00:00+00", "count": 2}] and zoned["min"] == "2024-01-05 10:00:00+00"


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.234,50", "2,5", "-3,25"], [1234.5, 2.5, -3.25]),
        (["$1,200", "$300.50", "-$7"], [1200.0, 300.5, -7.0]),
        (["1 234,5 €", "12 €"], [1234.5, 12.0]),
        (["(1,200)", "300"], [-1200.0, 300.0]),
        (["10%", "12.5 %"], [0.1, 0.125]),
        (["1,234,567", "2"], [1234567.0, 2.0]),
        (["1'234.50", "7"], [1234.5, 7.0]),
        (["1.234,50-", "2,5"], [-1234.5, 2.5]),
        (["EUR 1,200", "USD 3"], [1200.0, 3.0]),
        (["$1", "1.5E+3", "2e-1"], [1.0, 1500.0, 0.2]),
        (["$1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "Q1", "<5"], [*map(float, range(1, 11)), None, None]),
        (["$1", "2", "3", "4", "5", "6", "7", "8", "NaN", "-"], [*map(float, range(1, 9)), None, None]),
    ],
)
def test_dressed_numbers_come_with_sql_that_undresses_them(room: Room, texts: list[str], numbers: list[float]) -> None:
    room.put("t.csv", "id;the amount\n" + "".join(f"{at};{text}\n" for at, text in enumerate(texts)))
    hint = column(room.call(data_profile, path="t.csv"), "the amount")["hint"]
    expression = hint.partition("use ")[2].partition(" (NULL for others")[0]
    assert [value for (value,) in rows(room, f"SELECT {expression} FROM 't.csv' ORDER BY id")] == pytest.approx(numbers)


@pytest.mark.parametrize(
    ("texts", "dates", "either"),
    [
        (["2026-03-25", "25/03/2026", "25 Mar 2026"], ["2026-03-25"] * 3, False),
        (["01/02/2026", "03/04/2026"], ["2026-02-01", "2026-04-03"], True),
        (["01/02/2026", "03/14/2026"], ["2026-01-02", "2026-03-14"], False),
        (["05.03.26", "31.12.25"], ["2026-03-05", "2025-12-31"], False),
    ],
)
def test_dates_come_with_sql_that_reads_every_form(texts: list[str], dates: list[str], either: bool) -> None:
    hint = cast_hint("d", texts) or ""
    assert ("both fit" in hint) == either
    read = duckdb.execute(f"SELECT {hint.partition('use ')[2]} FROM (SELECT unnest(?) AS d)", [texts]).fetchall()
    assert [str(value) for (value,) in read] == dates


def test_text_that_is_no_number_gets_no_hint() -> None:
    assert cast_hint("version", ["1.2.30", "1.10.12"]) is None
    assert cast_hint("zip", ["01234", "02345"]) is None
    assert cast_hint("address", ["10.0.0.1", "10.0.0.2"]) is None
    assert cast_hint("name", ["North", "12"]) is None
    assert cast_hint("name", []) is None
    assert "more than one notation" in (cast_hint("n", ["1.234,5", "1,234.5"]) or "")
    assert "'%d %b %Y'" in (cast_hint("d", ["05 Jan 2024", "7 Feb 2024"]) or "")
    assert "such as 'n/a'" in (cast_hint("n", ["$1", "$2", "$3", "$4", "n/a"]) or "")


def test_a_sum_over_text_says_how_to_cast_it(room: Room) -> None:
    room.put("t.csv", "region;amount\nN;1.234,50\nS;2,5\nW;<5\nE;1\nE;1\n")
    told = str(room.refusal(data_query, sql=TOTALS.format("region", "amount"), files={"t": "t.csv"}))
    assert '"amount" holds numbers as text' in told and "TRY_CAST" in told
    expression = told.partition("use ")[2].partition(" (NULL for others")[0]
    assert rows(room, f"SELECT sum({expression}) FROM t", files={"t": "t.csv"}) == [[1239.0]]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_header_of_several_lines_is_one_row(room: Room, end: str, encoding: str) -> None:
    lines = ['"re\ngion","amt"', *(f'"N\n""x"" {at % 2}",{at}.5' for at in range(6))]
    room.put("t.csv", (end.join(lines) + end).encode(encoding))
    assert rows(room, """SELECT "re\ngion", sum(amt) FROM 't.csv' GROUP BY 1 ORDER BY 1""") == [
        ['N\n"x" 0', 7.5],
        ['N\n"x" 1', 10.5],
    ]


@pytest.mark.parametrize(
    ("above", "skipped"),
    [
        ("Quarterly report,,\n", 1),
        ("Quarterly report,,\nas of 2026-01-01,,\n\n", 3),
        ("Quarterly report\n\n", 2),
        ('"Quarterly\nreport",,\n', 2),
        ("", 0),
    ],
)
def test_a_table_below_a_title_is_read_from_its_header_on(room: Room, above: str, skipped: int) -> None:
    room.put("t.csv", f"{above}region,2024,2025\nN,1,2.5\nS,3,4\n")
    profile = room.call(data_profile, path="t.csv")
    assert [(one["name"], one["type"]) for one in profile["columns"]] == [
        ("region", "VARCHAR"),
        ("2024", "BIGINT"),
        ("2025", "DOUBLE"),
    ]
    assert profile.get("notes", []) == ([f"'t.csv': {skipped} lines above the table were skipped"] if skipped else [])


@pytest.mark.parametrize(
    "text", [",price\nA,1\nB,2\n", "Ann,1950,2010\nBob,1960,2011\n", "a,,\nx,y,z\nu,v,w\n", "a,b,c\n1,2,3\n4,5,6\n"]
)
def test_a_first_line_that_may_be_the_header_is_one(room: Room, text: str) -> None:
    room.put("t.csv", text)
    assert room.call(data_profile, path="t.csv")["row_count"] == 2


def test_what_excel_says_of_its_separator_is_no_header(room: Room) -> None:
    room.put("t.csv", "sep=;\na;b\n1;2,5\n3;4\n")
    assert rows(room, "SELECT sum(a), sum(b) FROM 't.csv'") == [[4, 6.5]]


def test_a_sheet_below_a_title_is_read_from_its_header_on(room: Room, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Sales of the year"], [], ["Region", "Amount", "When"], ["N", 2.5, date(2026, 1, 1)], ["S", 4, None]):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "b.xlsx")
    room.put("b.xlsx", (tmp_path / "b.xlsx").read_bytes())
    profile = room.call(data_profile, path="b.xlsx")
    assert [one["type"] for one in profile["columns"]] == ["VARCHAR", "DOUBLE", "DATE"]
    assert "above the table" in profile["notes"][0]


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.tool("data_query", "failure")
def test_a_wrong_query_is_told_with_what_there_is(room: Room) -> None:
    room.put("sales.csv", SALES)
    told = room.refusal(data_query, sql="SELECT amont FROM 'sales.csv'")
    assert told.kind == "invalid" and not told.retryable
    assert 'Known columns of "sales.csv": "region" VARCHAR, "amount" DOUBLE, "sold on" DATE' in str(told)
    assert str(room.files.root) not in str(told) and HIDDEN not in str(told)
    assert "syntax error" in str(room.refusal(data_query, sql="SELEC 1"))
    assert room.refusal(data_query, sql="  ").kind == "invalid"
    missing = room.refusal(data_query, sql="SELECT * FROM 'nope.csv'")
    assert missing.kind == "not_found" and "there are 'sales.csv'" in str(missing)
    assert "quote it" in str(room.refusal(data_query, sql="SELECT * FROM sales.csv"))
    assert room.refusal(data_query, sql="SELECT 1", files={" ": "sales.csv"}).kind == "invalid"


@pytest.mark.tool("data_query", "failure")
def test_a_query_without_end_is_interrupted_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    threads = threading.active_count()
    endless = {"sql": "SELECT count(*) FROM range(10_000_000_000) a, range(10_000_000_000) b WHERE a.range % 7 = b.range % 11"}
    facts = bench.facts_of("data_query", endless, timeout=timedelta(seconds=0.3))
    assert [fact.error for fact in facts if isinstance(fact, CallAnswered)] == ["timeout"]
    assert threading.active_count() <= threads + 1 and bench.half_made() == []  # one of the loop's own, idle
    bench.close()


@pytest.mark.tool("data_query", "failure")
def test_a_table_of_many_columns_is_profiled_in_the_memory_there_is(room: Room) -> None:
    lines = [",".join(f"c{at}" for at in range(300)), *(",".join(str(row * at) for at in range(300)) for row in range(40))]
    room.put("wide.csv", "\n".join(lines))
    profile = room.call(data_profile, path="wide.csv")
    assert (profile["column_count"], profile["row_count"]) == (300, 40)
    assert [one["max"] for one in profile["columns"]] == [39 * at for at in range(300)]
    assert all(one["distinct"] == (40 if at else 1) for at, one in enumerate(profile["columns"]))
    shown, cut = capped(profile, "call_1", room.files)
    assert cut and all(f" c{at} BIGINT" in shown["head"] for at in range(1, 300))


def test_a_query_that_needs_too_much_memory_is_stopped(room: Room) -> None:
    assert room.refusal(data_query, sql="SELECT list(range) FROM range(300_000_000)").kind == "too_large"


ESCAPES = {
    "COPY outside": "COPY (SELECT 1) TO '{outside}/stolen.csv'",
    "ATTACH": "ATTACH '{outside}/x.db'",
    "INSTALL": "INSTALL httpfs",
    "LOAD": "LOAD httpfs",
    "SET": "SET memory_limit = '9GB'",
    "http": "SELECT * FROM 'https://example.com/x.csv'",
    "read_csv outside": "SELECT * FROM read_csv('/etc/passwd')",
    "a path that goes up": "SELECT * FROM read_text('../secret.csv')",
    "a link": "SELECT * FROM 'link.csv'",
    "a link given to a function": "SELECT * FROM read_csv('link.csv')",
    "a folder that is a link": "SELECT * FROM read_csv('linked/secret.csv')",
    "a list of files": "SELECT * FROM read_csv(['{outside}/secret.csv'])",
    "a listing": "SELECT * FROM glob('{outside}/*')",
    "the environment": "SELECT * FROM read_blob('/proc/self/environ')",
    "the engine's own files": "SELECT * FROM read_text('.auteryn/done/x')",
    "EXPORT": "EXPORT DATABASE '{outside}/all'",
    "PRAGMA": "PRAGMA database_list",
    "a second statement": "SELECT 1; COPY (SELECT 1) TO '{outside}/stolen.csv'",
    "inside a table": "CREATE TABLE x AS FROM read_text('{outside}/secret.csv'); SELECT * FROM x",
}


@pytest.mark.tool("data_query", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize("name", ESCAPES)
def test_sql_gets_out_by_no_way(room: Room, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("a\nsecret\n")
    (room.files.root / "link.csv").symlink_to(outside / "secret.csv")
    (room.files.root / "linked").symlink_to(outside)
    told = room.refusal(data_query, sql=ESCAPES[name].format(outside=outside))
    assert told.kind in ("denied", "not_found"), str(told)
    assert [file.name for file in outside.iterdir()] == ["secret.csv"]


@pytest.mark.proves("L14")
@pytest.mark.parametrize("name", ESCAPES)
def test_the_inner_wall_stands_without_the_outer_one(
    room: Room, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB itself refuses what our reading of the statements refuses first."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("a\nsecret\n")
    (room.files.root / "link.csv").symlink_to(outside / "secret.csv")
    monkeypatch.chdir(room.files.root)
    room.put("own.csv", "a\n1\n")
    with opened(room.files, Leash(), aliases={"t": "own.csv"}) as (tables, _):
        assert tables.one("SELECT sum(a) FROM t") == (1,)
        if name == "PRAGMA":
            return  # it tells of the one database there is, in memory
        connection = tables._connection
        with pytest.raises(duckdb.Error):
            for statement in ESCAPES[name].format(outside=outside).split(";"):
                connection.execute(statement)
    assert [file.name for file in outside.iterdir()] == ["secret.csv"]


@pytest.mark.proves("L14")
def test_python_variables_are_no_tables(room: Room) -> None:
    room.put("own.csv", "a\n1\n")
    assert room.refusal(data_query, sql="SELECT * FROM room").kind == "invalid"
    assert room.refusal(data_query, sql="SELECT 1", files={"t": "/etc/passwd"}).kind in ("unsupported", "denied")
    assert room.refusal(data_query, sql="SELECT 1", files={"t": "../secret.csv"}).kind == "denied"


def test_only_a_file_that_is_there_is_put_in_place_of_its_name() -> None:
    sql = "SELECT 'a.csv', f('a.csv') FROM read_csv('a.csv', delim = ('b.csv')), 'a.csv' x, read_csv('no.csv') /* 'b.csv' */"
    named, rewritten = files_in(sql, lambda name: name in ("a.csv", "b.csv"), lambda name: f"/real/{name}")
    assert named == ["a.csv"]
    assert rewritten == sql.replace("read_csv('a.csv', delim = ('b.csv'))", "read_csv('/real/a.csv', delim = ('/real/b.csv'))")


# ---- time ----------------------------------------------------------------------------------------------------

ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c WHERE a.range + b.range + c.range = 7"


@pytest.mark.tool("data_query", "failure")
def test_an_endless_query_ends_with_its_call(room: Room) -> None:
    async def cancel_it() -> bool:
        assert room.context is not None
        call = asyncio.create_task(data_query.fn(room.context, sql=ENDLESS, save_as="never.csv"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return call.cancelled()

    room.call(data_query, sql="SELECT 1")
    assert asyncio.run(cancel_it())
    assert not room.files.exists("never.csv") and not list((room.files.own / "tmp").iterdir())


def test_work_in_a_thread_has_ended_when_the_cancelled_call_returns() -> None:
    ended = list[str]()

    def work(leash: Leash) -> None:
        started.set()
        try:
            while True:
                leash.check()
        except Stopped:
            ended.append("stopped")
            raise

    async def cancel_it() -> None:
        call = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(started.wait)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    import threading

    started = threading.Event()
    asyncio.run(cancel_it())
    assert ended == ["stopped"]


def test_a_result_for_another_tool_is_whole_or_refused(room: Room) -> None:
    assert whole_result(room.files, "SELECT 1 AS a", Leash(), most_rows=1).rows == [(1,)]
    with pytest.raises(ToolFailed) as failed:
        whole_result(room.files, "SELECT range, 1 FROM range(10)", Leash(), most_rows=9, most_cells=8)
    assert failed.value.kind == "too_large" and "10 rows are more than 4" in str(failed.value)


def test_a_csv_too_large_to_be_read_twice_is_still_read_with_its_quotes(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "WHOLE_BYTES", 10)
    room.put("t.csv", "a,b\n" + "1,x\n" * 300_000 + '2,"y, z"\n')
    assert rows(room, "SELECT b FROM 't.csv' WHERE a = 2") == [["y, z"]]


def test_without_its_library_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    registry = Registry([data_profile, data_query])
    assert len(registry) == 0 and all("pip install 'auteryn[data]'" in why for why in registry.hidden.values())
    with pytest.raises(ToolFailed, match="auteryn"):
        registry.get("data_query")


def test_looking_has_no_effect_and_saving_may_be_repeated() -> None:
    assert (data_profile.effect, data_query.effect) == ("read", "idempotent")
    assert data_query.serial and data_query.serial({"sql": "", "save_as": "x.csv"}) == "x.csv" and data_query.serial({}) is None
