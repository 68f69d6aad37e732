"""Wake a run at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol


class Queue(Protocol):
    """Q1  A wake is delivered to the handler at or after its time, at least once, also after a restart.
    Q2  Wakes of one run coalesce: of several that are outstanding the earliest counts, and one may stand for all.
    Q3  A handler that raises gets the wake again later.
    Q4  However many runs wait, nothing is kept alive per run.
    """

    async def enqueue(self, run: str, at: datetime) -> None: ...

    def on_wake(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Who is called. Set once, before `start`."""
        ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...
