"""From rows and the names of columns to a Vega-Lite specification. Pure.

Fields are called f0, f1, … inside, so that nothing in a header (dots, brackets, quotes) means something to Vega.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from msgspec import Struct

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.tables.casts import cast_hint

Kind = Literal["bar", "line", "area", "scatter", "pie", "heatmap", "box", "histogram", "vega"]

WIDTH, HEIGHT = 640, 380
LABELLED = 12
"""Long names across, at a slant; more of them are written one below the other, with bars that lie."""
SLANTED = 30
"""Names that can stand at a slant; of more only some are written."""
LYING, BAR = 60, 22
"""Most bars one below the other, and the height of each."""
POINTS = 60
"""With more of them a line is only a line."""
PARTS = 12
_SLICE = 0.04
"""Share of a pie from which on its percentage stands beside it."""
_COLOURS = 10
"""Before they begin anew; a larger set is used for more."""
_ISO = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}(:?\d{2})?|Z)?)?)?")
_FORBIDDEN = ("url", "href")
"""Keys that make the renderer, or who opens the image, fetch something."""


class Rows(Struct, frozen=True):
    """A table of JSON values."""

    columns: list[str]
    rows: list[list[Any]]
    notes: Sequence[str] = ()
    """What was made of the data, for a model."""

    def column(self, at: int) -> list[Any]:
        return [row[at] for row in self.rows]


class Drawing(Struct, frozen=True):
    spec: dict[str, Any]
    notes: list[str]


def drawing(kind: Kind, table: Rows, x: str | None, y: Sequence[str], color: str | None, title: str) -> Drawing:
    """The specification; raises `ToolFailed` naming the column that is missing or holds no numbers."""
    if not table.rows:
        raise ToolFailed("invalid", "data: there are no rows to draw")
    axes = _Axes(table, kind, x, y, color)
    spec: dict[str, Any] = {
        "data": {"values": axes.values()},
        **_SHAPES[kind](axes),
        "background": "white",
        "padding": 12,
        "config": {
            "axis": {"labelFontSize": 12, "titleFontSize": 13, "labelLimit": 160},
            "legend": {"labelFontSize": 12, "titleFontSize": 13},
            "title": {"fontSize": 16},
            "view": {"stroke": None},
        },
    }
    spec = {"width": WIDTH, "height": HEIGHT} | spec
    return Drawing(spec | ({"title": textwrap.wrap(title, 70)} if title else {}), axes.notes)


def checked_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The given specification; raises `ToolFailed("blocked")` if anything in it would be fetched."""
    waiting: list[tuple[str, Any]] = [("spec", spec)]
    while waiting:
        where, node = waiting.pop()
        if isinstance(node, dict):
            for key, value in cast("dict[str, Any]", node).items():
                if key.lower() in _FORBIDDEN:
                    raise ToolFailed("blocked", f"{where}.{key}: charts load nothing; give the rows in data, or as data.values")
                if not (key == "values" and isinstance(value, list)):  # rows: their keys are columns
                    waiting.append((f"{where}.{key}", value))
        elif isinstance(node, list):
            waiting += [(f"{where}[{at}]", value) for at, value in enumerate(cast("list[Any]", node))]
    return spec


# ---- columns -------------------------------------------------------------------------------------------------


