"""A stranger's JSON Schema as Gemini takes it: one bad schema would refuse the whole request."""

from __future__ import annotations

from typing import Any, cast

DEEPEST = 5
LONGEST = 300
"""Characters of a parameter's description."""
MOST_PARAMETERS = 60
_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})
_KEPT = ("minimum", "maximum", "minItems", "maxItems")

Schema = dict[str, Any]


def sanitised(schema: Any) -> Schema:
    """An object's schema with types, descriptions, enums and required names; references inlined, everything else left out."""
    root = _mapping(schema)
    found = _plain({**root, "type": "object"}, _mapping(root.get("$defs")) | _mapping(root.get("definitions")), 0)
    found.setdefault("properties", {})
    return found


def _plain(schema: Any, defs: Schema, depth: int) -> Schema:
    given = _resolved(schema, defs)
    if depth > DEEPEST:
        return {"type": "string"}
    options = [one for key in ("anyOf", "oneOf") for one in _listing(given.get(key)) if _mapping(one).get("type") != "null"]
    if options and "properties" not in given:
        many = [_plain(one, defs, depth + 1) for one in options[:8]]
        return {**many[0], **_described(given)} if len(many) == 1 else {"anyOf": many}
    kinds = [one for one in (given["type"] if isinstance(given.get("type"), list) else [given.get("type")]) if one in _TYPES]
    kind = kinds[0] if kinds else "object" if "properties" in given else "array" if "items" in given else "string"
    out: Schema = {"type": kind, **_described(given)}
    if kind == "object":
        properties = _mapping(given.get("properties"))
        out["properties"] = {
            str(name): _plain(one, defs, depth + 1) for name, one in list(properties.items())[:MOST_PARAMETERS]
        }
        required = [name for name in _listing(given.get("required")) if name in out["properties"]]
        out |= {"required": required} if required else {}
        out = out if out["properties"] or depth == 0 else {key: one for key, one in out.items() if key != "properties"}
    elif kind == "array":
        out["items"] = _plain(given.get("items", {}), defs, depth + 1)
    elif kind == "string":
        choices = [given["const"]] if "const" in given else _listing(given.get("enum"))
        texts = [one for one in choices if isinstance(one, str)]
        out |= {"enum": texts[:100]} if texts else {}
    out |= {key: given[key] for key in _KEPT if isinstance(given.get(key), int | float) and not isinstance(given[key], bool)}
    return out


def _resolved(schema: Any, defs: Schema) -> Schema:
    given = _mapping(schema)
    for _ in range(DEEPEST):
        reference = given.get("$ref")
        if not isinstance(reference, str):
            break
        given = _mapping(defs.get(reference.rpartition("/")[2])) | {k: v for k, v in given.items() if k != "$ref"}
    return given


def _described(given: Schema) -> Schema:
    from auteryn.tools.untrusted import cleaned

    said = given.get("description")
    return {"description": cleaned(" ".join(said.split()))[:LONGEST]} if isinstance(said, str) and said.strip() else {}


def _mapping(value: Any) -> Schema:
    return dict(cast("Schema", value)) if isinstance(value, dict) else {}


def _listing(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list) else []
