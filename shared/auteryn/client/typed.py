"""What a program says is held to the types the method names, before any home or server hears of it (L15).

Python itself looks at no annotation: a text where a number belongs would be met in the middle of the work, or be stored.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache, wraps
from inspect import Parameter, isfunction, signature
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from auteryn.errors import Invalid

C = TypeVar("C")

LARGEST = 2**63
"""Whole numbers are smaller, on both sides of 0: what is stored or sent has no room for others."""
_LATER: dict[str, Any] = dict.fromkeys(("Agent", "RunView", "Spend", "Webhook"), Any)
"""Names that are imported for whoever checks types only."""
_WORDS: dict[Any, str] = {
    str: "a text",
    bytes: "bytes",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
    datetime: "a datetime with its time zone",
    Mapping: "a mapping",
    dict: "a dict",
    Sequence: "a list",
    Iterable: "a list",
    Callable: "a function",
}


def typed(kind: type[C]) -> type[C]:
    """The class, whose public methods raise `Invalid` for an argument that is not of its type."""
    for name, method in list(vars(kind).items()):
        if isfunction(method) and (name == "__init__" or not name.startswith("_")):
            setattr(kind, name, _typed(method))
    return kind


def _typed(method: Callable[..., Any]) -> Callable[..., Any]:
    asked = signature(method)
    several = {one.name for one in asked.parameters.values() if one.kind is Parameter.VAR_KEYWORD}

    @wraps(method)
    def held(*args: Any, **named: Any) -> Any:
        hints = _hints(method)
        try:
            given = asked.bind(*args, **named).arguments
        except TypeError as error:
            raise TypeError(f"{method.__qualname__}(): {error}") from None
        for name, value in given.items():
            if name in several:
                options = _options(hints[name])
                for option, one in value.items():
                    hold(option, one, options.get(option, Any))
            elif name in hints:
                hold(name, value, hints[name])
        return method(*args, **named)

    return held


@cache
def _hints(of: Any) -> dict[str, Any]:
    return typing.get_type_hints(of, localns=_LATER)


def _options(hint: Any) -> dict[str, Any]:
    """The fields of the `TypedDict` that `**options` unpack. One nobody knows is the use case's to refuse."""
    return _hints(get_args(hint)[0])


def hold(field: str, value: Any, hint: Any) -> None:
    """Raises `Invalid` naming the innermost part of the value that is not of its type. Which words a field knows, and how large
    a number may be, the use case says."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    fitting = [kind for kind in kinds if _fits(value, kind)]
    if not fitting:
        raise Invalid(field, value, f"must be {' or '.join(dict.fromkeys(map(_word, kinds)))}")
    parts = get_args(fitting[0])
    if len(fitting) > 1 or not parts:
        return
    if isinstance(value, Mapping):
        for name, one in cast("Mapping[Any, Any]", value).items():
            hold(f"a name in {field}", name, parts[0])
            hold(f"{field}[{name!r}]", one, parts[1])
    elif get_origin(fitting[0]) is Sequence and isinstance(value, list | tuple):
        for number, one in enumerate(cast("Sequence[Any]", value)):
            hold(f"{field}[{number}]", one, parts[0])


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str)
    shape = get_origin(kind) or kind
    if shape is Any or getattr(shape, "_is_protocol", False) or not isinstance(shape, type):
        return True
    if shape in (int, float):
        return isinstance(value, float if shape is float else ()) or (type(value) is int and -LARGEST <= value < LARGEST)
    if shape is datetime:
        return isinstance(value, datetime) and value.tzinfo is not None
    return isinstance(value, shape)


def _word(kind: Any) -> str:
    shape = str if get_origin(kind) is Literal else get_origin(kind) or kind
    return _WORDS.get(shape) or f"a {shape.__name__}"
