"""Tables as other people's programs write them: what comes out is what was meant, or it is said what was made of it."""

from __future__ import annotations

import gzip
import io
import random
import re
from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any

import openpyxl
import pytest

from auteryn.tools.data import PROFILED, data_profile, data_query
from auteryn.tools.sheet import sheet_create, sheet_read
from auteryn.tools.tables import csv_files
from auteryn.tools.tables.casts import cast_hint
from auteryn.tools.tables.encodings import guessed
from unit.tools.languages import WESTERN, WORDS
from unit.tools.room import Room


def rows(room: Room, sql: str, **given: Any) -> list[list[Any]]:
    return room.call(data_query, sql=sql, **given)["rows"]


def column(profile: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in profile["columns"] if one["name"] == name)


# ---- numbers -------------------------------------------------------------------------------------------------


def test_points_group_thousands_where_another_column_has_decimal_commas(room: Room) -> None:
    room.put("t.csv", "Artikel;Preis;Menge;Dichte\nA;0,05;1.000;1.5\nB;1.234,99;25;2.25\nC;9,50;-12.500;3\n")
    answer = room.call(data_query, sql="SELECT sum(Menge), sum(Dichte) FROM t", files={"t": "t.csv"})
    assert answer["rows"] == [[-11_475, 6.75]]
    assert answer["notes"] == ["'t.csv': points were read as marks of thousands, as commas are decimal marks: Menge"]


def test_a_decimal_point_far_below_thousands_is_still_one(room: Room) -> None:
    room.put("t.csv", "Preis;Menge\n" + "0,05;1.000\n" * 2_000 + "0,05;1.5\n")
    assert rows(room, "SELECT sum(Menge) FROM 't.csv'") == [[2_000_001.5]]


def test_points_stay_decimal_marks_where_nothing_speaks_against_it(room: Room) -> None:
    room.put("t.csv", "id;weight;note\n1;1.250;a\n2;0.375;b, c\n")
    assert rows(room, "SELECT sum(weight) FROM 't.csv'") == [[1.625]]


def test_commas_that_may_group_thousands_make_no_decimals(room: Room) -> None:
    room.put("t.tsv", "id\tamount\n1\t1,234\n2\t999\n3\t12,345\n")
    hint = column(room.call(data_profile, path="t.tsv"), "amount")["hint"]
    assert rows(room, f"SELECT sum({hint.partition('use ')[2]}) FROM 't.tsv'") == [[14_578]]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["١٢٣", "٤٥٦٫٥"], [123.0, 456.5]),
        (["１２３４", "５６"], [1234.0, 56.0]),
        (["−5", "7"], [-5.0, 7.0]),
        (["$ (700,000.00)", "$1,200.50", "$ -"], [-700_000.0, 1200.5, None]),
        (["1’234.50", "12’000.00"], [1234.5, 12_000.0]),
        (["R$ 1.234,50", "R$ 5,00"], [1234.5, 5.0]),
        (["1 234,50 zł", "99,90 zł"], [1234.5, 99.9]),
        (["Rs. 1,23,456.00", "Rs. 5"], [123_456.0, 5.0]),
        (["12.5", "N/A", "-", "n/a", "NULL", "7"], [12.5, None, None, None, None, 7.0]),
    ],
)
def test_numbers_of_other_countries_come_with_sql_that_reads_them(
    room: Room, texts: list[str], numbers: list[float | None]
) -> None:
    room.put("t.csv", "id;the amount\n" + "".join(f"{at};{text}\n" for at, text in enumerate(texts)))
    hint = column(room.call(data_profile, path="t.csv"), "the amount")["hint"]
    expression = hint.partition("use ")[2].partition(" (NULL for others")[0]
    assert [value for (value,) in rows(room, f"SELECT {expression} FROM 't.csv' ORDER BY id")] == numbers


