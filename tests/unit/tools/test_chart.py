"""A chart shows the data it was given, with its axes named, and fetches nothing."""

from __future__ import annotations

import asyncio
import json
import os
import re
import zlib
from collections import Counter
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from auteryn.errors import ToolFailed
from auteryn.tools import chart as module
from auteryn.tools import chart_render
from auteryn.tools.chart import chart_create
from auteryn.tools.chart_spec import BAR
from auteryn.tools.registry import Registry
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

DATA = [
    {"region": "Nörd & <x>", "amount": 3, "cost.[1]": 1.5, "when": "2024-01-01"},
    {"region": "S\"o'uth", "amount": 5.5, "cost.[1]": 2, "when": "2024-02-01"},
    {"region": "East", "amount": 2, "cost.[1]": 0.5, "when": "2024-03-01"},
]


def marks(svg: str) -> Counter[str]:
    """How often each kind of mark was drawn."""
    return Counter(re.findall(r'aria-roledescription="([^"]*)"', svg))


def words(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)<", svg)]


def drawn(room: Room, **given: Any) -> str:
    room.call(chart_create, path="out.svg", **given)
    return room.files.read("out.svg").decode()


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and the decoded rows of an 8-bit RGB or RGBA image, by the PNG specification."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    deep = {2: 3, 6: 4}[png[25]]
    at, packed = 8, b""
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw, rows, above = zlib.decompress(packed), list[bytes](), bytes(width * deep)
    for number in range(height):
        start = number * (width * deep + 1)
        row = bytearray(raw[start + 1 : start + 1 + width * deep])
        for i in range(len(row)):
            left, up, corner = (row[i - deep] if i >= deep else 0), above[i], (above[i - deep] if i >= deep else 0)
            near = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, near)[raw[start]]) % 256
        above = bytes(row)
        rows.append(above)
    return width, height, rows


# ---- kinds ---------------------------------------------------------------------------------------------------


@pytest.mark.tool("chart_create", "happy")
@pytest.mark.proves("P20")
@pytest.mark.parametrize(
    ("kind", "given", "mark", "count", "named"),
    [
        ("bar", {"x": "region", "y": "amount"}, "bar", 3, ["region", "amount"]),
        ("line", {"x": "when", "y": "amount"}, "point", 3, ["when", "amount"]),
        ("area", {"x": "when", "y": "amount"}, "area mark", 1, ["when", "amount"]),
        ("scatter", {"x": "amount", "y": "cost.[1]"}, "point", 3, ["amount", "cost.[1]"]),
        ("pie", {"x": "region", "y": "amount"}, "arc mark", 3, ["region", "East"]),
        ("heatmap", {"x": "region", "y": "when", "color": "amount"}, "rect mark", 3, ["region", "when", "amount"]),
        ("box", {"x": "region", "y": "amount"}, "box", 3, ["region", "amount"]),
        ("histogram", {"x": "amount"}, "bar", 3, ["amount", "count"]),
    ],
)
def test_every_kind_draws_its_marks_and_names_its_axes(
    room: Room, kind: str, given: dict[str, Any], mark: str, count: int, named: list[str]
) -> None:
    svg = drawn(room, kind=kind, data=DATA, title="What it shows", **given)
    assert marks(svg)[mark] == count
    assert {"What it shows", *named} <= set(words(svg))
    if "region" in named:
        assert {row["region"] for row in DATA} <= set(words(svg))


def test_a_judge_calls_with_what_the_schema_says(room: Room) -> None:
    given = as_a_judge_calls(chart_create, path="c.svg", kind="bar", data=DATA, x="region", y="amount", title="T")
    assert given["data"] == DATA and given["y"] == "amount"
    assert room.call(chart_create, **given) | {"size_bytes": 0} == {
        "path": "c.svg",
        "size_bytes": 0,
        "kind": "bar",
        "rows": 3,
        "width": 640,
        "height": 380,
    }


@pytest.mark.proves("P20")
def test_a_bar_is_as_long_as_its_number(room: Room) -> None:
    data = [{"region": region, "amount": amount} for region, amount in (("N", 3), ("S", 5.5), ("E", 0.25))]
    svg = drawn(room, kind="bar", data=data, x="region", y="amount")
    bar = r'aria-label="region: (\w+); amount: ([\d.]+)"[^>]*"bar"[^>]*d="M[\d.]+,[\d.]+h[\d.]+v([\d.]+)'
    lengths = {region: float(length) / float(amount) for region, amount, length in re.findall(bar, svg)}
    assert set(lengths) == {"N", "S", "E"} and max(lengths.values()) == pytest.approx(min(lengths.values()), rel=1e-6)


