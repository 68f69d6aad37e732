"""Errors as RFC 9457 problem documents: what `errors.py` says, for programs."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from auteryn.errors import AuterynError, Invalid, Refused, Retryable
from auteryn.schema.record import Record

SHOWN = 200
"""Characters of a refused value that are sent back."""


class Unauthenticated(Refused):
    """Nobody we know."""

    code = "unauthenticated"
    http_status = 401


class NoSuchMethod(Refused):
    """The address exists; this method does not. `allow` names those that do."""

    code = "no_such_method"
    http_status = 405

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class CutOff(Refused):
    """The caller hung up before the request's body had come."""

    code = "cut_off"
    http_status = 400


class TooSlow(Refused):
    """The request's body does not come."""

    code = "too_slow"
    http_status = 408


class TooLarge(Refused):
    """The request has more bytes than this address takes."""

    code = "too_large"
    http_status = 413


class WrongMedia(Refused):
    """The body is not JSON."""

    code = "wrong_media"
    http_status = 415


class OutOfRange(Refused):
    """The bytes asked for are not in the file."""

    code = "out_of_range"
    http_status = 416

    def __init__(self, message: str, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes


class Problem(Record):
    """Why a request was refused or failed. `code` is stable; `field`, `value` and `rule` are there when a value was refused."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    value: Any = None
    rule: str | None = None
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""


def problem(error: AuterynError) -> Response:
    """The answer that says what went wrong and, where it helps, when to try again."""
    seconds = error.retry_after.total_seconds() if isinstance(error, Retryable) and error.retry_after else None
    found = Problem(
        type=f"urn:auteryn:problem:{error.code}",
        title=error.code.replace("_", " ").capitalize(),
        status=error.http_status,
        detail=str(error),
        code=error.code,
        field=error.field if isinstance(error, Invalid) else None,
        value=_shown(error.value) if isinstance(error, Invalid) else None,
        rule=error.rule if isinstance(error, Invalid) else None,
        retry_after=None if seconds is None else max(1, -int(-seconds // 1)),
    )
    body = msgspec.json.encode(found)
    return Response(body, error.http_status, _headers(error, found), media_type="application/problem+json")


def unexpected() -> AuterynError:
    """Something of ours is broken: the log knows what, the caller does not."""
    return AuterynError("something went wrong here; the server's log says what")


def _headers(error: AuterynError, found: Problem) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if found.retry_after is not None:
        headers["Retry-After"] = str(found.retry_after)
    match error:
        case Unauthenticated():
            headers["WWW-Authenticate"] = "Bearer"
        case NoSuchMethod():
            headers["Allow"] = error.allow
        case TooSlow():
            headers["Connection"] = "close"
        case OutOfRange():
            headers["Content-Range"] = f"bytes */{error.size_bytes}"
        case _:
            pass
    return headers


def _shown(value: Any) -> Any:
    """The value if it is small and JSON, else the beginning of how it reads."""
    try:
        if len(msgspec.json.encode(value)) <= SHOWN:
            return value
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    text = value if isinstance(value, str) else repr(value)
    return text[: SHOWN - 1] + "…"