def test_amounts_in_several_currencies_are_said_to_be_so() -> None:
    assert "in several currencies ($, CHF, €: " in (cast_hint("total", ["€12.50", "$8.00", "CHF 100.00"]) or "")
    assert "currenc" not in (cast_hint("total", ["€12.50", "€8.00"]) or "")


def test_a_column_of_amounts_and_shares_is_said_to_be_one() -> None:
    assert "and of percent ('33%' becomes 33)" in (cast_hint("2026", ["1,200", "(800)", "33%"]) or "")
    assert "percent" not in (cast_hint("rate", ["10%", "12%"]) or "")


@pytest.mark.parametrize("other", ["north", "North ", "NORTH"])
def test_values_that_are_the_same_but_for_their_spelling_are_told(room: Room, other: str) -> None:
    room.put("t.csv", f"region,n\nNorth,1\n{other},2\nSouth,4\n")
    hint = column(room.call(data_profile, path="t.csv"), "region")["hint"]
    assert f"'North' and {other!r} differ" in hint
    key = hint.partition("group by ")[2].partition(" if")[0]
    assert rows(room, f"SELECT {key}, sum(n) FROM 't.csv' GROUP BY 1 ORDER BY 1") == [["north", 3], ["south", 4]]
    assert "hint" not in column(room.call(data_profile, path="t.csv"), "n")


@pytest.mark.proves("P45")
@pytest.mark.parametrize(
    ("texts", "total", "shown"),
    [
        (["$1,234.50", "($200.25)", "$0.00", "-"], 1034.25, "'$1,234.50' as 1234.5; 1 are none, such as '-'"),
        (["1.234,50 €", "-2,75 €"], 1231.75, "'1.234,50 €' as 1234.5"),
        (["12.5%", "-3%"], 0.095, "'12.5%' as 0.125"),
        (["5", "N/A", "7", "null"], 12, "2 are none, such as 'N/A'"),
        (["0,375", "1,250", "n/a"], 1.625, "'0,375' as 0.375"),
    ],
)
def test_text_that_is_all_numbers_is_counted_with(room: Room, texts: list[str], total: float, shown: str) -> None:
    """A sum over text fails in SQL; what the advised cast would give is given, and it is said what was made of what."""
    room.put("t.tsv", "label\tamount\n" + "".join(f"x%\t{text}\n" for text in texts))
    for asked in ("sum(amount)", "sum(CASE WHEN amount > -1e9 THEN amount END)"):
        answer = room.call(data_query, sql=f"SELECT label, {asked} FROM 't.tsv' GROUP BY 1")
        assert answer["rows"] == [["x%", pytest.approx(total)]] and shown in answer["notes"][-1]
    saved = room.call(data_query, sql="SELECT sum(amount) AS s FROM 't.tsv'", save_as="s.csv")
    assert saved["rows"] == [[pytest.approx(total)]] and shown in saved["notes"][-1]


@pytest.mark.parametrize("texts", [["$1", "€2"], ["10%", "3"], ["01234", "02345"], ["1.234,5", "1,234.5"], ["1", "<5", "2"]])
def test_text_that_may_mean_something_else_is_not_counted_with(room: Room, texts: list[str]) -> None:
    room.put("t.tsv", "label\tamount\n" + "".join(f"x\t{text}\n" for text in texts))
    assert "sum(VARCHAR)" in str(room.refusal(data_query, sql="SELECT sum(amount) FROM 't.tsv'"))