def test_several_columns_are_several_series(room: Room) -> None:
    svg = drawn(room, kind="bar", data=DATA, x="region", y=["amount", "cost.[1]"])
    assert marks(svg)["bar"] == 6 and marks(svg)["legend"] == 1 and {"amount", "cost.[1]"} <= set(words(svg))
    assert marks(drawn(room, kind="line", data=DATA, x="when", y="amount, cost.[1]"))["line mark"] == 2


def test_rows_of_one_place_are_summed_and_that_is_said(room: Room) -> None:
    told = room.call(chart_create, path="out.svg", kind="bar", data=DATA + DATA, x="region", y="amount")
    assert told["notes"] == ["amount is summed: several rows have the same region"]
    assert 'amount: 11"' in room.files.read("out.svg").decode()
    apart = room.call(chart_create, path="out.svg", kind="bar", data=DATA, x="region", y="amount", color="when")
    assert "notes" not in apart and marks(room.files.read("out.svg").decode())["legend"] == 1


def test_many_long_names_are_all_read_beside_bars_that_lie(room: Room) -> None:
    names = [f"Category number {at} of many" for at in range(20)]
    told = room.call(chart_create, path="out.svg", kind="bar", data=[{"name": name, "n": len(name)} for name in names])
    assert told["height"] == 20 * BAR
    assert set(names) <= set(words(room.files.read("out.svg").decode()))


def test_of_names_that_do_not_fit_some_are_written_and_that_is_said(room: Room) -> None:
    data = [{"day": f"2026-{at // 28 + 1:02d}-{at % 28 + 1:02d}", "n": at} for at in range(84)]
    labels = re.findall(r'opacity="1">2026-[^<]+<', drawn(room, kind="bar", data=data, x="day", y="n"))
    assert 5 < len(labels) < 40
    many = [{"name": f"Somebody {at:03d}", "n": at} for at in range(100)]
    assert "100 bars" in room.call(chart_create, path="out.svg", kind="bar", data=many)["notes"][0]


def test_parts_stand_on_each_other_in_the_order_of_the_legend(room: Room) -> None:
    data = [{"q": "Q1", "region": name, "n": 1} for name in ("West", "East", "North")]
    svg = drawn(room, kind="bar", data=data, x="q", y="n", color="region")
    found = re.findall(r'aria-label="q: Q1; n: 1; region: (\w+)[^>]*? d="M[\d.]+,([\d.]+)', svg)
    assert [name for name, _ in sorted(found, key=lambda one: -float(one[1]))] == ["West", "East", "North"]


def test_a_pie_says_how_large_its_parts_are(room: Room) -> None:
    data = [{"part": "a", "n": 30}, {"part": "b", "n": 68}, {"part": "c", "n": 1}, {"part": "c", "n": 1}]
    told = [word for word in words(drawn(room, kind="pie", data=data)) if "%" in word]
    assert sorted(told) == ["30%", "68%"]


def test_a_line_of_many_points_is_a_line(room: Room) -> None:
    few, many = ([{"x": at, "n": at % 7} for at in range(count)] for count in (10, 500))
    assert marks(drawn(room, kind="line", data=few, x="x", y="n"))["point"] == 10
    assert marks(drawn(room, kind="line", data=many, x="x", y="n"))["point"] == 0


