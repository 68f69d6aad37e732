"""From a typed function to the JSON Schema the model sees, and from the model's arguments back to Python values.

A description is `Annotated[T, "text"]`; limits are `msgspec.Meta(ge=1)` or pydantic's `Field(description=..., ge=1)`. Types
are those msgspec knows, and pydantic models. (Inside a TypedDict, dataclass or Struct only `msgspec.Meta` is read.)

The schema is what Gemini takes: no `$ref`, no `title`, nothing beside `anyOf`, at most four levels deep.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from auteryn.errors import Invalid, ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.catalogue import shipped

if TYPE_CHECKING:
    from auteryn.tools.tool import Tool

DEEPEST = 4
"""Lists and objects inside each other, the arguments object not counted."""

_KEPT = frozenset(
    {"type", "description", "enum", "format", "default", "minimum", "maximum", "minItems", "maxItems", "required"}
)
_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
_NOTHING: dict[str, Any] = {}
_UNIONS = (Union, types.UnionType)


def parameters_of(fn: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The JSON Schema of the arguments, and whether the function takes a context first.

    Raises `Invalid` naming the parameter that has no type, or one the model could not be told of.
    """
    if known := shipped(fn):
        return known.parameters, known.takes_context
    shape = shape_of(fn)
    return shape.schema, shape.takes_context