def test_only_the_columns_that_are_counted_with_become_numbers(room: Room) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet
    for row in (["share", "amount", "cost"], ["10%", "$1,000.50", "(5)"], ["20%", "$2.00", "7"]):
        sheet.append(row)
    body = io.BytesIO()
    book.save(body)
    room.put("t.xlsx", body.getvalue())
    answer = room.call(data_query, sql="SELECT share, sum(amount) FROM 't.xlsx' GROUP BY 1 ORDER BY 1")
    assert answer["rows"] == [["10%", 1000.5], ["20%", 2.0]]
    assert rows(room, "SELECT sum(amount) - sum(cost) FROM 't.xlsx'") == [[1000.5]]
    advised = column(room.call(data_profile, path="t.xlsx"), "amount")["hint"].partition("use ")[2]
    assert rows(room, f"SELECT sum({advised}), sum(cost) FROM 't.xlsx'") == [[1002.5, 2.0]]
    made = {"name": "S", "source": "SELECT share, sum(amount) AS total FROM 't.xlsx' GROUP BY 1"}
    assert "'$1,000.50' as 1000.5" in room.call(sheet_create, path="s.xlsx", sheets=[made])["warnings"][0]


# ---- dates ---------------------------------------------------------------------------------------------------


def test_dates_that_may_be_read_in_two_ways_are_read_in_the_other_as_it_is_told(room: Room) -> None:
    room.put("t.csv", "id,day\n1,01/02/2024\n2,03/04/2024\n")
    told = room.call(data_query, sql="SELECT day FROM 't.csv'")
    assert told["rows"][0] == ["2024-02-01"]
    source = told["notes"][0].partition("with FROM ")[2]
    assert rows(room, f"SELECT day FROM {source}") == [["2024-01-02"], ["2024-03-04"]]
    room.put("t.csv", "id,day\n1,01/02/2024\n2,14/04/2024\n")
    assert room.call(data_query, sql="SELECT day FROM 't.csv'")["notes"] == ["'t.csv': dates were read as %d/%m/%Y"]


@pytest.mark.parametrize("text", ["05-Jan-26", "Jan 5 2026"])
def test_days_with_a_month_in_letters_come_with_sql_that_reads_them(room: Room, text: str) -> None:
    room.put("t.csv", f"day;n\n{text};1\n")
    hint = column(room.call(data_profile, path="t.csv"), "day")["hint"]
    assert rows(room, f"SELECT {hint.partition('use ')[2]} FROM 't.csv'") == [["2026-01-05"]]


@pytest.mark.parametrize("texts", [["2026-01", "2026-02"], ["Jan 2026", "Feb 2026"], ["Jan-26", "Feb-26"]])
def test_months_come_with_sql_that_reads_them(room: Room, texts: list[str]) -> None:
    room.put("t.csv", "month,n\n" + "".join(f"{text},1\n" for text in texts))
    hint = column(room.call(data_profile, path="t.csv"), "month")["hint"]
    assert rows(room, f"SELECT {hint.partition('use ')[2]} FROM 't.csv'") == [["2026-01-01"], ["2026-02-01"]]


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["31.12.2024 14:05", "01.02.2024 08:00"], "2024-12-31T14:05:00"),
        (["12/31/2024 2:05 PM", "1/2/2024 11:00 AM"], "2024-12-31T14:05:00"),
        (["31 Dec 2024, 14:05", "1 Feb 2024, 08:00"], "2024-12-31T14:05:00"),
    ],
)
def test_times_as_text_come_with_sql_that_reads_them(room: Room, texts: list[str], first: str) -> None:
    room.put("t.csv", "id;at\n" + "".join(f"{at};{text}\n" for at, text in enumerate(texts)))
    hint = column(room.call(data_profile, path="t.csv"), "at")["hint"]
    assert rows(room, f"SELECT {hint.partition('use ')[2]} FROM 't.csv' ORDER BY id")[0] == [first]


@pytest.mark.parametrize("first", ["13/01/2026", "2026-01-13", "13.01.2026"])
def test_a_column_of_dates_in_two_notations_is_text_and_takes_no_other_column_along(room: Room, first: str) -> None:
    other = "01.15.2026" if "." in first else "01/15/2026"
    room.put("t.csv", f"day,amount,due\n{first},10,2026-01-05\n{other},20,2026-02-06\n")
    profile = room.call(data_profile, path="t.csv")
    assert [one["type"] for one in profile["columns"]][:2] == ["VARCHAR", "BIGINT"]
    assert "not all rows are read alike" in profile["notes"][0] and profile["notes"][0].endswith(": day")
    assert rows(room, "SELECT sum(amount), min(due)::DATE FROM 't.csv'") == [[30, "2026-01-05"]]
    if "." not in first:
        hint = column(profile, "day")["hint"].partition("use ")[2]
        assert rows(room, f"SELECT {hint} FROM 't.csv' ORDER BY amount") == [["2026-01-13"], ["2026-01-15"]]


