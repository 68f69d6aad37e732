"""Library work in a thread that ends when its call does.

A thread cannot be cancelled; what runs in it can be told. When the call is cancelled (its time is up, the run was cancelled),
the leash is pulled until the thread has ended, so nothing is written after the engine went on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PULL_SECONDS = 0.05
"""A pull between two statements is lost, so it is repeated."""


class Stopped(Exception):
    """The call this work belongs to is over. Seen by nobody outside the thread."""


class Leash:
    """What ties work in a thread to its call: `check` often, and say how a long wait is broken by `on_pull`."""

    def __init__(self) -> None:
        self._pulled = False
        self._interrupt: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises `Stopped` once the call is over."""
        if self._pulled:
            raise Stopped

    def on_pull(self, interrupt: Callable[[], None] | None) -> None:
        with self._lock:
            self._interrupt = interrupt

    def pull(self) -> None:
        self._pulled = True
        with self._lock:
            if self._interrupt is not None:
                self._interrupt()


async def in_thread(work: Callable[[Leash], T]) -> T:
    """What `work` returns, done in a thread. Cancelled, it returns only after the thread has ended."""
    leash = Leash()
    task = asyncio.ensure_future(asyncio.to_thread(work, leash))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            leash.pull()
            await asyncio.wait([task], timeout=PULL_SECONDS)
        if not task.cancelled():
            task.exception()  # seen, so that nobody warns of it
        raise
