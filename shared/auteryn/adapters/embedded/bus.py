"""Fan-out in this process, and by datagram to the others (`ports.bus`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.elsewhere import News
from auteryn.schema.message import Delta

DELTAS_KEPT = 10_000
"""For a watcher that does not come to fetch them; the oldest go first."""

_log = logging.getLogger(__name__)


class LocalWatch:
    """One listener on one tree of runs."""

    def __init__(self, root: str, forget: Callable[[LocalWatch], None]) -> None:
        self.root, self._forget = root, forget
        self._news, self._closed = False, False
        self._waiter: asyncio.Future[None] | None = None
        self._deltas: deque[tuple[str, Delta]] = deque(maxlen=DELTAS_KEPT)

    async def next(self, patience: timedelta) -> bool:
        if not self._news and not self._closed:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(patience.total_seconds(), self._wake)
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
    """Everything at once within the process; other processes of the folder are told by datagram (`Elsewhere`)."""

    def __init__(self, database: Database) -> None:
        self._elsewhere = database.elsewhere
        self._watches: dict[str, list[LocalWatch]] = {}
        self._handler: Callable[[str], Coroutine[Any, Any, None]] | None = None
        self._on_news: Callable[[str], None] | None = None
        self._at_work: set[asyncio.Task[None]] = set()

    async def publish_steps(self, runs: Sequence[str]) -> None:
        """The runs go to the handler in a task of their own; without a handler nobody here can work, and `due` finds them."""
        if self._handler is None:
            return
        task = asyncio.create_task(self._hand_over(self._handler, runs), name=f"{len(runs)} steps")
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    def on_step(self, handler: Callable[[str], Awaitable[None]]) -> None:
        async def handle(run: str) -> None:
            await handler(run)

        self._handler = handle

    def tell(self, root: str, run: str, seq: int) -> None:
        news = News(topic=root, run=run)
        self._elsewhere.say(news)
        self._hear(news)

    def delta(self, root: str, run: str, delta: Delta) -> None:
        news = News(topic=root, run=run, delta=delta)
        self._elsewhere.say(news)
        self._hear(news)

    def on_news(self, handler: Callable[[str], None]) -> None:
        self._on_news = handler

    def watch(self, root: str) -> LocalWatch:
        watch = LocalWatch(root, self._forget)
        if not self._watches:
            self._elsewhere.listen(self._hear)
        self._watches.setdefault(root, []).append(watch)
        return watch

    async def start(self) -> None:
        """From here on the handler of `on_news` hears; watches need no start."""
        self._elsewhere.listen(self._hear_elsewhere)

    async def close(self) -> None:
        self._elsewhere.forget(self._hear_elsewhere)
        for watch in self._all_watches():
            watch.close()
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    @staticmethod
    async def _hand_over(handler: Callable[[str], Coroutine[Any, Any, None]], runs: Sequence[str]) -> None:
        for run in runs:
            try:
                await handler(run)
            except Exception:  # noqa: BLE001 - whatever is wrong with one step, the others start
                _log.exception("step %s failed; it is still due, and comes again", run)

    def _hear(self, news: News) -> None:
        for watch in self._watches.get(news.topic, ()) if news.topic else self._all_watches():
            if news.delta:
                watch.streamed(news.run, news.delta)
            else:
                watch.told()

    def _hear_elsewhere(self, news: News) -> None:
        if self._on_news and news.delta is None and (news.run or not news.topic):
            self._on_news(news.run)

    def _all_watches(self) -> list[LocalWatch]:
        return [watch for watches in self._watches.values() for watch in watches]

    def _forget(self, watch: LocalWatch) -> None:
        watches = self._watches.get(watch.root, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.root]
        if not self._watches:
            self._elsewhere.forget(self._hear)