# ---- rows and columns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "\n,,\n"])
def test_a_last_row_that_is_the_total_is_told(room: Room, end: str) -> None:
    table = "region,units,revenue\nNorth,10,100.5\nSouth,20,200.25\nWest,30,300\n"
    room.put("t.csv", f"{table}{end}Total,60,600.75\n")
    assert "the last row is the total of the others (units, revenue)" in room.call(data_profile, path="t.csv")["notes"][0]
    room.put("t.csv", f"{table}East,60,60.5\n")
    assert "notes" not in room.call(data_profile, path="t.csv")


def test_the_last_row_is_shown(room: Room) -> None:
    room.put("t.csv", "a,b\n" + "".join(f"{at},x\n" for at in range(9)) + ",Source: us\n")
    assert room.call(data_profile, path="t.csv")["last_row"] == [None, "Source: us"]


def test_comments_around_a_table_are_no_part_of_it(room: Room) -> None:
    room.put("t.csv", "# exported 2024-01-01\n# by a tool\nid,amount\n1,5\n2,6\n# end\n")
    assert rows(room, "SELECT id, amount FROM 't.csv'") == [[1, 5], [2, 6]]


def test_a_quoted_name_behind_a_byte_order_mark_is_one(room: Room) -> None:
    room.put("t.csv", '"n, m","amount"\n"a","1.5"\n"\\b\\","2"\n'.encode("utf-8-sig"))
    answer = room.call(data_query, sql="""SELECT "n, m", amount FROM 't.csv'""")
    assert answer["rows"] == [["a", 1.5], ["\\b\\", 2]]
    assert "notes" not in answer


def test_lines_that_end_in_two_ways_are_lines(room: Room) -> None:
    room.put("t.csv", 'a,b\r\n1,"x\ny"\n3,z\r\n')
    assert rows(room, "SELECT a, b FROM 't.csv'") == [[1, "x\ny"], [3, "z"]]


def test_of_ten_thousand_columns_each_can_be_asked_and_the_first_are_described(room: Room) -> None:
    width = 10_000
    lines = [",".join(f"c{at}" for at in range(width)), *(",".join(str(row * at) for at in range(width)) for row in (1, 2))]
    room.put("wide.csv", "\n".join(lines))
    assert rows(room, "SELECT sum(c9999) FROM 'wide.csv'") == [[3 * 9_999]]
    profile = room.call(data_profile, path="wide.csv")
    assert (profile["column_count"], [one["max"] for one in profile["columns"]]) == (width, [2 * at for at in range(PROFILED)])
    assert f"the first {PROFILED} of 10,000 columns" in profile["notes"][0]


def test_objects_in_columns_come_with_the_way_to_their_fields(room: Room) -> None:
    room.put("page.json", '{"meta": {"page": 1}, "data": [{"id": 1, "amount": 2.5}, {"id": 2, "amount": 4}]}')
    profile = room.call(data_profile, path="page.json")
    ask = column(profile, "data")["hint"].partition("with ")[2].replace("…", "'page.json'")
    assert rows(room, f"SELECT sum(amount) FROM ({ask})") == [[6.5]]
    room.put("log.csv", 'id,what\n1,"{""who"": ""Ann""}"\n')
    inner = column(room.call(data_profile, path="log.csv"), "what")["hint"].partition("is ")[2].replace(".name", ".who")
    assert rows(room, f"SELECT {inner} FROM 'log.csv'") == [["Ann"]]
    field = column(profile, "meta")["hint"].partition("are ")[2].replace(".name", ".page")
    assert rows(room, f"SELECT {field} FROM 'page.json'") == [[1]]


