"""A typed function becomes a schema Gemini takes, and the model's arguments become Python values."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from inline_snapshot import snapshot
from pydantic import BaseModel, Field

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.data import data_query
from auteryn.tools.signature import arguments, parameters_of
from auteryn.tools.tool import ToolContext, tool
from shared_data import shared


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


class Size(TypedDict):
    width: Annotated[int, msgspec.Meta(description="In pixels", ge=1)]


class Person(BaseModel):
    name: str = Field(description="Full name")
    age: int = Field(default=0, ge=0)


class Nest(msgspec.Struct):
    inside: list[Nest] = []


@tool(effect="read")
async def everything(
    ctx: ToolContext,
    text: str,
    count: Annotated[int, "How many", msgspec.Meta(ge=1, le=9)] = 3,
    ratio: Annotated[float, Field(description="A share", gt=0)] = 0.5,
    city: str = Field(default="Rome", description="Where"),
    kind: Literal["a", "b"] = "a",
    colour: Colour = Colour.RED,
    maybe: Annotated[int | None, Field(ge=0)] = None,
    either: str | int = "x",
    join: Annotated[Literal["all"] | int, "When"] = "all",
    points: list[Point] = [],  # noqa: B006
    size: Size | None = None,
    person: Person | None = None,
    pair: tuple[int, str] = (1, "a"),
    table: dict[str, int] = {},  # noqa: B006
    when: datetime | None = None,
    *,
    free: Any = None,
) -> None:
    """Takes one of each."""


def read(**raw: Any) -> dict[str, Any]:
    return arguments(everything, {"text": "t", **raw})


def refused(**raw: Any) -> str:
    with pytest.raises(ToolFailed) as failed:
        read(**raw)
    assert failed.value.kind == "invalid" and not failed.value.retryable
    return str(failed.value)


def test_every_kind_of_type_has_a_schema() -> None:
    assert everything.parameters == snapshot(
        {
            "type": "object",
            "required": ["text"],
            "properties": {
                "text": {"type": "string"},
                "count": {"description": "How many", "type": "integer", "minimum": 1, "maximum": 9, "default": 3},
                "ratio": {"description": "A share", "type": "number", "minimum": 0, "default": 0.5},
                "city": {"description": "Where", "type": "string", "default": "Rome"},
                "kind": {"enum": ["a", "b"], "type": "string", "default": "a"},
                "colour": {"enum": ["blue", "red"], "type": "string", "default": "red"},
                "maybe": {"type": "integer", "minimum": 0},
                "either": {"type": ["string", "integer"], "default": "x"},
                "join": {
                    "anyOf": [{"enum": ["all"], "type": "string", "description": "When", "default": "all"}, {"type": "integer"}]
                },
                "points": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["x"],
                        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
                    },
                    "default": [],
                },
                "size": {
                    "type": "object",
                    "required": ["width"],
                    "properties": {"width": {"description": "In pixels", "type": "integer", "minimum": 1}},
                },
                "person": {
                    "required": ["name"],
                    "type": "object",
                    "properties": {
                        "name": {"description": "Full name", "type": "string"},
                        "age": {"default": 0, "minimum": 0, "type": "integer"},
                    },
                },
                "pair": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": 2,
                    "prefixItems": [{"type": "integer"}, {"type": "string"}],
                    "default": [1, "a"],
                },
                "table": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}},
                "when": {"type": "string"},
                "free": {},
            },
        }
    )


def test_the_schema_is_one_that_gemini_takes() -> None:
    sys.path.insert(0, str(shared("checks/gemini_strict")))
    try:
        import rules
    finally:
        sys.path.pop(0)
    rules.check_schema(everything.parameters, "parameters")
    assert not any(word in str(everything.parameters) for word in ("$ref", "$defs", "title", "oneOf"))


def test_nothing_stands_beside_anyof() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            assert "anyOf" not in node or set(node) == {"anyOf"}
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(everything.parameters)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"count": "5"}, {"count": 5}),
        ({"count": 5.0}, {"count": 5}),
        ({"ratio": 1}, {"ratio": 1.0}),
        ({"colour": "blue"}, {"colour": Colour.BLUE}),
        ({"points": '[{"x": 1}]'}, {"points": [Point(1)]}),
        ({"points": ['{"x": 1}', {"x": 2, "y": None}]}, {"points": [Point(1), Point(2)]}),
        ({"table": '{"a": "1"}'}, {"table": {"a": 1}}),
        ({"kind": None}, {}),
        ({"maybe": None}, {"maybe": None}),
        ({"join": "2"}, {"join": 2}),
        ({"either": "5"}, {"either": "5"}),
        ({"when": "2026-01-31T09:00:00Z"}, {"when": datetime(2026, 1, 31, 9, tzinfo=UTC)}),
        ({"person": {"name": "Ada"}}, {"person": Person(name="Ada")}),
        ({"free": [1, {"a": None}]}, {"free": [1, {"a": None}]}),
    ],
)
def test_what_can_mean_only_one_thing_is_understood(raw: dict[str, Any], value: dict[str, Any]) -> None:
    assert read(**raw) == {"text": "t", **value}


def test_the_call_stays_as_the_model_made_it() -> None:
    raw: dict[str, Any] = {"text": "t", "points": ['{"x": 1}', {"x": 2, "y": None}]}
    arguments(everything, raw)
    assert raw == {"text": "t", "points": ['{"x": 1}', {"x": 2, "y": None}]}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"count": "many"}, "count: 'many' must be int, not str"),
        ({"count": 10}, "count: 10 must be int <= 9"),
        ({"count": True}, "count: True must be int, not bool"),
        ({"count": 2.5}, "count: 2.5 must be int, not float"),
        ({"ratio": 0}, "ratio: 0 must be float > 0.0"),
        ({"kind": "c"}, "kind: 'c' must be one of 'a', 'b'"),
        ({"join": "some"}, "join: 'some' must be one of 'all', any integer"),
        ({"points": [{"x": 1}, {"x": "p"}]}, "points[1].x: 'p' must be int, not str"),
        ({"points": [{"y": 1}]}, "points[0].x is missing: points[0] takes x, y"),
        ({"points": [{"x": None}]}, "points[0].x is missing"),
        ({"points": [None]}, "points[0]: None must be object, not null"),
        ({"points": "[1"}, "points: '[1' must be array, not str"),
        ({"points": "[" * 100_000}, "must be array, not str"),
        ({"size": {"width": 0}}, "size.width: 0 must be int >= 1"),
        ({"person": {"name": "A", "age": -1}}, "age: Input should be greater than or equal to 0"),
        ({"text": None}, "text: None must be str, not null"),
        ({"txt": "x"}, "txt: 'x' is not known: everything takes text, count, ratio"),
    ],
)
def test_a_bad_argument_is_refused_with_field_value_and_rule(raw: dict[str, Any], message: str) -> None:
    assert message in refused(**raw)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ToolFailed, match="text is missing"):
        arguments(everything, {})


def test_defaults_are_the_functions_own() -> None:
    assert read() == {"text": "t"}


def test_the_context_is_hidden_from_the_model() -> None:
    async def named(ctx, x: int) -> None: ...  # type: ignore[no-untyped-def]

    async def typed(room: ToolContext, x: int) -> None: ...

    async def without(x: int) -> None: ...

    assert [parameters_of(fn)[1] for fn in (named, typed, without)] == [True, True, False]
    assert all(list(parameters_of(fn)[0]["properties"]) == ["x"] for fn in (named, typed, without))


def test_a_parameter_without_a_type_is_refused_by_name() -> None:
    async def careless(ctx, city, days: int = 1) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(Invalid, match="'city' of careless needs a type"):
        parameters_of(careless)


def test_types_that_cannot_be_told_are_refused_when_the_tool_is_made() -> None:
    async def starred(*names: str) -> None: ...
    async def opaque(thing: object) -> None: ...
    async def endless(nest: Nest) -> None: ...
    async def deep(rows: list[list[list[list[list[int]]]]]) -> None: ...
    async def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    for fn, word in ((starred, "by its name"), (opaque, "object"), (endless, "itself"), (deep, "deeper"), (unknown, "Nowhere")):
        with pytest.raises(Invalid, match=word):
            parameters_of(fn)


def test_a_tool_without_a_docstring_is_refused() -> None:
    async def silent(x: int) -> None: ...

    with pytest.raises(Invalid, match="docstring"):
        tool(silent)


def test_a_value_of_the_wrong_kind_is_told_what_is_meant() -> None:
    with pytest.raises(ToolFailed) as failed:
        arguments(data_query, {"sql": "SELECT 1", "files": ["a.csv"]})
    assert str(failed.value) == """files: ['a.csv'] must be object, not array (Table names for files: {"t": "sales.csv"})"""