class _Axes:
    """The columns a chart uses, found and checked."""

    def __init__(self, table: Rows, kind: Kind, x: str | None, y: Sequence[str], color: str | None) -> None:
        self.table, self.notes = table, list[str]()
        self._numeric = [at for at in range(len(table.columns)) if is_numeric(table.column(at))]
        self.color = self.found("color", color) if color else None
        self.y = [self.found("y", name) for name in y]
        match kind:
            case "histogram":
                self.x = self.found("x", x) if x else self.y[0] if self.y else self.next_number([])
                self.numbers([self.x], "x")
            case "heatmap":
                self.x = self.found("x", x) if x else self.next_column([*self.y, self.color])
                self.color = self.next_number([self.x, *self.y]) if self.color is None else self.color
                self.y = self.y or [self.next_column([self.x, self.color])]
                self.numbers([self.color], "color")
            case _:
                self.x = self.found("x", x) if x else self.next_column([*self.y, self.color])
                self.y = self.y or [self.next_number([self.x])]
                self.numbers([*self.y, *([self.x] if kind == "scatter" else [])], "y")

    def found(self, field: str, name: str | None) -> int:
        lowered = [column.lower() for column in self.table.columns]
        if name is None or name.strip().lower() not in lowered:
            raise _invalid(field, name, f"is no column: there are {self.table.columns}")
        return lowered.index(name.strip().lower())

    def next_column(self, used: Sequence[int | None]) -> int:
        return next((at for at in range(len(self.table.columns)) if at not in used), 0)

    def next_number(self, used: Sequence[int | None]) -> int:
        found = next((at for at in self._numeric if at not in used), None)
        if found is None:
            raise _invalid("y", None, f"is needed: no other column holds numbers, there are {self.table.columns}")
        return found

    def numbers(self, columns: list[int], field: str) -> None:
        for at in columns:
            if at not in self._numeric:
                texts = [value for value in self.table.column(at)[:200] if isinstance(value, str)]
                hint = cast_hint(self.table.columns[at], texts)
                raise _invalid(field, self.table.columns[at], f"holds no numbers{f' but {hint}' if hint else ''}")

    def values(self) -> list[dict[str, Any]]:
        used = {self.x, *self.y} | ({self.color} if self.color is not None else set[int]())
        ranked = self.color if self.color is not None else self.x
        ranks = {name: rank for rank, name in enumerate(self.names(ranked))}
        return [
            {**{f"f{at}": _finite(row[at]) for at in sorted(used)}, "rank": ranks[str(row[ranked])]} for row in self.table.rows
        ]

    def names(self, at: int) -> list[str]:
        """Different values, in the order of the rows."""
        return list(dict.fromkeys(str(value) for value in self.table.column(at)))

    # ---- encodings

    def any(self, at: int) -> dict[str, Any]:
        """As time, number or category, by its values."""
        values, base = self.table.column(at), {"field": f"f{at}", "title": self.table.columns[at]}
        if _is_time(values):
            return {**base, "type": "temporal"}
        if is_numeric(values):
            years = all(isinstance(value, int) and 1800 <= value <= 2200 for value in values if value is not None)
            return {**base, "type": "quantitative", "scale": {"zero": False}, "axis": {"format": "d"} if years else {}}
        return self.category(at)

    def category(self, at: int) -> dict[str, Any]:
        """One place for each value, in the order of the rows."""
        count = len(self.names(at))
        axis: dict[str, Any] = {"labelAngle": -40 if self.wide(at) else 0}
        if count > SLANTED:
            axis |= {"labelOverlap": "greedy"}
        base: dict[str, Any] = {
            "field": f"f{at}",
            "title": self.table.columns[at],
            "type": "nominal",
            "sort": None,
            "axis": axis,
        }
        return base | ({"scale": {"paddingInner": 0.3, "paddingOuter": 1.0}} if count < 4 else {})

    def wide(self, at: int) -> bool:
        """Whether the values do not fit beside each other."""
        shown = self.names(at)
        return len(shown) * max(map(len, shown), default=0) * 8 > WIDTH

    def lies(self) -> bool:
        """Whether there are too many names for bars that stand, and all can be read beside bars that lie."""
        shown = self.names(self.x)
        if _is_time(shown) or is_numeric(self.table.column(self.x)) or len(shown) <= LABELLED or not self.wide(self.x):
            return False
        if len(shown) > LYING:
            self.notes.append(f"{len(shown)} bars, too many to name all: draw the largest, with ORDER BY and LIMIT in data")
        return len(shown) <= LYING

    def legend(self, at: int) -> dict[str, Any]:
        told = {key: value for key, value in self.any(at).items() if key not in ("axis", "scale")}
        count = len(self.names(at))
        if told["type"] != "nominal" or count <= _COLOURS:
            return told
        return {**told, "scale": {"scheme": "tableau20"}, "legend": {"symbolLimit": 40, "columns": 1 if count <= 20 else 2}}

    def in_order(self) -> dict[str, Any]:
        """Parts stand on each other in the order of their names."""
        return {"order": {"field": "rank", "type": "quantitative"}}

    def number(self, at: int) -> dict[str, Any]:
        return {"field": f"f{at}", "title": self.table.columns[at], "type": "quantitative"}

    def summed(self, at: int, *keys: int | None) -> dict[str, Any]:
        """The number; summed where several rows have the same keys, and that is noted."""
        places = [tuple(str(row[key]) for key in keys if key is not None) for row in self.table.rows]
        if len(set(places)) == len(places):
            return self.number(at)
        names = " and ".join(self.table.columns[key] for key in keys if key is not None)
        self.notes.append(f"{self.table.columns[at]} is summed: several rows have the same {names}")
        return {**self.number(at), "aggregate": "sum"}