# ---- bytes ---------------------------------------------------------------------------------------------------

CITIES = {
    "cp932": "東京 大阪 名古屋 札幌 福岡 りんご みかん バナナ",
    "euc_jis_2004": "東京 大阪 名古屋 札幌 福岡 りんご みかん バナナ",
    "gb18030": "北京 上海 广州 深圳 成都 重庆 销售额 城市",
    "big5hkscs": "台北 高雄 台中 新竹 銷售額 城市 產品 數量",
    "cp949": "서울 부산 대구 인천 광주 대전 매출 도시",
    "cp1251": "Москва Казань Новосибирск Екатеринбург Самара Омск",
    "cp1253": "Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα Βόλος",
    "cp1255": "ירושלים חיפה אשדוד נתניה",
    "cp1256": "القاهرة دبي الرياض جدة عمان بيروت",
    "cp1252": "München Köln Düsseldorf Évreux Besançon Málaga A€ m² Größe",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", CITIES)
def test_text_in_an_older_encoding_is_read_and_that_is_told(room: Room, encoding: str, packed: bool) -> None:
    cities = CITIES[encoding].split()
    body = "".join(f"{city},{at}.5\n" for at, city in enumerate(["city,n", *cities]))[:-1].replace("city,n,0.5", "city,n", 1)
    raw = body.encode(encoding)
    path = "t.csv.gz" if packed else "t.csv"
    room.put(path, gzip.compress(raw) if packed else raw)
    answer = room.call(data_query, sql=f"SELECT city FROM '{path}' ORDER BY n")
    assert [city for (city,) in answer["rows"]] == cities
    assert answer["notes"] == [f"'{path}' is not UTF-8; it was read as {encoding}, so check the letters beyond ASCII"]


def tables_of(language: str, words: Sequence[str]) -> dict[str, str]:
    dice = random.Random(language)
    lines = [f"{dice.choice(words)} {dice.choice(words)};{at},50;2024-01-{at % 28 + 1:02}\n" for at in range(1_000)]
    english = [f"{at};{dice.choice(words)};{dice.choice(('paid', 'open', 'shipped'))};Smith\n" for at in range(30)]
    return {"short": "".join(lines[:40]), "long": "".join(lines), "half English": "id;city;state;by\n" + "".join(english)}


@pytest.mark.parametrize("language", WORDS)
def test_a_table_in_any_language_is_read_in_the_encoding_it_was_written_in(language: str) -> None:
    for encoding in language.split()[1:]:
        for size, table in tables_of(language, WORDS[language]).items():
            raw = table.encode(encoding)
            assert raw.decode(guessed(raw.splitlines(keepends=True)), "replace") == table, (encoding, size)


@pytest.mark.parametrize("table", WESTERN, ids=lambda table: table.split("\n")[0])
def test_what_is_of_no_one_language_is_western(table: str) -> None:
    assert guessed(table.encode("cp1252").splitlines(keepends=True)) == "cp1252"


def test_few_letters_are_western_ones() -> None:
    for text in ("Größe (m²);Preis in €", "à;é", "ÜÖÄ,ÄÖ", "°C"):
        assert guessed([text.encode("cp1252")]) == "cp1252", text


def test_one_line_in_another_encoding_spoils_no_other(room: Room) -> None:
    room.put("t.csv", "city,n\nMünchen,1\n".encode() + "Köln,2\n".encode("cp1252") + "Łódź,3\n".encode())
    answer = room.call(data_query, sql="SELECT city FROM 't.csv' ORDER BY n")
    assert answer["rows"] == [["München"], ["Köln"], ["Łódź"]]
    assert answer["notes"] == ["'t.csv' is UTF-8 but for some signs, which were read as cp1252"]


def test_a_torn_archive_is_refused(room: Room) -> None:
    room.put("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 1_000)[:40])
    assert "cannot be read" in str(room.refusal(data_query, sql="SELECT * FROM 't.csv.gz'"))


# ---- workbooks -----------------------------------------------------------------------------------------------


def book_of(*lines: list[Any], merged: tuple[str, ...] = ()) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for line in lines:
        book.worksheets[0].append(line)
    for area in merged:
        book.worksheets[0].merge_cells(area)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_names_in_merged_cells_are_in_the_names_of_all_columns_below(room: Room) -> None:
    lines = [
        ["Sales 2024"],
        [],
        ["Region", "Q1", None, "Q2", None],
        [None, "Units", "Revenue", "Units", "Revenue"],
        ["North", 1, 10.5, 2, 20.5],
        ["South", 3, 30.5, 4, 40.5],
    ]
    room.put("b.xlsx", saved(book_of(*lines, merged=("A1:E1", "A3:A4", "B3:C3", "D3:E3"))))
    assert rows(room, """SELECT "Region", "Q1 Units" + "Q2 Units", "Q2 Revenue" FROM 'b.xlsx'""") == [
        ["North", 3, 20.5],
        ["South", 7, 40.5],
    ]


def test_a_merged_cell_counts_for_all_rows_it_covers(room: Room) -> None:
    lines = [["Region", "City", "Sales"], ["North", "A", 1], [None, "B", 2], ["South", "C", 4]]
    room.put("b.xlsx", saved(book_of(*lines, merged=("A2:A3",))))
    answer = room.call(data_query, sql="SELECT Region, sum(Sales) FROM 'b.xlsx' GROUP BY 1 ORDER BY 1")
    assert answer["rows"] == [["North", 3], ["South", 4]]
    assert answer["notes"] == ["'b.xlsx': merged cells count for each cell they cover"]


def test_the_first_sheet_that_is_seen_and_has_cells_is_read(room: Room) -> None:
    book = book_of(["key", "value"], ["v", 1])
    book.worksheets[0].sheet_state = "hidden"
    book.create_sheet("Notes")
    book.create_sheet("Data").append(["a", "b"])
    book["Data"].append([1, 2])
    book.active = 2
    room.put("b.xlsx", saved(book))
    answer = room.call(data_query, sql="SELECT a, b FROM 'b.xlsx'")
    assert answer["rows"] == [[1, 2]]
    assert "read is its sheet 'Data'" in answer["notes"][0]
    assert room.call(sheet_read, path="b.xlsx")["sheet"] == "Data"


def test_formulas_that_nobody_computed_have_values(room: Room) -> None:
    lines = [["item", "n", "price", "total"], ["a", 2, 1.5, "=B2*C2"], ["b", 3, 2, "=B3*C3"], ["c", 0, 1, "=C4/B4"]]
    room.put("b.xlsx", saved(book_of(*lines)))
    answer = room.call(data_query, sql="SELECT total FROM 'b.xlsx'")
    assert answer["rows"] == [[3], [6], [None]]
    assert answer["notes"] == ["'b.xlsx': 2 formulas were stored without values, and were computed"]
    assert room.call(sheet_read, path="b.xlsx", range="D2:D3")["rows"] == [[3], [6]]


def test_a_second_table_below_is_told_and_read_alone(room: Room) -> None:
    lines = [["region", "sales"], ["N", 1], ["S", 2], [], ["product", "units", "price"], ["p", 10, 2.5], ["q", 20, 3.5]]
    room.put("b.xlsx", saved(book_of(*lines)))
    note = room.call(data_profile, path="b.xlsx")["notes"][0]
    part = note.partition(": '")[2].partition("'")[0]
    assert part == "b.xlsx#Sheet!A5:C7"
    assert rows(room, f"SELECT sum(units * price) FROM '{part}'") == [[95]]
    assert rows(room, "SELECT sum(sales) FROM 'b.xlsx#A1:B3'") == [[3]]


def test_columns_without_name_and_cells_are_none_and_times_can_be_added_up(room: Room) -> None:
    lines = [[], [None, "who", None, "from", "took"], [None, "a", None, time(9, 30), timedelta(hours=20)]]
    room.put("b.xlsx", saved(book_of(*lines, [None, "b", None, time(10), timedelta(hours=30)])))
    profile = room.call(data_profile, path="b.xlsx")
    assert [(one["name"], one["type"]) for one in profile["columns"]] == [
        ("who", "VARCHAR"),
        ("from", "TIME"),
        ("took", "INTERVAL"),
    ]
    seconds = column(profile, "took")["hint"].partition(": ")[2].partition(" is")[0]
    assert rows(room, f"SELECT {seconds} / 3600, min(\"from\") FROM 'b.xlsx'") == [[50, "09:30:00"]]


def test_a_file_is_what_it_holds_and_not_what_it_is_called(room: Room) -> None:
    room.put("export.xls", "Stadt\tUmsatz\nKöln\t1.5\n".encode("cp1252"))
    answer = room.call(data_query, sql="SELECT Stadt, Umsatz FROM 'export.xls'")
    assert answer["rows"] == [["Köln", 1.5]]
    assert "'export.xls' is text, no workbook: it was read as csv" in answer["notes"]
    room.put("book.csv", saved(book_of(["a", "b"], [1, 2])))
    assert rows(room, "SELECT a, b FROM 'book.csv'") == [[1, 2]]
    room.put("page.xls", "<html><table><tr><td>a</td></tr></table></html>")
    assert "is a web page" in str(room.refusal(data_profile, path="page.xls"))
    assert "data_query reads text" in str(room.refusal(sheet_read, path="export.xls"))
    room.put("pack.zip", b"PK")
    assert "the tool archive" in str(room.refusal(data_profile, path="pack.zip"))


# ---- what a model gets wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM sales", "A file is a table by its name in quotes: FROM 'sales.csv'"),
        ("SELECT [region] FROM [sales.csv]", "Table files here: 'sales.csv'"),
        ("SELECT * FROM 'sales.csv' WHERE region = \"North\"", "Text is in single quotes: 'North'"),
        ("SELECT amout FROM 'sales.csv'", 'Known columns of "sales.csv": "region" VARCHAR, "amount" BIGINT'),
    ],
)
def test_a_refused_query_says_what_to_write(room: Room, sql: str, told: str) -> None:
    room.put("sales.csv", "region,amount\nNorth,1\n")
    complaint = str(room.refusal(data_query, sql=sql))
    assert told in complaint
    assert "sqlite_master" not in complaint


