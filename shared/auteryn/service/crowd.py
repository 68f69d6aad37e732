"""Followers of one tree in this process who have seen all there is: what comes next is read once for all of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from auteryn.errors import AuterynError
from auteryn.ports.bus import Watch
from auteryn.runtime.engine import Following
from auteryn.service.branch import Branch
from auteryn.service.delivery import Batch, deltas, next_batch
from auteryn.service.follow import Patience

RECENT = 64
"""Batches kept for followers who are not as quick as the others; whoever falls behind reads for himself again."""


class Crowd:
    """It begins as the reading of its first follower, and has no task of its own: one of those who wait reads for all of them,
    and is the first to go on."""

    def __init__(self, branch: Branch, watch: Watch, crowds: dict[str, Following]) -> None:
        """It takes over branch and watch."""
        self._branch, self._watch, self._crowds, self._patience = branch, watch, crowds, Patience()
        self._recent = deque[Batch](maxlen=RECENT)
        self._has_reader, self._waiting = False, list[asyncio.Future[None]]()
        self.count = self.followers = 0
        """Batches so far; those who follow."""
        self.reading = True
        self.over = False
        """The run has ended, and everything was passed on."""
        self._began_at = branch.cursor
        crowds[branch.id] = self

    def place_of(self, cursor: str) -> tuple[int, Batch] | None:
        """How many batches lie behind this durable event, and what follows it in the last of them; None if it is not here."""
        for back, batch in enumerate(reversed(self._recent)):
            for index, one in enumerate(batch):
                if one.id == cursor and not one.delta:
                    return self.count - back, Batch(batch[index + 1 :])
        return (0, Batch()) if self.count < RECENT and cursor == self._began_at else None

    def after(self, count: int) -> list[Batch] | None:
        """The batches after the first `count`; None if they are no longer all there."""
        behind = self.count - count
        return None if behind > len(self._recent) else list(self._recent)[len(self._recent) - behind :]

    async def more(self, count: int) -> None:
        """Back when there are more batches than `count`, or no more will come."""
        while self.count == count and self.reading:
            if self._has_reader:
                self._waiting.append(news := asyncio.get_running_loop().create_future())
                await news
            else:
                await self._read_on(count)

    def leave(self) -> None:
        """One follower less; without any nothing is read."""
        self.followers -= 1
        if not self.followers:
            self._end()

    async def _read_on(self, count: int) -> None:
        """Read for all who wait, until there are more batches than `count`; then, or when he goes, the next takes over."""
        self._has_reader = True
        try:
            while self.count == count and self.reading:
                await self._patience.wait(self._watch)
                await self._read()
        finally:
            self._has_reader = False
            self._wake()

    async def _read(self) -> None:
        """Pass on all there is now. Broken off it is the crowd's end: what was read and not passed on is lost with it."""
        whole, count = False, self.count
        try:
            self._pass_on(deltas(self._branch, self._watch))
            await self._branch.read()
            while found := await next_batch(self._branch):
                self._pass_on(found)
            if self.count == count:
                await self._branch.store.get(self._branch.id)  # is there no longer, if it was erased
            whole, self.over = True, self._branch.over
        except AuterynError:
            pass  # each follower reads on for himself, and meets the trouble if it is still there
        finally:
            if self.over or not whole:
                self._end()

    def _pass_on(self, batch: Batch) -> None:
        if batch:
            self._recent.append(batch)
            self.count += 1
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            if not news.done():
                news.set_result(None)

    def _end(self) -> None:
        self.reading = False
        self._watch.close()
        if self._crowds.get(self._branch.id) is self:
            del self._crowds[self._branch.id]


class Seat:
    """One follower's place in a crowd."""

    def __init__(self, crowd: Crowd, at: str, place: tuple[int, Batch], *, first: bool = False) -> None:
        """`at`: the event he has seen last."""
        self._crowd, (self._count, self._rest), self.first = crowd, place, first
        self.left_at = at
        """The newest event that was passed on to him."""
        self.over = False
        crowd.followers += 1

    async def followed(self) -> AsyncGenerator[Batch]:
        """Every batch from now on; ends with the run, or where he must read for himself."""
        crowd = self._crowd
        try:
            if self._rest:
                self.left_at = self._rest[-1].id
                yield self._rest
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


def joined(crowds: dict[str, Following], branch: Branch, watch: Watch, *, clean: bool) -> Seat | None:
    """A seat in the crowd of this run, if it has been where this follower is now; the first one opens it and gives it his
    watch. `clean`: since his last durable event he has been passed nothing else; only then no piece of what is being said
    reaches him twice."""
    crowd, at = crowds.get(branch.id), branch.cursor
    if not isinstance(crowd, Crowd) or not crowd.reading:
        return Seat(Crowd(branch, watch, crowds), at, (0, Batch()), first=True)
    place = crowd.place_of(at) if clean else None
    return Seat(crowd, at, place) if place else None
