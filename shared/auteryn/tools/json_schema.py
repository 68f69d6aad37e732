"""Whether a JSON value keeps a JSON Schema: the part of it that forms are made of.

Checked are `type enum const anyOf required properties additionalProperties items pattern` and the six minima and maxima;
what else a schema says is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from auteryn.tools.files import compiled

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def mismatch(value: Any, schema: dict[str, Any], where: str = "") -> str:
    """The first rule the value breaks, with the place it breaks it; "" if it keeps them all."""
    return next(_mismatches(value, schema, where), "")


def _mismatches(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    at = f" at {where}" if where else ""
    kinds = cast("list[str]", [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", []))
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"must be {' or '.join(kinds)}{at}"
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None and value not in choices:
        yield f"must be one of {', '.join(map(repr, choices))}{at}"
    if (options := schema.get("anyOf")) and all(mismatch(value, one, where) for one in options):
        yield f"must be one of {len(options)} forms{at}: {mismatch(value, options[0], where)}"
    if isinstance(value, dict):
        yield from _in_object(cast("dict[str, Any]", value), schema, where)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        yield from _bounds(len(items), schema, "Items", f"entries{at}")
        for index, item in enumerate(items if "items" in schema else []):
            yield from _mismatches(item, schema["items"], f"{where}[{index}]")
    elif isinstance(value, str):
        yield from _bounds(len(value), schema, "Length", f"characters{at}")
        if "pattern" in schema and not compiled(schema["pattern"], "json_schema").search(value):
            yield f"must match {schema['pattern']}{at}"
    elif isinstance(value, int | float):
        yield from _bounds(value, schema, "imum", at.lstrip())


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    whole = kind == "integer" and isinstance(value, float) and value.is_integer()
    return whole or isinstance(value, _TYPES.get(kind, ()))


def _in_object(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    known: dict[str, Any] = schema.get("properties", {})
    dot = f"{where}." if where else ""
    for name in schema.get("required", []):
        if name not in value:
            yield f"must have {dot}{name}"
    others = schema.get("additionalProperties", True)
    for name, part in value.items():
        if name in known:
            yield from _mismatches(part, known[name], f"{dot}{name}")
        elif others is False:
            yield f"must not have {dot}{name}"
        elif isinstance(others, dict):
            yield from _mismatches(part, cast("dict[str, Any]", others), f"{dot}{name}")


def _bounds(size: float, schema: dict[str, Any], kind: str, of: str) -> Iterator[str]:
    if size < schema.get(f"min{kind}", size):
        yield f"must be at least {schema[f'min{kind}']} {of}".rstrip()
    if size > schema.get(f"max{kind}", size):
        yield f"must be at most {schema[f'max{kind}']} {of}".rstrip()
