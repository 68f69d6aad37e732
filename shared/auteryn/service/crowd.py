"""Followers of one tree in this process who have seen all there is: what comes next is read once for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from auteryn.errors import AuterynError
from auteryn.ports.bus import Watch
from auteryn.service.branch import Branch
from auteryn.service.delivery import Batch, deltas, next_batch
from auteryn.service.follow import Patience

RECENT = 64
"""Batches kept for followers who are not as quick as the others; whoever falls behind reads for himself again."""


class Crowd:
    """Reads on while anybody follows. It begins as the reading of its first follower."""

    def __init__(self, branch: Branch, watch: Watch, crowds: dict[str, Crowd]) -> None:
        """It takes over branch and watch."""
        self._branch, self._watch, self._crowds = branch, watch, crowds
        self._recent = deque[Batch](maxlen=RECENT)
        self._waiting = list[asyncio.Future[None]]()
        self.count = self.followers = 0
        """Batches so far; those who follow."""
        self.clean = True
        """Nothing was passed on since the last durable event that is not durable itself."""
        self.over = False
        """The run has ended, and everything was passed on."""
        crowds[branch.id] = self
        self._task = asyncio.create_task(self._read(), name=f"followers of {branch.id}")

    @property
    def cursor(self) -> str:
        return self._branch.cursor

    @property
    def reading(self) -> bool:
        return not self._task.done()

    def after(self, count: int) -> list[Batch] | None:
        """The batches after the first `count`; None if they are no longer all there."""
        behind = self.count - count
        return None if behind > len(self._recent) else list(self._recent)[len(self._recent) - behind :]

    async def more(self, count: int) -> None:
        """Back when there are more batches than `count`, or no more will come."""
        if self.count == count and self.reading:
            news = asyncio.get_running_loop().create_future()
            self._waiting.append(news)
            await news

    def leave(self) -> None:
        """One follower less; without any nothing is read."""
        self.followers -= 1
        if not self.followers:
            self._task.cancel()
            self._forget()

    async def _read(self) -> None:
        patience = Patience()
        try:
            while not self._branch.over:
                await patience.wait(self._watch)
                self._pass_on(deltas(self._branch, self._watch), clean=False)
                await self._branch.read()
                while found := await next_batch(self._branch):
                    self._pass_on(found, clean=True)
            self.over = True
        except AuterynError:
            pass  # each follower reads on for himself, and meets the trouble if it is still there
        finally:
            self._forget()
            self._watch.close()
            asyncio.get_running_loop().call_soon(self._wake)

    def _pass_on(self, batch: Batch, *, clean: bool) -> None:
        if batch:
            self._recent.append(batch)
            self.count += 1
            self.clean = clean
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)

    def _forget(self) -> None:
        if self._crowds.get(self._branch.id) is self:
            del self._crowds[self._branch.id]


class Seat:
    """One follower's place in a crowd."""

    def __init__(self, crowd: Crowd, *, first: bool) -> None:
        self._crowd, self._count, self.first = crowd, crowd.count, first
        self.left_at = crowd.cursor
        """The newest event that was passed on to him."""
        self.over = False
        crowd.followers += 1

    async def followed(self) -> AsyncGenerator[Batch]:
        """Every batch from now on; ends with the run, or where he must read for himself."""
        crowd = self._crowd
        try:
            while True:
                await crowd.more(self._count)
                batches = crowd.after(self._count)
                if batches is None:
                    return
                for batch in batches:
                    self._count += 1
                    self.left_at = batch[-1].id
                    yield batch
                if not crowd.reading and self._count == crowd.count:
                    self.over = crowd.over
                    return
        finally:
            crowd.leave()


def joined(crowds: dict[str, Crowd], branch: Branch, watch: Watch, *, clean: bool) -> Seat | None:
    """A seat in the crowd of this run, if it stands exactly where this follower does; the first one opens it and gives it his
    watch. `clean`: he has been passed nothing since his last durable event that is not durable itself; only then nothing that
    is on its way reaches him twice."""
    crowd = crowds.get(branch.id)
    if crowd is None or not crowd.reading:
        return Seat(Crowd(branch, watch, crowds), first=True)
    return Seat(crowd, first=False) if clean and crowd.clean and crowd.cursor == branch.cursor else None
