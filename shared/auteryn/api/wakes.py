"""What `functions/dispatch` answers: wakes from Cloud Tasks, ready steps from Pub/Sub, the sweep of every minute."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from auteryn.api.auth import IdTokens
from auteryn.api.problems import CutOff, NoSuchMethod, Unauthenticated, problem
from auteryn.errors import AuterynError, Invalid, NotFound
from auteryn.policy import cloud
from auteryn.runtime.dispatch import Here, dispatch, sweep
from auteryn.runtime.engine import Engine

LARGEST = 64_000

SWEPT_AT_ONCE = 10

WOKEN = Here(folds=True)
PUSHED = Here(folds=True, fast=cloud.PUSH_SLICE_STOP)
"""A FAST step is worked on inside its push; a FAST run that was handed over goes on in a job."""


async def respond(request: Request, engine: Engine, id_tokens: IdTokens, callers: Collection[str]) -> Response:
    """204 once it is done; a problem document with 5xx lets the sender come again."""
    try:
        await _respond(request, engine, id_tokens, callers)
    except AuterynError as error:
        return problem(error)
    except ClientDisconnect:
        return problem(CutOff("the body was cut off"))
    return Response(status_code=204)


async def _respond(request: Request, engine: Engine, id_tokens: IdTokens, callers: Collection[str]) -> None:
    path = request.url.path
    if path == cloud.HEALTH_PATH:
        return
    if path not in (cloud.WAKE_PATH, cloud.STEPS_PATH, cloud.SWEEP_PATH):
        raise NotFound(f"there is nothing at {path!r}")
    if request.method != "POST":
        raise NoSuchMethod(f"{path!r} takes POST only", "POST")
    await _check(request, id_tokens, callers)
    match path:
        case cloud.WAKE_PATH:
            await dispatch(engine, woken(await _body(request)), WOKEN)
        case cloud.STEPS_PATH:
            await dispatch(engine, pushed(await _body(request)), PUSHED)
        case _:
            await sweep(engine, at_once=SWEPT_AT_ONCE)


async def _check(request: Request, id_tokens: IdTokens, callers: Collection[str]) -> None:
    """Raises `Unauthenticated` for everybody but the service accounts named in `callers`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    email = await id_tokens.email_of(token) if scheme.lower() in ("bearer", "") else None
    if email is None or email not in callers:
        raise Unauthenticated("this is for the service accounts of the queue, the bus and the scheduler")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise Invalid("body", len(body), f"has more than {LARGEST:,} bytes")
    return bytes(body)


def woken(task: bytes) -> str:
    """Whom a task of the queue wakes; raises `Invalid` for what is no wake."""
    return _run(_json(task))


def pushed(push: bytes) -> str:
    """Whose step a push of the bus is about: `{"run": …}`, in the message's data. Raises `Invalid` for what is none."""
    envelope = _json(push)
    try:
        published = msgspec.json.decode(b64decode(envelope["message"]["data"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("body", envelope, "is no push of Pub/Sub with JSON data") from error
    return _run(published)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid("body", body[:100], f"is no JSON: {error}") from error


def _run(found: Any) -> str:
    match found:
        case {"run": str(run)}:
            return run
        case _:
            raise Invalid("run", found, "must name a run")