def test_sql_in_markdown_is_sql(room: Room) -> None:
    room.put("sales.csv", "region,amount\nNorth,1\n")
    assert rows(room, "```sql\nSELECT amount FROM 'sales.csv'\n```") == [[1]]
    assert rows(room, "SELECT '```' AS fence, amount FROM 'sales.csv'") == [["```", 1]]


def test_a_file_by_another_name_is_told_by_its_own(room: Room) -> None:
    room.put("data/Sales 2026.csv", "region,amount\nNorth,1\n")
    for path in ("sales 2026.csv", "data/Sales2026.csv", "data/Sales 2026"):
        assert "there is 'data/Sales 2026.csv'" in str(room.refusal(data_profile, path=path)), path
    assert "file_find shows" in str(room.refusal(data_profile, path="weather.csv"))


# ---- what stands far below -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "total", "kind"),
    [("1.5", 300_001.5, "DOUBLE"), ("n/a", 300_000, "VARCHAR"), ("2,000", 300_000, "VARCHAR"), ("-7", 299_993, "BIGINT")],
)
def test_a_row_beyond_those_the_sniffer_sees_is_read_as_it_is_written(
    room: Room, monkeypatch: pytest.MonkeyPatch, late: str, total: float, kind: str
) -> None:
    monkeypatch.setattr(csv_files, "WHOLE_BYTES", 10)
    room.put("t.csv", "a;b\n" + "1;x\n" * 300_000 + f"{late};y\n")
    profile = column(room.call(data_profile, path="t.csv"), "a")
    assert profile["type"] == kind
    assert rows(room, "SELECT sum(TRY_CAST(a AS DOUBLE)) FROM 't.csv'") == [[total]]
    assert rows(room, "SELECT a::VARCHAR FROM 't.csv' WHERE b = 'y'") == [[late]]


