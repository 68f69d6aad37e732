"""The stream that never forgets: the journals of a run and its children as one sequence, from any point, then live (L12).

A cursor says how far each journal was delivered; which children there are at that point is read from the journal itself. So
it survives every restart and holds no state on the server. Within a run the order is the journal's; a child's events come
after its start and before its end is told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.service.branch import Branch
from auteryn.service.crowd import Seat, joined
from auteryn.service.cursor import read_cursor
from auteryn.service.delivery import Batch, StreamEvent, deltas, next_batch
from auteryn.service.feed import snapshot
from auteryn.service.follow import Patience


async def events(access: Access, run_id: str, cursor: str | None = None, tail: int | None = None) -> AsyncIterator[StreamEvent]:
    """Everything that happened after `cursor` (None: from the beginning, or the newest `tail` events), then what happens,
    until the run has ended.

    An unknown cursor gets `reset` with a snapshot; the stream goes on from there.
    """
    async with aclosing(batches(access, run_id, cursor, tail)) as found:
        async for batch in found:
            for one in batch:
                yield one


async def batches(
    access: Access, run_id: str, cursor: str | None = None, tail: int | None = None, *, live: bool = True
) -> AsyncGenerator[Batch]:
    """The same, by what is there at once; unless `live`, only what has happened."""
    root = await access.run(run_id)
    branch = Branch(access.services.store, root.id)
    if cursor is not None and not await branch.move_to(read_cursor(root.id, cursor)):
        branch = Branch(access.services.store, root.id)
        yield Batch([_reset(branch, await branch.move_to_end(), access)])
    elif cursor is None and tail is not None:
        branch = Branch(access.services.store, root.id, tail)
        if found := await _newest(branch, tail):
            yield found
    while True:
        alone = _Alone(access, branch, root.root)
        async with aclosing(alone.read(live=live)) as read:
            async for batch in read:
                yield batch
        if alone.seat is None:
            return
        async with aclosing(alone.seat.followed()) as shared:
            async for batch in shared:
                yield batch
        if alone.seat.over:
            return
        branch = Branch(access.services.store, root.id)
        await branch.move_to(read_cursor(root.id, alone.seat.left_at))


class _Alone:
    """A follower who reads for himself, until the run has ended or he has found a seat in a crowd."""

    def __init__(self, access: Access, branch: Branch, root: str) -> None:
        self._access, self._branch, self._crowds = access, branch, access.engine.crowds
        self._watch = access.services.bus.watch(root)
        self.seat: Seat | None = None

    async def read(self, *, live: bool) -> AsyncGenerator[Batch]:
        branch, patience, clean, given = self._branch, Patience(), True, False
        try:
            while True:
                if found := deltas(branch, self._watch):
                    yield found
                    clean = False
                await branch.read()
                while found := await next_batch(branch):
                    yield found
                    clean = True
                if branch.over or not live:
                    return
                await self._access.run(branch.id)  # raises, if it was erased meanwhile
                if seat := joined(self._crowds, branch, self._watch, clean=clean):
                    self.seat, given = seat, seat.first
                    return
                await patience.wait(self._watch)
        finally:
            if not given:
                self._watch.close()


async def _newest(branch: Branch, most: int) -> Batch:
    """The last events of all that is stored now; the branch then stands behind them."""
    held = deque[StreamEvent](maxlen=most)
    await branch.read()
    while found := await next_batch(branch):
        held += found
    return Batch(held)


def _reset(branch: Branch, run: Run, access: Access) -> StreamEvent:
    now = access.now()
    return StreamEvent(id=branch.cursor, kind="reset", run=run.id, data=snapshot(run, now), at=now, seq=run.seq)
