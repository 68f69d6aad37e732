"""The base of every stored shape, its ids and its JSON.

A record is a frozen `msgspec.Struct`: unknown fields are refused, defaults are left out of the JSON, unions carry their
`kind`. A value is no part of a cycle, so the garbage collector passes it by. (Why not pydantic here: decision 0001.)
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

import msgspec
from msgspec import Meta

from auteryn.errors import Corrupt, Invalid

R = TypeVar("R")

_SEPARATOR = "\x1f"


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _KeywordOnly(type(msgspec.Struct)):
    """msgspec inherits every option but `kw_only`; here that one is inherited too."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, kw_only=options.pop("kw_only", True), **options)


class Record(msgspec.Struct, metaclass=_KeywordOnly, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A value that is stored or sent. Equal when its fields are equal; changed only by `msgspec.structs.replace`."""


def new_id(kind: str) -> str:
    """A fresh unguessable id such as `run_4f0c…` (80 random bits, URL-safe)."""
    return f"{kind}_{os.urandom(10).hex()}"


def derived_id(kind: str, *of: object) -> str:
    """The id that always follows from `of`: the same effect gets the same id in every slice and every retry."""
    return f"{kind}_{hashlib.blake2b(_SEPARATOR.join(map(str, of)).encode(), digest_size=10).hexdigest()}"


_encoder = msgspec.json.Encoder(order=None)


def _own_form(value: Any) -> Any:
    """What another library's value says of itself (a pydantic model, a table, an array and its numbers), else its `str()`."""
    if isinstance(value, type):
        return str(value)
    if dump := getattr(value, "model_dump", None):
        return dump(mode="json")
    own = getattr(value, "to_dict", None) or getattr(value, "tolist", None)
    return own() if own else str(value)


_plain_encoder = msgspec.json.Encoder(enc_hook=_own_form)
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def to_json(value: Any) -> bytes:
    """The stored form: compact UTF-8 JSON, defaults left out. Raises `Invalid` for half of a surrogate pair: no text."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise no_text(error) from None


def full(value: Any) -> Any:
    """As JSON-ready builtins with every field: records leave defaults out where they are stored."""
    match value:
        case msgspec.Struct():
            config = value.__struct_config__
            tagged = {config.tag_field: config.tag} if config.tag_field else {}
            return {**tagged, **{name: full(getattr(value, name)) for name in value.__struct_fields__}}
        case dict():
            return {str(name): full(one) for name, one in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [full(one) for one in cast("list[Any]", value)]
        case _:
            return msgspec.to_builtins(value)


def no_text(error: UnicodeEncodeError) -> Invalid:
    return Invalid("text", error.object, f"holds half of a surrogate pair at character {error.start}, which is no text")


def as_text(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair: what file names in other encodings are read as."""
    return text.encode(errors="replace").decode()


def plain(value: Any) -> Any:
    """`value` as it will come back from the journal: JSON values only."""
    try:
        return msgspec.json.decode(_plain_encoder.encode(value))
    except UnicodeEncodeError:
        made = msgspec.to_builtins(value, enc_hook=_own_form, str_keys=True)
        return msgspec.json.decode(as_text(json.dumps(made, ensure_ascii=False)))
    except Exception as error:  # noqa: BLE001 - what a stranger's value says of itself is a stranger's code
        return {"note": f"it is done, and what came of it has no JSON form: {error}"}


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys: equal values have equal bytes. For hashes only."""
    try:
        return msgspec.json.encode(msgspec.to_builtins(value), order="sorted")
    except UnicodeEncodeError as error:
        raise no_text(error) from None


def from_json(raw: bytes | str, shape: type[R], *, where: str = "a stored record") -> R:
    """Read a stored record; raises `Corrupt` naming `where` if it is not one."""
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt(f"{where} cannot be read: {error}") from error


def from_stranger(raw: bytes | str) -> Any:
    """What a person or another program sent as JSON. Raises msgspec's errors, and `Invalid` where a name stands twice in one
    object: which of the two was meant, nobody knows."""
    given: Any = msgspec.json.decode(raw)
    json.loads(raw, object_pairs_hook=_each_once, parse_int=str, parse_float=str, strict=False)
    return given


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise Invalid(name, [value for at, value in pairs if at == name], "stands in one object more than once: say it once")


Moment = Annotated[datetime, Meta(tz=True)]
"""A time that somebody gives, with its zone: `2026-01-05T09:00:00Z`."""


def utc(moment: datetime) -> datetime:
    """The same instant, aware and in UTC; a naive time is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
