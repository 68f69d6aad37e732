"""Fan-out in this process, and a nudge from the others (`ports.bus`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from auteryn.adapters.embedded.elsewhere import Elsewhere
from auteryn.ports.clock import Clock
from auteryn.schema.message import Delta

ELSEWHERE_WITHIN = timedelta(milliseconds=50)
"""How late news of another process may be, while somebody watches."""

DELTAS_KEPT = 10_000
"""For a watcher that does not come to fetch them; the oldest go first."""

_log = logging.getLogger(__name__)


class LocalWatch:
    """One listener on one tree of runs."""

    def __init__(self, root: str, clock: Clock, forget: Callable[[LocalWatch], None]) -> None:
        self.root, self._clock, self._forget = root, clock, forget
        self._news, self._closed = False, False
        self._waiter: asyncio.Future[None] | None = None
        self._deltas: deque[tuple[str, Delta]] = deque(maxlen=DELTAS_KEPT)

    async def next(self, patience: timedelta) -> bool:
        if not self._news and not self._closed:
            self._waiter = asyncio.get_running_loop().create_future()
            timer = asyncio.ensure_future(self._clock.sleep(patience))
            timer.add_done_callback(lambda _: self._wake())
            try:
                await self._waiter
            finally:
                self._waiter = None
                timer.cancel()
        news, self._news = self._news, False
        return news

    def deltas(self) -> list[tuple[str, Delta]]:
        arrived = list(self._deltas)
        self._deltas.clear()
        return arrived

    def close(self) -> None:
        self._closed = True
        self._forget(self)
        self._wake()

    def told(self) -> None:
        self._news = True
        self._wake()

    def streamed(self, run: str, delta: Delta) -> None:
        self._deltas.append((run, delta))
        self.told()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class LocalBus:
    """Everything at once within the process; commits of other processes wake every watch here."""

    def __init__(self, elsewhere: Elsewhere, clock: Clock) -> None:
        self._elsewhere, self._clock = elsewhere, clock
        self._watches: dict[str, list[LocalWatch]] = {}
        self._handler: Callable[[str], Coroutine[Any, Any, None]] | None = None
        self._at_work: set[asyncio.Task[None]] = set()

    async def publish_steps(self, runs: Sequence[str]) -> None:
        """Each run goes to the handler in a task of its own; without a handler nobody here can work, and `due` finds them."""
        if self._handler is None:
            return
        for run in runs:
            task = asyncio.create_task(self._handler(run), name=f"step {run}")
            self._at_work.add(task)
            task.add_done_callback(self._worked)

    def on_step(self, handler: Callable[[str], Awaitable[None]]) -> None:
        async def handle(run: str) -> None:
            await handler(run)

        self._handler = handle

    def tell(self, root: str, run: str, seq: int) -> None:
        for watch in self._watches.get(root, ()):
            watch.told()

    def delta(self, root: str, run: str, delta: Delta) -> None:
        for watch in self._watches.get(root, ()):
            watch.streamed(run, delta)

    def watch(self, root: str) -> LocalWatch:
        watch = LocalWatch(root, self._clock, self._forget)
        if not self._watches:
            self._elsewhere.listen(self._told_from_elsewhere, within=ELSEWHERE_WITHIN)
        self._watches.setdefault(root, []).append(watch)
        return watch

    async def start(self) -> None:
        """Nothing to do: watches and tasks start what they need."""

    async def close(self) -> None:
        for watch in [watch for watches in self._watches.values() for watch in watches]:
            watch.close()
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s failed; it is still due, and comes again", task.get_name(), exc_info=error)

    def _told_from_elsewhere(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.told()

    def _forget(self, watch: LocalWatch) -> None:
        watches = self._watches.get(watch.root, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.root]
        if not self._watches:
            self._elsewhere.forget(self._told_from_elsewhere)