def is_numeric(values: Sequence[Any]) -> bool:
    filled = [value for value in values if value is not None]
    return bool(filled) and all(
        _odd(value) or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in filled
    )


def _odd(value: Any) -> bool:
    return value in ("NaN", "Infinity", "-Infinity")


def _finite(value: Any) -> Any:
    if _odd(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _is_time(values: Sequence[Any]) -> bool:
    filled = [value for value in values if value is not None]
    return bool(filled) and all(isinstance(value, str) and _ISO.fullmatch(value) for value in filled)


# ---- kinds ---------------------------------------------------------------------------------------------------


def _over_x(mark: str, *, categories: bool, **looks: Any) -> Callable[[_Axes], dict[str, Any]]:
    """Bars, lines, areas: one or several columns of numbers over x."""

    def shape(axes: _Axes) -> dict[str, Any]:
        across = axes.category(axes.x) if categories else axes.any(axes.x)
        drawn = {"type": mark, **looks, **({"point": len(axes.names(axes.x)) <= POINTS} if mark == "line" else {})}
        if len(axes.y) > 1:
            made = _folded(axes, drawn, across)
        else:
            encoding = {"x": across, "y": axes.summed(axes.y[0], axes.x, axes.color)}
            if axes.color is not None:
                encoding |= {"color": axes.legend(axes.color), **({} if mark == "line" else axes.in_order())}
            made = {"mark": drawn, "encoding": encoding}
        return _lying(made, axes) if mark == "bar" and axes.lies() else made

    return shape


def _lying(spec: dict[str, Any], axes: _Axes) -> dict[str, Any]:
    """The same bars one below the other, each with its name in full."""
    turned = {"x": "y", "y": "x", "xOffset": "yOffset"}
    encoding = {turned.get(channel, channel): told for channel, told in spec["encoding"].items()}
    encoding["y"] = {**encoding["y"], "axis": {"labelLimit": 260}}
    return {**spec, "encoding": encoding, "height": max(HEIGHT, BAR * len(axes.names(axes.x)) * max(1, len(axes.y) // 2))}


def _folded(axes: _Axes, mark: dict[str, Any], across: dict[str, Any]) -> dict[str, Any]:
    """Several columns as several series, told apart by colour."""
    names = {f"f{at}": axes.table.columns[at] for at in axes.y}
    encoding = {
        "x": across,
        "y": {"field": "value", "type": "quantitative", "title": ", ".join(names.values())},
        "color": {"field": "series", "type": "nominal", "title": None, "sort": list(names.values())},
    }
    encoding |= {"xOffset": {"field": "series", "sort": list(names.values())}} if mark["type"] == "bar" else {}
    choice = " : ".join(f"datum.key === '{key}' ? {_js(name)}" for key, name in names.items())
    return {
        "transform": [{"fold": list(names), "as": ["key", "value"]}, {"calculate": f"{choice} : ''", "as": "series"}],
        "mark": mark,
        "encoding": encoding,
    }


def _js(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ").replace("\r", " ") + "'"


def _scatter(axes: _Axes) -> dict[str, Any]:
    x = axes.any(axes.x)
    encoding = {"x": x, "y": {**axes.number(axes.y[0]), "scale": {"zero": False}}}
    encoding |= {"color": axes.legend(axes.color)} if axes.color is not None else {}
    return {"mark": {"type": "point", "filled": True, "opacity": 0.7}, "encoding": encoding}


def _pie(axes: _Axes) -> dict[str, Any]:
    if any(isinstance(value, (int, float)) and value < 0 for value in axes.table.column(axes.y[0])):
        raise _invalid("y", axes.table.columns[axes.y[0]], "holds negative numbers, which a pie cannot show: use bar")
    count = len(axes.names(axes.x))
    if count > PARTS:
        axes.notes.append(f"a pie of {count} parts is hard to read: a bar chart, or the largest and the rest, shows more")
    axes.summed(axes.y[0], axes.x)
    many = {"scale": {"scheme": "tableau20"}} if count > _COLOURS else {}
    color = {"field": f"f{axes.x}", "type": "nominal", "sort": None, "title": axes.table.columns[axes.x], **many}
    return {
        "transform": [
            {"aggregate": [{"op": "sum", "field": f"f{axes.y[0]}", "as": "part"}], "groupby": [f"f{axes.x}", "rank"]},
            {"joinaggregate": [{"op": "sum", "field": "part", "as": "whole"}]},
            {"calculate": "datum.whole > 0 ? datum.part / datum.whole : 0", "as": "share"},
            {"calculate": f"datum.share < {_SLICE} ? '' : format(datum.share, '.0%')", "as": "told"},
        ],
        "encoding": {
            "theta": {"field": "part", "type": "quantitative", "stack": True, "title": axes.table.columns[axes.y[0]]},
            **axes.in_order(),
        },
        "layer": [
            {"mark": {"type": "arc", "outerRadius": 150}, "encoding": {"color": color}},
            {
                "mark": {"type": "text", "radius": 170, "fontSize": 13},
                "encoding": {"text": {"field": "told", "type": "nominal"}},
            },
        ],
    }


def _heatmap(axes: _Axes) -> dict[str, Any]:
    color = axes.summed(axes.color or 0, axes.x, axes.y[0])
    upright = {key: value for key, value in axes.category(axes.y[0]).items() if key != "axis"}
    return {"mark": "rect", "encoding": {"x": axes.category(axes.x), "y": upright, "color": color}}


def _box(axes: _Axes) -> dict[str, Any]:
    encoding: dict[str, Any] = {"y": {**axes.number(axes.y[0]), "scale": {"zero": False}}}
    if axes.x != axes.y[0]:
        encoding["x"] = axes.category(axes.x)
    encoding |= {"color": axes.legend(axes.color)} if axes.color is not None else {}
    size = min(40, WIDTH * 0.6 // len(axes.names(axes.x)))
    return {"mark": {"type": "boxplot", "size": size}, "encoding": encoding}


def _histogram(axes: _Axes) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        "x": {**axes.number(axes.x), "bin": {"maxbins": 30}},
        "y": {"aggregate": "count", "type": "quantitative", "title": "count"},
    }
    encoding |= {"color": axes.legend(axes.color)} if axes.color is not None else {}
    return {"mark": "bar", "encoding": encoding}


_SHAPES: dict[str, Callable[[_Axes], dict[str, Any]]] = {
    "bar": _over_x("bar", categories=True),
    "line": _over_x("line", categories=False),
    "area": _over_x("area", categories=False, opacity=0.8),
    "scatter": _scatter,
    "pie": _pie,
    "heatmap": _heatmap,
    "box": _box,
    "histogram": _histogram,
}


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))
