"""One request, as its handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct, field
from starlette.requests import Request

from auteryn.api.auth import Auth, Caller
from auteryn.api.limits import Room
from auteryn.api.problems import Unauthenticated
from auteryn.api.stream import EventStream, Pace
from auteryn.api.views import RunView
from auteryn.errors import Invalid
from auteryn.runtime.engine import Engine
from auteryn.service.desk import Desk
from auteryn.service.new import LONGEST_KEY

Q = TypeVar("Q")
B = TypeVar("B")


class Call(Struct, Generic[Q, B], frozen=True):
    """Checked: the caller may do this, query and body have their shapes."""

    request: Request
    engine: Engine
    auth: Auth
    room: Room
    pace: Pace
    closing: asyncio.Event
    path: dict[str, str]
    query: Q
    body: B
    known: Caller | None
    """None only where nobody need be known."""

    @property
    def caller(self) -> Caller:
        if self.known is None:
            raise Unauthenticated("nobody is signed in")
        return self.known

    @property
    def desk(self) -> Desk:
        return Desk(self.engine, self.caller.owner)

    @property
    def now(self) -> datetime:
        return self.engine.now()

    @property
    def idempotency_key(self) -> str | None:
        """Raises `Invalid`: an empty one would make every request the first one's repeat."""
        key = self.request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise Invalid("Idempotency-Key", key, f"must have 1 to {LONGEST_KEY} characters")
        return key

    def stream(self, frames: AsyncGenerator[bytes], status: int = 200, headers: dict[str, str] | None = None) -> EventStream:
        return EventStream(frames, self.pace, self.closing, status=status, headers=headers)

    @property
    def wants_stream(self) -> bool:
        return "text/event-stream" in self.request.headers.get("accept", "")


class Reply(Struct, frozen=True):
    """A value with another status than the route's first, or with headers."""

    value: Any
    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])


def made(run: RunView) -> Reply:
    """The answer to a request that made a run, and where that is from now on."""
    return Reply(run, 201, {"Location": address(run.id)})


def address(run_id: str) -> str:
    return f"/v1/runs/{run_id}"
