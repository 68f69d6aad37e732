"""What Google's services say, in the words of `auteryn.errors`; and which of it is worth another try."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError

from auteryn.errors import AuterynError, Conflict, Invalid, NotFound, RateLimited, Unavailable

T = TypeVar("T")

TRANSIENT = (
    google.ServiceUnavailable,
    google.TooManyRequests,
    google.InternalServerError,
    google.GatewayTimeout,
    google.Aborted,
    google.Unknown,
)
"""`GatewayTimeout` is gRPC's DEADLINE_EXCEEDED. Whether the call took effect is not known: only calls that may be made twice
are repeated."""

CALL_SECONDS = 5.0
"""Longest wait for one reply."""

PATIENCE = timedelta(seconds=15)
"""How long a call is repeated: a quarter of a lease, so that its holder learns in time that it cannot prove its right."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0


async def persist(call: Callable[[], Awaitable[T]], patience: timedelta = PATIENCE) -> T:
    """What `call` returns, made again after transient failures until `patience` is over; then the last failure is raised.

    It is made twice at least: where the process stood still (a host that moves, a lid that was shut) the first one's time is
    over before it was sent.
    """
    give_up_at, pause, again = time.monotonic() + patience.total_seconds(), FIRST_PAUSE_SECONDS, False
    while True:
        try:
            return await call()
        except TRANSIENT:
            nap = random.uniform(pause / 2, pause)
            if again and time.monotonic() + nap > give_up_at:
                raise
            again = True
        await asyncio.sleep(nap)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def from_google(error: google.GoogleAPICallError, what: str) -> AuterynError:
    """The typed error for one of theirs; raise it `from error`. `what` names the thing that was called.

    What they refuse us is never `NotAllowed`: that would be said to whoever asked us, who cannot mend it.
    """
    said = f"{what}: {error.message or error}"
    match error:
        case google.TooManyRequests():
            return RateLimited(f"{said} (a quota is used up: wait, or raise it in the console)", retry_after=_SOON)
        case google.Unauthorized() | google.Forbidden():
            hint = "give this service account the role it needs, or check the credentials"
            return Unavailable(f"{said} ({hint})", retry_after=_SOME_TIME)
        case google.NotFound():
            return NotFound(said)
        case google.Aborted():
            return Unavailable(said, retry_after=_SOON)
        case google.Conflict() | google.PreconditionFailed() | google.FailedPrecondition():
            return Conflict(said)
        case google.BadRequest():
            return Invalid("request", said, "was refused as malformed")
        case _:
            return Unavailable(said, retry_after=_SOON)


def for_now(error: GoogleAuthError) -> bool:
    """Whether there is no token only because whoever issues it did not answer: the metadata server, Google's token endpoint."""
    return bool(error.retryable) or isinstance(error, TransportError) or isinstance(error.__cause__, TransportError)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def from_auth(error: GoogleAuthError, what: str) -> AuterynError:
    """The typed error where the credentials gave no token; raise it `from error`."""
    if for_now(error):
        return Unavailable(f"{what}: no token could be had: {error}", retry_after=_SOON)
    hint = "gcloud auth application-default login"
    return Unavailable(f"{what}: the credentials were not accepted: {error} ({hint})", retry_after=_SOME_TIME)


_SOON, _SOME_TIME = timedelta(seconds=1), timedelta(minutes=1)