def test_marks_that_come_late_mean_what_they_would_mean_early(room: Room) -> None:
    room.put("t.csv", "a;b\n" + "999;x\n" * 1_500 + "1,234;y\n")
    assert rows(room, "SELECT a FROM 't.csv' WHERE b = 'y'") == [["1,234"]]
    room.put("t.csv", "Preis;Menge\n" + "5;1\n" * 1_500 + "0,05;1.000\n")
    assert rows(room, "SELECT sum(Menge) FROM 't.csv'") == [[2_500]]


@pytest.mark.parametrize("form", ["lines", "array"])
def test_no_field_of_a_late_json_object_is_lost_or_rounded(room: Room, form: str) -> None:
    objects = ['{"a":1}'] * 30_000 + ['{"a":1.5,"late":2}']
    room.put("t.json", "\n".join(objects) if form == "lines" else f"[{','.join(objects)}]")
    assert rows(room, "SELECT sum(a), sum(late) FROM 't.json'") == [[30_001.5, 2]]


def test_one_json_object_may_be_large(room: Room) -> None:
    room.put("t.json", '{"data":[' + ",".join([f'{{"n":1,"text":"{"x" * 1_000}"}}'] * 18_000) + "]}")
    assert rows(room, "SELECT sum(one.n) FROM (SELECT unnest(data) AS one FROM 't.json')") == [[18_000]]


