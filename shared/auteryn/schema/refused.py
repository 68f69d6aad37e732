"""What msgspec refuses, as field, value and rule."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import inspect

from auteryn.errors import Invalid

_PLACE = re.compile(r"(?P<rule>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_NAMED = re.compile(r"Object (?P<how>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_STEPS = re.compile(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def refused(error: msgspec.ValidationError, given: Any, shape: Any, of: str = "") -> Invalid:
    """`given` was to become `shape`. `of`: the field that it is itself."""
    found = _PLACE.fullmatch(str(error))
    assert found
    rule, path = found["rule"], (found["path"] or "").lstrip(".")
    kinds = _kinds(inspect.type_info(shape), _STEPS.findall(path))
    if named := _NAMED.fullmatch(rule):
        path = f"{path}.{named['name']}" if path else named["name"]
        known = [one.encode_name for kind in kinds if isinstance(kind, inspect.StructType) for one in kind.fields]
        rule = "must be given" if named["how"] == "missing required" else f"is not known here; {', '.join(known)} are"
    elif rule.startswith("Invalid enum value"):
        words = [str(one) for kind in kinds if isinstance(kind, inspect.LiteralType) for one in kind.values]
        rule = f"is none of {', '.join(words)}"
    return Invalid(".".join(filter(None, (of, path))) or "body", _at(given, path), rule[0].lower() + rule[1:])


def _at(given: Any, path: str) -> Any:
    """What stands at `steps[1].depends_on[0]`; what is not there, or has no exact place, is None."""
    for name, index in _STEPS.findall(path):
        try:
            given = given[name] if name else given[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return given


def _kinds(kind: inspect.Type, steps: list[tuple[str, str]]) -> list[inspect.Type]:
    """The types of what may stand there."""
    match kind:
        case inspect.Metadata():
            return _kinds(kind.type, steps)
        case inspect.UnionType():
            return [found for one in kind.types for found in _kinds(one, steps)]
        case _ if not steps:
            return [kind]
        case inspect.StructType():
            return [found for one in kind.fields if one.encode_name == steps[0][0] for found in _kinds(one.type, steps[1:])]
        case inspect.ListType() | inspect.VarTupleType():
            return _kinds(kind.item_type, steps[1:])
        case inspect.DictType():
            return _kinds(kind.value_type, steps[1:])
        case _:
            return []
