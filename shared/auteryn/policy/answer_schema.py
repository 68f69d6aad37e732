"""The part of JSON Schema an answer may be checked with. A schema with more than this is refused when the question is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from auteryn.errors import Invalid

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES = frozenset({"$schema", "title", "description", "default", "examples"})
_RULES = frozenset(
    {
        "type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf",
        "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
        "pattern",
    }
)  # fmt: skip
DEEPEST = 8

Schema = Mapping[str, Any]


def check_schema(schema: Any, at: str = "json_schema", depth: int = 0) -> None:
    """Raises `Invalid` naming the first word of the schema that would not be checked."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        raise Invalid(at, schema, f"must be a JSON Schema object, at most {DEEPEST} levels deep")
    words = cast("Schema", schema)
    for word in words:
        if word not in _NOTES | _RULES:
            raise Invalid(at, word, f"is not understood here; {', '.join(sorted(_RULES))} are")
    for kind in _types(words):
        if kind not in _TYPES:
            raise Invalid(f"{at}.type", kind, f"is none of {', '.join(_TYPES)}")
    if "pattern" in words:
        compiled(words["pattern"], f"{at}.pattern")
    for name, part in words.get("properties", {}).items():
        check_schema(part, f"{at}.properties.{name}", depth + 1)
    for number, part in enumerate(words.get("anyOf", ())):
        check_schema(part, f"{at}.anyOf[{number}]", depth + 1)
    for word in ("items", "additionalProperties"):
        if not isinstance(words.get(word, True), bool):
            check_schema(words[word], f"{at}.{word}", depth + 1)


def matches(value: Any, schema: Schema, at: str = "") -> str | None:
    """Why the value does not fit, or None if it does."""
    if (kinds := _types(schema)) and not any(_is(value, kind) for kind in kinds):
        return _said(at, f"must be {' or '.join(kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        return _said(at, f"must be one of {schema['enum']!r}")
    if "const" in schema and value != schema["const"]:
        return _said(at, f"must be {schema['const']!r}")
    if "pattern" in schema and isinstance(value, str) and not compiled(schema["pattern"]).search(value):
        return _said(at, f"must match the pattern {schema['pattern']!r}")
    if options := schema.get("anyOf"):
        reasons = [matches(value, one, at) for one in options]
        if all(reasons):
            return reasons[0]
    return _bounds(value, schema, at) or _inside(value, schema, at)


def _said(at: str, rule: str) -> str:
    return f"is refused: {at} {rule}" if at else rule


def _bounds(value: Any, schema: Schema, at: str) -> str | None:
    measured = (
        ("minimum", "maximum", value if _is(value, "number") else None, "must be"),
        ("minLength", "maxLength", len(value) if isinstance(value, str) else None, "must have a length of"),
        ("minItems", "maxItems", len(cast("list[Any]", value)) if isinstance(value, list) else None, "must have a count of"),
    )
    for least, most, size, words in measured:
        if size is None:
            continue
        if least in schema and size < schema[least]:
            return _said(at, f"{words} at least {schema[least]}")
        if most in schema and size > schema[most]:
            return _said(at, f"{words} at most {schema[most]}")
    return None


def _inside(value: Any, schema: Schema, at: str) -> str | None:
    if isinstance(value, list):
        return _items(cast("list[Any]", value), schema, at)
    if isinstance(value, dict):
        return _fields(cast("dict[str, Any]", value), schema, at)
    return None


def _items(value: Sequence[Any], schema: Schema, at: str) -> str | None:
    if not isinstance(schema.get("items"), Mapping):
        return None
    reasons = (matches(one, schema["items"], f"{at}[{number}]") for number, one in enumerate(value))
    return next((reason for reason in reasons if reason), None)


def _fields(value: dict[str, Any], schema: Schema, at: str) -> str | None:
    known: Schema = schema.get("properties", {})
    dot = f"{at}." if at else ""
    for name in schema.get("required", ()):
        if name not in value:
            return _said(f"{dot}{name}", "is missing")
    others = schema.get("additionalProperties", True)
    for name, one in value.items():
        if name not in known and others is False:
            return _said(f"{dot}{name}", f"is not known; {', '.join(known) or 'no others'} are")
        part = known.get(name, others)
        if isinstance(part, Mapping) and (reason := matches(one, cast("Schema", part), f"{dot}{name}")):
            return reason
    return None


def compiled(pattern: str, field: str = "validation") -> re.Pattern[str]:
    """RE2: no pattern, however hostile, takes longer than linear time."""
    import re2  # pyright: ignore[reportMissingTypeStubs]

    engine = cast("Any", re2)
    options = engine.Options()
    options.log_errors = False
    try:
        return engine.compile(pattern, options)
    except engine.error as error:
        raise Invalid(
            field, pattern, f"is no pattern RE2 understands (no lookaround nor back-references): {error.args[0].decode()}"
        ) from error


def _types(schema: Schema) -> tuple[str, ...]:
    kinds = schema.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _is(value: Any, kind: str) -> bool:
    """JSON's types: a boolean is no number, 2.0 is an integer."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