def test_json_lines_that_were_cut_off_say_how_the_whole_ones_are_read(room: Room) -> None:
    room.put("t.jsonl", '{"a":1}\n{"a":2}\n{"a":')
    told = str(room.refusal(data_query, sql="SELECT sum(a) FROM 't.jsonl'"))
    assert rows(room, f"SELECT sum(a) FROM {told.partition('FROM ')[2]}") == [[3]]


def test_a_file_that_was_written_anew_is_looked_at_anew(room: Room) -> None:
    for body, total in (("a;b\n1;x\n", 1), ("a;b\n2;x\n", 2), ("a;b\n1,5;x\n", 1.5), ("a,b\n1.5,x\n", 1.5)):
        room.put("t.csv", body)
        assert rows(room, "SELECT sum(a) FROM 't.csv'") == [[total]]


def test_a_space_in_a_cell_far_away_is_no_row_and_no_column(room: Room) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet
    sheet.append(["region", "amount"])
    sheet.append(["N", 1])
    sheet["Z200"] = " "
    body = io.BytesIO()
    book.save(body)
    room.put("t.xlsx", body.getvalue())
    profile = room.call(data_profile, path="t.xlsx")
    assert (profile["row_count"], profile["column_count"]) == (1, 2)


def test_values_of_several_kinds_are_told_how_they_are_counted(room: Room) -> None:
    room.put("a.jsonl", '{"a": "7"}\n{"a": 1.5}\n{"a": "x"}\n{"a": {"b": "y"}}\n')
    hint = room.call(data_profile, path="a.jsonl")["columns"][0]["hint"]
    number, text, field = re.findall(r"""TRY_CAST\(.*? AS DOUBLE\)|"a"->>'[^']+'""", hint)
    sql = f"SELECT sum({number}), max({text}), max({field.replace('name', 'b')}) FROM 'a.jsonl'"
    assert room.call(data_query, sql=sql)["rows"] == [[8.5, '{"b":"y"}', "y"]]