def test_a_script_without_a_font_is_told(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "fc-list"
    tool.write_text('#!/bin/sh\n[ "$1" = ":charset=5317" ] || echo "Some Font"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    told = room.call(chart_create, path="out.svg", kind="bar", data=[{"город": "北", "القاهرة": 1}])
    assert "no font here has signs of CJK:" in told["notes"][0]


def test_columns_are_found_when_none_is_named(room: Room) -> None:
    assert {"region", "amount"} <= set(words(drawn(room, kind="bar", data=DATA)))
    assert {"amount", "count"} <= set(words(drawn(room, kind="histogram", data=DATA)))
    svg = drawn(room, kind="heatmap", data=DATA)
    assert marks(svg)["rect mark"] == 3 and {"region", "amount", "cost.[1]"} <= set(words(svg))


def test_data_is_a_file_or_a_question(room: Room) -> None:
    room.put("sales.csv", "region,amount,year\nNorth,1.5,2023\nSouth,2,2024\nNorth,4,2024\n")
    assert "North" in words(drawn(room, kind="bar", data="sales.csv", x="region", y="amount"))
    asked = "SELECT year, sum(amount) AS total FROM 'sales.csv' GROUP BY 1 ORDER BY 1"
    svg = drawn(room, kind="line", data=asked, x="year", y="total")
    assert marks(svg)["point"] == 2 and "2023" in words(svg) and "total" in words(svg)
    assert marks(drawn(room, kind="bar", data='[{"a": "x", "b": 1}]'))["bar"] == 1


def test_gaps_and_numbers_that_are_none_leave_gaps(room: Room) -> None:
    data = [{"a": "x", "b": 1}, {"a": "y", "b": None}, {"a": "z"}]
    assert marks(drawn(room, kind="bar", data=data, x="a", y="b"))["bar"] >= 1
    assert marks(drawn(room, kind="scatter", data="SELECT 1.0 AS a, 'NaN'::DOUBLE AS b UNION ALL SELECT 2, 3"))["point"] >= 1


# ---- images --------------------------------------------------------------------------------------------------


@pytest.mark.proves("P20")
def test_a_png_is_an_image_with_something_on_it(room: Room) -> None:
    room.call(chart_create, path="out.png", kind="vega", data=DATA, spec=SMALL)
    width, height, rows = pixels(room.files.read("out.png"))
    assert width > 50 and height > 50
    deep = len(rows[0]) // width
    colours = Counter(row[i : i + 3] for row in rows for i in range(0, len(row), deep))
    assert len(colours) > 2 and colours.most_common(1)[0][1] < width * height
    assert sum(count for colour, count in colours.items() if colour[2] > colour[0] + 40) > 100, "the bars are blue"


SMALL: dict[str, Any] = {
    "mark": "bar",
    "width": 60,
    "height": 40,
    "encoding": {"x": {"field": "region"}, "y": {"field": "amount", "type": "quantitative"}},
}


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_call_gives_the_same_bytes(room: Room, form: str) -> None:
    given = {"path": f"out.{form}", "kind": "bar", "data": DATA, "x": "region", "y": "amount", "color": "when"}
    first = room.call(chart_create, **given)
    body = room.files.read(f"out.{form}")
    assert room.call(chart_create, **given) == first and room.files.read(f"out.{form}") == body


# ---- vega ----------------------------------------------------------------------------------------------------


def test_a_specification_is_drawn_as_it_is(room: Room) -> None:
    assert marks(drawn(room, kind="vega", data=DATA, spec=SMALL))["bar"] == 3
    encoding = {"x": {"field": "url"}, "y": {"field": "n", "type": "quantitative"}}
    inline = {"data": {"values": [{"url": "a", "n": 1}]}, "mark": "bar", "encoding": encoding}
    svg = drawn(room, kind="vega", spec=json.dumps(inline))
    assert marks(svg)["bar"] == 1 and "url" in words(svg)
    place = {"x": {"value": 1}, "y": {"value": 0}, "width": {"field": "amount"}, "height": {"value": 5}}
    vega = {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "width": 50,
        "height": 50,
        "marks": [{"type": "rect", "from": {"data": "table"}, "encode": {"enter": {**place, "fill": {"value": "red"}}}}],
    }
    assert drawn(room, kind="vega", data=DATA, spec=vega).count('fill="red"') == 3


@pytest.mark.tool("chart_create", "failure")
@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "spec",
    [
        {"data": {"url": "http://169.254.169.254/computeMetadata/v1/"}, "mark": "bar"},
        {"data": {"url": "file:///etc/passwd"}, "mark": "bar"},
        {"data": {"URL": "x"}, "mark": "bar"},
        {"layer": [{"mark": {"type": "image", "url": "http://x/y.png"}}]},
        {"data": {"values": []}, "mark": "image", "encoding": {"url": {"field": "a"}}},
        {"mark": "bar", "transform": [{"lookup": "a", "from": {"data": {"url": "x"}, "key": "a"}}]},
        {"mark": "bar", "encoding": {"href": {"value": "javascript:alert(1)"}}},
        {"marks": [{"type": "image", "encode": {"enter": {"url": {"value": "http://x/y.png"}}}}]},
        {"data": {"values": {"url": "x"}}, "mark": "bar"},
    ],
)
def test_nothing_in_a_specification_is_fetched(room: Room, spec: dict[str, Any]) -> None:
    assert room.refusal(chart_create, path="out.svg", kind="vega", spec=spec).kind == "blocked"
    assert not room.files.exists("out.svg")


@pytest.mark.proves("L14")
def test_the_renderer_itself_loads_nothing_either(room: Room) -> None:
    spec = {"data": {"url": "http://127.0.0.1:9/x.csv"}, "mark": "bar"}
    with pytest.raises(ToolFailed, match="not allowed") as failed:
        asyncio.run(module._rendered(spec, "svg"))
    assert failed.value.kind == "invalid"


# ---- what goes wrong -----------------------------------------------------------------------------------------


@pytest.mark.tool("chart_create", "failure")
@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"path": "out.jpg"}, "unsupported", "must end in"),
        ({"path": "../out.svg"}, "denied", "may not go up"),
        ({"kind": "donut"}, "invalid", "must be one of"),
        ({"data": None}, "invalid", "is needed"),
        ({"data": []}, "invalid", "no rows"),
        ({"data": "nope.csv"}, "not_found", "neither a table file"),
        ({"data": "SELECT nope"}, "invalid", "nope"),
        ({"data": "[{"}, "invalid", "no JSON"),
        ({"data": "[1]"}, "invalid", "one a row"),
        ({"x": "nope"}, "invalid", "is no column"),
        ({"y": "nope"}, "invalid", "['region', 'amount', 'cost.[1]', 'when']"),
        ({"y": "when"}, "invalid", "holds no numbers"),
        ({"color": "nope"}, "invalid", "is no column"),
        ({"data": [{"a": "x", "b": "y"}], "x": "a", "y": None}, "invalid", "no other column holds numbers"),
        ({"data": [{"a": "x", "b": "$1,200"}], "x": "a", "y": "b"}, "invalid", "TRY_CAST"),
        ({"kind": "pie", "data": [{"region": "x", "amount": -1}]}, "invalid", "negative"),
        ({"spec": {"mark": "bar"}}, "invalid", "belongs to the kind 'vega'"),
        ({"kind": "vega", "spec": None}, "invalid", "an object"),
        ({"kind": "vega", "spec": "{"}, "invalid", "no JSON"),
        ({"kind": "vega", "spec": {"mark": "nope"}}, "invalid", "cannot be drawn"),
        ({"kind": "vega", "spec": {"x": "y" * module.SPEC_BYTES}}, "too_large", "larger than"),
    ],
)
def test_a_wrong_chart_is_refused_by_name_and_nothing_is_written(
    room: Room, change: dict[str, Any], kind: str, says: str
) -> None:
    given = {"path": "out.svg", "kind": "bar", "data": DATA, "x": "region", "y": "amount"} | change
    if given["kind"] == "vega":
        given = {key: value for key, value in given.items() if key not in ("x", "y")}
    told = room.refusal(chart_create, **given)
    assert (told.kind, says in str(told)) == (kind, True), str(told)
    assert not list(room.files.walk())


