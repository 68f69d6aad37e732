"""A week in a minute: an event loop whose time jumps to the next timer as soon as nothing else is left to do.

    skipping(main())        # like asyncio.run, in virtual time

Every timer of the loop is virtual: sleeps, time-outs, leases, schedules. Work in threads and on sockets is real: time stands
still while a thread is at work, and passes as it really does while a child process lives or `as_it_passes` says so. So a
time-out is as long as it says for a browser that hangs.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""A Monday morning: where virtual time begins unless told otherwise."""


class SkippingClock:
    """The `Clock` of a skipping loop. `jump` moves it forward by hand, also between two loops."""

    def __init__(self, start: datetime = START) -> None:
        self._start, self._offset = start, 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._offset + _elapsed())

    async def sleep_until(self, moment: datetime) -> None:
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - time has no event to wait for
            await asyncio.sleep(left)

    async def sleep(self, span: timedelta) -> None:
        await self.sleep_until(self.now() + span)

    def jump(self, span: timedelta) -> None:
        self._offset += span.total_seconds()

    def keep(self) -> None:
        """Call before the loop ends: what passed in it stays passed in the next."""
        self._offset += _elapsed()


def skipping(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main)


class SkippingLoop(asyncio.SelectorEventLoop):
    """Where a usual loop would sleep until its next timer, this one moves its clock there."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.threads = 0
        self._real = 0
        self._children = list[Any]()
        super().__init__(_Skipping(selectors.DefaultSelector(), self))

    def time(self) -> float:
        return self.skipped

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Time stands still while the thread works."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self.threads -= 1

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        started = await super().subprocess_exec(*args, **options)
        self._children.append(started[0])
        return started

    def at_real_work(self) -> bool:
        self._children = [one for one in self._children if one.get_returncode() is None]
        return bool(self._real or self._children)

    @contextmanager
    def as_it_passes(self) -> Generator[None]:
        """Time is real within: the loop waits for a server."""
        self._real += 1
        try:
            yield
        finally:
            self._real -= 1


class _Skipping(selectors.BaseSelector):
    """A selector that never sleeps through virtual time."""

    def __init__(self, real: selectors.BaseSelector, loop: SkippingLoop) -> None:
        self._real, self._loop = real, loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or self._loop.threads:
            return self._real.select(timeout if timeout == 0 else 0.05 if self._loop.threads else None)
        if self._loop.at_real_work():
            began = time.monotonic()
            events = self._real.select(timeout)
            self._loop.skipped += time.monotonic() - began
            return events
        events = self._real.select(0)
        if not events and timeout > 0:
            self._loop.skipped += timeout
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


def _elapsed() -> float:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return 0.0
    return loop.skipped if isinstance(loop, SkippingLoop) else 0.0