def arguments(tool: Tool, raw: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the function wants them; what was not given is left out, so that its defaults hold.

    Lax where there is one meaning only: "5" is 5, 5.0 is 5, "true" is true, a JSON text is the list or object it spells,
    null is "not given", at any depth. Else raises `ToolFailed("invalid")` naming field, value and rule.
    """
    if tool.check is not None:
        return tool.check(raw)
    shape = shape_of(tool.fn)
    given = {name: value for name, value in raw.items() if value is not None or name not in shape.never_null}
    while True:  # every round takes one text or null away
        try:
            values = msgspec.convert(given, shape.model, strict=False, dec_hook=_from_json)
        except msgspec.ValidationError as error:
            place = _Place(str(error), given)
            if not place.mend(given):
                raise ToolFailed("invalid", place.told(tool.name, shape.schema)) from error
        else:
            return {name: value for name in shape.names if (value := getattr(values, name)) is not msgspec.UNSET}


# ---- reading the function ------------------------------------------------------------------------------------


class Shape(Record):
    """What a signature says."""

    model: Any
    """A Struct with one field a parameter."""
    schema: dict[str, Any]
    takes_context: bool
    names: tuple[str, ...]
    never_null: frozenset[str]
    """Parameters with a default whose type has no None."""


@cache
def shape_of(fn: Callable[..., Any]) -> Shape:
    """The signature, read anew once per process."""
    parameters = list(inspect.signature(fn).parameters.values())
    takes_context = bool(parameters) and _is_context(parameters[0]) and parameters[0].kind is not inspect.Parameter.KEYWORD_ONLY
    parameters = parameters[takes_context:]
    fields, defaults = list[tuple[str, Any, Any]](), dict[str, Any]()
    for parameter in parameters:
        hint, default = _read(fn, parameter)
        optional = default is not inspect.Parameter.empty
        fields.append(
            (parameter.name, hint, msgspec.field(default_factory=lambda: msgspec.UNSET) if optional else msgspec.field())
        )
        if optional:
            defaults[parameter.name] = default
    model, schema = _modelled(fn, fields)
    for name, default in defaults.items():
        schema["properties"][name] = _with_default(schema["properties"][name], default)
    never_null = frozenset(name for name, hint, _ in fields if name in defaults and not _takes_none(hint))
    names = tuple(name for name, _, _ in fields)
    return Shape(model=model, schema=schema, takes_context=takes_context, names=names, never_null=never_null)


def _is_context(parameter: inspect.Parameter) -> bool:
    note = parameter.annotation
    name = note if isinstance(note, str) else getattr(note, "__name__", "")
    return parameter.name == "ctx" or name.rpartition(".")[2] == "ToolContext"


def _read(fn: Callable[..., Any], parameter: inspect.Parameter) -> tuple[Any, Any]:
    """The parameter's type as msgspec takes it, and its default."""
    name, kind = parameter.name, parameter.kind
    if kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise Invalid("parameter", str(parameter), f"of {fn.__name__} must be one that is passed by its name")
    if _is_context(parameter):
        raise Invalid("parameter", name, f"of {fn.__name__} is the context: it must come first, passed by place")
    if parameter.annotation is parameter.empty:
        if name in ("self", "cls"):
            raise Invalid("parameter", name, f"of {fn.__name__} is a method's own: make the tool of `thing.{fn.__name__}`")
        raise Invalid("parameter", name, f"of {fn.__name__} needs a type: it becomes the schema the model sees")
    home = getattr(inspect.unwrap(fn), "__globals__", {})
    holder = cast("Any", types.SimpleNamespace(__annotations__={name: parameter.annotation}))
    try:
        hint = get_type_hints(holder, home, include_extras=True)[name]
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise Invalid(
            "parameter", name, f"of {fn.__name__} has a type that cannot be found at the top of its module: {error}"
        ) from error
    default = parameter.default
    if hasattr(default, "metadata") and hasattr(default, "description"):  # `city: str = Field(..., description="…")`
        hint, default = Annotated[hint, default], default.default
        if type(default).__name__ in ("PydanticUndefinedType", "ellipsis"):
            default = parameter.empty
    return _noted(hint), default


def _noted(hint: Any) -> Any:
    """The type with one `msgspec.Meta` in place of strings, pydantic's fields and several Metas."""
    if get_origin(hint) is not Annotated:
        return hint
    inner, *notes = get_args(hint)
    texts, limits = list[str](), dict[str, Any]()
    for note in notes:
        for one in (note, *getattr(note, "metadata", ())):
            limits |= {key: value for key in _LIMITS if (value := getattr(one, key, None)) is not None}
        texts += [text for text in (note if isinstance(note, str) else getattr(note, "description", None),) if text]
    return Annotated[_limited(_noted(inner), limits), msgspec.Meta(description=" ".join(texts) or None)]


def _limited(hint: Any, limits: dict[str, Any]) -> Any:
    """Limits go to what they can limit: not to the None of an optional."""
    if not limits:
        return hint
    if get_origin(hint) in _UNIONS:
        return Union[tuple(_limited(one, limits) for one in get_args(hint))]  # noqa: UP007
    return hint if hint is type(None) else Annotated[hint, msgspec.Meta(**limits)]


def _takes_none(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _takes_none(get_args(hint)[0])
    return hint in (None, type(None), Any) or (get_origin(hint) in _UNIONS and any(map(_takes_none, get_args(hint))))


def _modelled(fn: Callable[..., Any], fields: list[tuple[str, Any, Any]]) -> tuple[Any, dict[str, Any]]:
    try:
        model = msgspec.defstruct(fn.__name__, fields, kw_only=True, forbid_unknown_fields=True)
        (top,), parts = msgspec.json.schema_components((model,), ref_template="{name}", schema_hook=_pydantic_schema)
    except TypeError as error:
        raise Invalid("parameters", fn.__name__, f"have a type the model cannot be told of: {error}") from error
    schema = _plain(top, parts, fn.__name__)
    schema.pop("description", None)
    schema.setdefault("properties", {})
    if any(_depth(part) > DEEPEST for part in schema["properties"].values()):
        raise Invalid("parameters", fn.__name__, f"nest deeper than {DEEPEST} levels: give the parts as separate parameters")
    return model, schema


# ---- pydantic, without importing it --------------------------------------------------------------------------


def _pydantic_schema(model: Any) -> dict[str, Any]:
    if not hasattr(model, "model_json_schema"):
        raise TypeError(f"{model!r} is no type with a JSON form")
    schema: dict[str, Any] = model.model_json_schema()
    return schema


def _from_json(model: Any, value: Any) -> Any:
    try:
        return model.model_validate(value)
    except ValueError as error:
        found = cast("list[dict[str, Any]]", cast("Any", error).errors()) if hasattr(error, "errors") else []
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise ValueError(told or str(error)) from error


# ---- the schema ----------------------------------------------------------------------------------------------


def _plain(node: Any, parts: dict[str, Any], owner: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """One node without references, titles and keys Gemini does not know."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in above:
            raise Invalid(
                "parameters", owner, f"contain {name}, which contains itself: a model cannot be told of endless nesting"
            )
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return _plain(parts[name] | rest, parts, owner, (*above, name))
    parts = parts | node.get("$defs", {})
    out = {key: value for key, value in node.items() if key in _KEPT and (value or key != "required")}
    if out.get("default", 0) is None:
        del out["default"]
    _bounds(node, out)
    if "const" in node:
        out["enum"] = [node["const"]]
    if "properties" in node:
        out["properties"] = {key: _plain(value, parts, owner, above) for key, value in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out[key] = _plain(node[key], parts, owner, above)
    if "prefixItems" in node:
        out["prefixItems"] = [_plain(one, parts, owner, above) for one in node["prefixItems"]]
    if either := node.get("anyOf") or node.get("oneOf"):
        return _either([_plain(one, parts, owner, above) for one in either], out)
    if "enum" in out and "type" not in out:
        out["type"] = _type_of(out["enum"])
    return out


def _bounds(node: dict[str, Any], out: dict[str, Any]) -> None:
    """Gemini knows inclusive bounds only; the exact ones are kept when the arguments are read."""
    step = 1 if node.get("type") == "integer" else 0
    if "exclusiveMinimum" in node:
        out["minimum"] = node["exclusiveMinimum"] + step
    if "exclusiveMaximum" in node:
        out["maximum"] = node["exclusiveMaximum"] - step


def _either(options: list[dict[str, Any]], beside: dict[str, Any]) -> dict[str, Any]:
    """A union: one type if it can be, else `anyOf` alone, its description with the first option.

    Null is left out: an optional parameter is one that need not be given.
    """
    first, *more = [one for one in options if one.get("type") != "null"] or options
    if not more:
        return {**first, **beside}
    kinds = [first, *more]
    if all(set(one) == {"type"} for one in kinds):
        return {"type": [one["type"] for one in kinds], **beside}
    return {"anyOf": [{**first, **beside}, *more]}


def _type_of(values: list[Any]) -> str:
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    return "integer" if all(isinstance(value, int) for value in values) else "string"


def _with_default(node: dict[str, Any], default: Any) -> dict[str, Any]:
    if default is None:
        return node
    value = msgspec.json.decode(msgspec.json.encode(default))
    if "anyOf" in node:
        first, *more = node["anyOf"]
        return {"anyOf": [{**first, "default": value}, *more]}
    return {**node, "default": value}


def _depth(node: dict[str, Any]) -> int:
    below = [*node.get("properties", {}).values(), *node.get("prefixItems", []), *node.get("anyOf", [])]
    below += [node[key] for key in ("items", "additionalProperties") if key in node]
    holds = node.get("type") in ("object", "array")
    return holds + max((_depth(one) for one in below), default=0)


# ---- what was wrong ------------------------------------------------------------------------------------------


class _Place:
    """Where msgspec's complaint points, and what it says there."""

    def __init__(self, complaint: str, given: dict[str, Any]) -> None:
        self.rule, _, where = complaint.partition(" - at ")
        path = re.search(r"`\$\.?([^`]*)`", where)
        self.field = path[1] if path else ""
        self.steps: list[str | int] = []
        self.value: Any = given
        for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", self.field.partition("[...]")[0]):
            self.steps.append(int(index) if index else name)
            self.value = self.value[self.steps[-1]]

    def mend(self, given: dict[str, Any]) -> bool:
        """A list or object that came as JSON text is put in its place, a null below is taken out; whether it was one."""
        if not self.steps or "[...]" in self.field:
            return False
        if isinstance(self.value, str) and self.value.lstrip()[:1] in ("[", "{"):
            try:
                self._holder(given)[self.steps[-1]] = msgspec.json.decode(self.value)
            except (msgspec.DecodeError, RecursionError):
                return False
            return True
        if self.value is None and len(self.steps) > 1 and isinstance(self.steps[-1], str):
            del self._holder(given)[self.steps[-1]]
            return True
        return False

    def _holder(self, given: dict[str, Any]) -> Any:
        """What holds the value, its own all the way down: the call itself stays as the model made it."""
        here: Any = given
        for step in self.steps[:-1]:
            here[step] = copy(here[step])
            here = here[step]
        return here

    def told(self, tool: str, schema: dict[str, Any]) -> str:
        """One sentence: field, value, rule."""
        node = _schema_at(schema, self.steps)
        known = ", ".join(name for one in _options(node) for name in one.get("properties", {}))
        dot = "." if self.field else ""
        if missing := re.search(r"missing required field `(.*)`", self.rule):
            return f"{self.field}{dot}{missing[1]} is missing: {self.field or tool} takes {known}"
        if unknown := re.search(r"unknown field `(.*)`", self.rule):
            value = self.value.get(unknown[1])
            rule = f"is not known: {self.field or tool} takes {known or 'no arguments'}"
            return str(Invalid(f"{self.field}{dot}{unknown[1]}", value, rule))
        if self.rule.startswith("Invalid enum value") and (choices := _choices(node)):
            return str(Invalid(self.field, self.value, f"must be one of {choices}"))
        rule = re.sub(r"^Expected ", "must be ", self.rule).replace(", got ", ", not ").replace(" | null", "").replace("`", "")
        meant = node.get("description") or next((text for one in _options(node) if (text := one.get("description"))), "")
        told = str(Invalid(self.field or tool, self.value, rule if rule != self.rule else f"is refused: {rule}"))
        return f"{told} ({meant})" if meant and self.steps else told


def _schema_at(schema: dict[str, Any], steps: list[str | int]) -> dict[str, Any]:
    here: dict[str, Any] = schema
    for step in steps:
        here = next((below for one in _options(here) if (below := _below(one, step))), _NOTHING)
    return here


def _below(node: dict[str, Any], step: str | int) -> dict[str, Any]:
    return node.get("items", _NOTHING) if isinstance(step, int) else node.get("properties", _NOTHING).get(step, _NOTHING)


def _options(node: dict[str, Any]) -> list[dict[str, Any]]:
    return node.get("anyOf") or [node]


def _choices(node: dict[str, Any]) -> str:
    """What may stand there, where a part of it is a list of values."""
    options = _options(node)
    values = [repr(value) for one in options for value in one.get("enum", [])]
    return ", ".join(
        values + [f"any {one['type']}" for one in options if "enum" not in one and "type" in one] if values else []
    )