def test_too_many_rows_are_refused_with_the_way_out(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    assert room.refusal(chart_create, path="out.svg", kind="bar", data=DATA).kind == "too_large"
    told = room.refusal(chart_create, path="out.svg", kind="bar", data="SELECT range AS a, 1 AS b FROM range(9)")
    assert told.kind == "too_large" and "aggregate" in str(told)


ENDLESS = {"data": {"sequence": {"start": 0, "stop": 3e8}}, "mark": "point", "encoding": {"x": {"field": "data"}}}


@pytest.mark.proves("L14")
def test_a_drawing_that_eats_memory_ends_alone(room: Room) -> None:
    """The renderer dies; this process, which runs the agent, does not."""
    assert room.refusal(chart_create, path="out.svg", kind="vega", spec=ENDLESS).kind == "too_large"
    assert not room.files.exists("out.svg")


def test_a_cancelled_drawing_leaves_no_process_and_no_file(room: Room) -> None:
    begun: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def cancel_it(monkeypatch: pytest.MonkeyPatch) -> None:
        async def started(*args: Any, **options: Any) -> asyncio.subprocess.Process:
            begun.append(await start(*args, **options))
            ready.set()
            return begun[0]

        ready = asyncio.Event()
        monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
        assert room.context is not None
        call = asyncio.create_task(chart_create.fn(room.context, path="out.svg", kind="vega", spec=ENDLESS))
        await ready.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    room.call(chart_create, path="first.svg", kind="bar", data=DATA)
    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(cancel_it(monkeypatch))
    assert begun[0].returncode is not None and not room.files.exists("out.svg")


def test_the_renderer_imports_nothing_of_ours() -> None:
    source = module._RENDERER.read_text()
    assert str(module._RENDERER) == chart_render.__file__ and "auteryn" not in source


def test_without_its_library_the_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolFailed, match=r"auteryn\[data\]"):
        Registry([chart_create]).get("chart_create")


def test_drawing_may_be_repeated() -> None:
    assert chart_create.effect == "idempotent" and chart_create.serial and chart_create.serial({"path": "x.svg"}) == "x.svg"
