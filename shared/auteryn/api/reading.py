"""What was sent, as typed records: unknown names, wrong types and too many bytes are refused with field, value and rule."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, TypeVar, cast, get_origin

import msgspec
from starlette.requests import Request
from starlette.types import Message, Receive

from auteryn.api.problems import TooLarge, TooSlow, WrongMedia
from auteryn.api.uploads import MEDIA, form_of
from auteryn.errors import Invalid
from auteryn.schema.record import Record, from_stranger
from auteryn.schema.refused import refused

T = TypeVar("T", bound=Record)

LEAST_BYTES = 10_000
"""Of a body, per second: 32 MB may take an hour, but nobody keeps a connection by sending nothing."""

JSON, ZIP = "application/json", "application/zip"


def in_time(receive: Receive, patience: timedelta) -> Receive:
    """The body as it arrives; raises `TooSlow` where, after `patience`, fewer than `LEAST_BYTES` a second have come."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience.total_seconds()

    async def piece() -> Message:
        nonlocal until
        try:
            async with asyncio.timeout_at(until):
                found = await receive()
        except TimeoutError as error:
            raise TooSlow(f"the body takes longer than {LEAST_BYTES:,} bytes a second would: send it again") from error
        until += len(found.get("body", b"")) / LEAST_BYTES
        return found

    return piece


async def file_of(request: Request, most: int) -> bytes:
    """The body as it is: a zip. Raises `TooLarge`, `WrongMedia`."""
    media = request.headers.get("content-type", ZIP).partition(";")[0].strip().lower()
    if media not in (ZIP, "application/octet-stream"):
        raise WrongMedia(f"Content-Type {media!r} is not read here: send {ZIP}")
    return await _raw(request, most)


async def body_of(request: Request, shape: type[T], most: int, *, form: bool = False) -> T:
    """The JSON body; an empty one is an empty object. `form`: files may come beside it, in a form.

    Raises `Invalid`, `TooLarge`, `WrongMedia`.
    """
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    raw, files = await form_of(request, most) if form and media == MEDIA else (await _raw(request, most), {})
    if raw and media not in (JSON, MEDIA if form else JSON) and not media.endswith("+json"):
        raise WrongMedia(f"Content-Type {media!r} is not read here: send {JSON}")
    try:
        given = from_stranger(raw or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("body", raw[:200].decode(errors="replace"), f"is no JSON: {error}") from error
    try:
        return msgspec.convert(_with(given, files), shape)
    except msgspec.ValidationError as error:
        raise refused(error, given, shape) from error


def query_of(request: Request, shape: type[T]) -> T:
    """The query's parameters. One that takes a single value may stand there once."""
    several = {field.name for field in msgspec.structs.fields(shape) if get_origin(field.type) is tuple}
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in several:
            given.setdefault(name, []).append(value)
        elif name in given:
            raise Invalid(name, value, "may stand in the query only once")
        else:
            given[name] = value
    try:
        return msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise refused(error, given, shape) from error


def _with(given: Any, files: dict[str, bytes]) -> Any:
    """The request and the files beside it; what has no place for them is refused for that."""
    match given:
        case {"files": dict()} if files:
            return given | {"files": given["files"] | files}
        case dict() if files:
            return {"files": files} | cast("dict[str, Any]", given)
        case _:
            return given


async def _raw(request: Request, most: int) -> bytes:
    """The body, read no further than the cap."""
    declared = request.headers.get("content-length", "0")
    found = bytearray()
    if not declared.isdecimal() or int(declared) <= most:
        async for chunk in request.stream():
            found += chunk
            if len(found) > most:
                break
        else:
            return bytes(found)
    raise TooLarge(f"the body has more than the {most:,} bytes that are taken here")
