"""From rows and the names of columns to a Vega-Lite specification. Pure.

Fields are called f0, f1, … inside, so that nothing in a header (dots, brackets, quotes) means something to Vega.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from msgspec import Struct

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.tables.casts import cast_hint

Kind = Literal["bar", "line", "area", "scatter", "pie", "heatmap", "box", "histogram", "vega"]

WIDTH, HEIGHT = 640, 380
_ISO = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}(:?\d{2})?|Z)?)?)?")
_FORBIDDEN = ("url", "href")
"""Keys that make the renderer, or who opens the image, fetch something."""


class Rows(Struct, frozen=True):
    """A table of JSON values."""

    columns: list[str]
    rows: list[list[Any]]

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
        "width": WIDTH,
        "height": HEIGHT,
        "background": "white",
        "padding": 12,
        "config": {
            "axis": {"labelFontSize": 12, "titleFontSize": 13, "labelLimit": 160},
            "legend": {"labelFontSize": 12, "titleFontSize": 13},
            "title": {"fontSize": 16},
            "view": {"stroke": None},
        },
    }
    return Drawing(spec | ({"title": title} if title else {}), axes.notes)


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
        return [{f"f{at}": _finite(row[at]) for at in sorted(used)} for row in self.table.rows]

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
        shown = list(dict.fromkeys(str(value) for value in self.table.column(at)))
        wide = len(shown) * max(map(len, shown), default=0) * 8 > WIDTH
        return {
            "field": f"f{at}",
            "title": self.table.columns[at],
            "type": "nominal",
            "sort": None,
            "axis": {"labelAngle": -40 if wide else 0},
        }

    def legend(self, at: int) -> dict[str, Any]:
        return {key: value for key, value in self.any(at).items() if key not in ("axis", "scale")}

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


def _over_x(mark: Any, *, categories: bool) -> Callable[[_Axes], dict[str, Any]]:
    """Bars, lines, areas: one or several columns of numbers over x."""

    def shape(axes: _Axes) -> dict[str, Any]:
        across = axes.category(axes.x) if categories else axes.any(axes.x)
        if len(axes.y) > 1:
            return _folded(axes, mark, across)
        encoding = {"x": across, "y": axes.summed(axes.y[0], axes.x, axes.color)}
        return {"mark": mark, "encoding": encoding | ({"color": axes.legend(axes.color)} if axes.color is not None else {})}

    return shape


def _folded(axes: _Axes, mark: Any, across: dict[str, Any]) -> dict[str, Any]:
    """Several columns as several series, told apart by colour."""
    names = {f"f{at}": axes.table.columns[at] for at in axes.y}
    encoding = {
        "x": across,
        "y": {"field": "value", "type": "quantitative", "title": ", ".join(names.values())},
        "color": {"field": "series", "type": "nominal", "title": None, "sort": list(names.values())},
    }
    encoding |= {"xOffset": {"field": "series", "sort": list(names.values())}} if mark == "bar" else {}
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
    part = {key: value for key, value in axes.category(axes.x).items() if key != "axis"}
    return {"mark": "arc", "encoding": {"theta": {**axes.summed(axes.y[0], axes.x), "stack": True}, "color": part}}


def _heatmap(axes: _Axes) -> dict[str, Any]:
    color = axes.summed(axes.color or 0, axes.x, axes.y[0])
    upright = {key: value for key, value in axes.category(axes.y[0]).items() if key != "axis"}
    return {"mark": "rect", "encoding": {"x": axes.category(axes.x), "y": upright, "color": color}}


def _box(axes: _Axes) -> dict[str, Any]:
    encoding: dict[str, Any] = {"y": {**axes.number(axes.y[0]), "scale": {"zero": False}}}
    if axes.x != axes.y[0]:
        encoding["x"] = axes.category(axes.x)
    encoding |= {"color": axes.legend(axes.color)} if axes.color is not None else {}
    return {"mark": {"type": "boxplot", "size": 40}, "encoding": encoding}


def _histogram(axes: _Axes) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        "x": {**axes.number(axes.x), "bin": {"maxbins": 30}},
        "y": {"aggregate": "count", "type": "quantitative", "title": "count"},
    }
    encoding |= {"color": axes.legend(axes.color)} if axes.color is not None else {}
    return {"mark": "bar", "encoding": encoding}


_SHAPES: dict[str, Callable[[_Axes], dict[str, Any]]] = {
    "bar": _over_x("bar", categories=True),
    "line": _over_x({"type": "line", "point": True}, categories=False),
    "area": _over_x({"type": "area", "opacity": 0.8}, categories=False),
    "scatter": _scatter,
    "pie": _pie,
    "heatmap": _heatmap,
    "box": _box,
    "histogram": _histogram,
}


def _invalid(field: str, value: Any, rule: str) -> ToolFailed:
    return ToolFailed("invalid", str(Invalid(field, value, rule)))
