"""The stream that never forgets: the journals of a run and its children as one sequence, from any point, then live (L12).

A cursor says how far each journal was delivered; which children there are at that point is read from the journal itself. So
it survives every restart and holds no state on the server. Within a run the order is the journal's; a child's events come
after its start and before its end is told of.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime
from typing import Any

from auteryn.ports import Store
from auteryn.ports.bus import Watch
from auteryn.schema import event as e
from auteryn.schema.fold import after, born
from auteryn.schema.record import Record
from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.service.cursor import Position, read_cursor, written
from auteryn.service.feed import Kind, items, snapshot
from auteryn.service.follow import PAGE, Patience

HERE = -1
"""Stands in a position for the index of the one entry that is looked at."""
BREATH = 100
"""Entries that are folded in one go: others are served in between."""


class StreamEvent(Record):
    """One event of the stream."""

    id: str
    """Resume after this event with it. Deltas carry the id of the last durable event before them."""
    kind: Kind
    run: str
    """Whose it is: the run itself or one of its children."""
    data: dict[str, Any]
    at: datetime | None = None
    seq: int = 0
    """Of the entry in its run's journal."""
    delta: bool = False
    """A piece of a thought or message while it is produced; the whole follows as an event of its own."""


async def events(access: Access, run_id: str, cursor: str | None = None, tail: int | None = None) -> AsyncIterator[StreamEvent]:
    """Everything that happened after `cursor` (None: from the beginning, or the newest `tail` events), then what happens,
    until the run has ended.

    An unknown cursor gets `reset` with a snapshot; the stream goes on from there.
    """
    root = await access.run(run_id)
    with closing(access.services.bus.watch(root.root)) as watch:
        branch, patience = Branch(access.services.store, root.id), Patience()
        if cursor is not None and not await branch.move_to(read_cursor(root.id, cursor)):
            branch = Branch(access.services.store, root.id)
            run = await branch.move_to_end()
            yield StreamEvent(
                id=branch.cursor, kind="reset", run=run.id, data=snapshot(run, access.now()), at=access.now(), seq=run.seq
            )
        elif cursor is None and tail is not None:
            for one in await _newest(branch, tail):
                yield one
        while True:
            for one in _deltas(branch, watch):
                yield one
            await branch.read()
            while found := await branch.first():
                async for one in _delivered(branch, *found):
                    yield one
                if branch.over:
                    return
            if branch.over:
                return
            await patience.wait(watch)


async def _newest(root: Branch, most: int) -> deque[StreamEvent]:
    """The last events of all that is stored now; the branch then stands behind them. What came before is folded, not told."""
    held, count = deque[tuple[Run, e.Entry, Position]](maxlen=most), 0
    await root.read()
    while found := await root.first():
        branch, entry = found
        branch.index = HERE
        before, run = root.position, branch.after(entry)
        await branch.take(entry, run)
        held.append((run, entry, before))
        count += 1
        if count % BREATH == 0:
            await asyncio.sleep(0)
    told, afters = deque[StreamEvent](maxlen=most), [*[before for _, _, before in held][1:], root.position]
    for (run, entry, before), after_it in zip(held, afters, strict=False):  # there is none to tell of where `most` is 0
        found_here = items(run, entry)
        for index, (kind, data) in enumerate(found_here, 1):
            place = _there(after_it, 0) if index == len(found_here) else _there(before, index)
            told.append(StreamEvent(id=written(root.id, place), kind=kind, run=run.id, data=data, at=entry.at, seq=entry.seq))
    return told


def _there(position: Position, index: int) -> Position:
    """With `index` where it says HERE."""
    own = index if position.index == HERE else position.index
    return Position(seq=position.seq, index=own, children=tuple(_there(child, index) for child in position.children))


async def _delivered(root: Branch, branch: Branch, entry: e.Entry) -> AsyncIterator[StreamEvent]:
    """The entry's events that were not delivered yet; the position moves with each."""
    run = branch.after(entry)
    found = items(run, entry)
    for index in range(branch.index, len(found) - 1):
        branch.index = index + 1
        kind, data = found[index]
        yield StreamEvent(id=root.cursor, kind=kind, run=run.id, data=data, at=entry.at, seq=entry.seq)
    last = len(found) - 1
    undelivered = branch.index <= last
    await branch.take(entry, run)
    if found and undelivered:
        kind, data = found[last]
        yield StreamEvent(id=root.cursor, kind=kind, run=run.id, data=data, at=entry.at, seq=entry.seq)


def _deltas(branch: Branch, watch: Watch) -> list[StreamEvent]:
    """What is being produced right now, in this tree; joined where several pieces arrived together."""
    joined = list[tuple[str, Kind, list[str]]]()
    for run, delta in watch.deltas():
        kind: Kind = "thought" if delta.kind == "thought" else "message"
        if not branch.knows(run):
            continue
        if joined and joined[-1][:2] == (run, kind):
            joined[-1][2].append(delta.text)
        else:
            joined.append((run, kind, [delta.text]))
    cursor = branch.cursor if joined else ""
    return [
        StreamEvent(id=cursor, kind=kind, run=run, data={"text": "".join(texts)}, delta=True) for run, kind, texts in joined
    ]


class Branch:
    """One run of the tree: how far it was delivered, what was read ahead, and its children under way."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.id = store, run_id
        self.run: Run | None = None
        """As of the last entry that was delivered whole."""
        self.index = 0
        """Events of the next entry that were delivered already."""
        self.ahead = deque[e.Entry]()
        self.children: dict[str, Branch] = {}

    @property
    def seq(self) -> int:
        return self.run.seq if self.run else 0

    @property
    def over(self) -> bool:
        return self.run is not None and self.run.terminal

    @property
    def cursor(self) -> str:
        return written(self.id, self.position)

    @property
    def position(self) -> Position:
        return Position(seq=self.seq, index=self.index, children=tuple(child.position for child in self.children.values()))

    def knows(self, run_id: str) -> bool:
        return run_id == self.id or any(child.knows(run_id) for child in self.children.values())

    # ---- reading

    async def read(self) -> None:
        """Read on, this journal first: an end that it tells of is then in the child's, too."""
        if not self.over and len(self.ahead) < PAGE:
            newest = self.ahead[-1].seq if self.ahead else self.seq
            self.ahead += await self.store.journal(self.id, after=newest, limit=PAGE)
        for child in self.children.values():
            await child.read()

    async def first(self) -> tuple[Branch, e.Entry] | None:
        """Whose entry comes next, by time; a child's end is told of only after all of the child."""
        own = self.ahead[0] if self.ahead else None
        ended = [self.children[run] for run in _ends(own) if run in self.children] if own else []
        for child in ended:
            await child.refill()
        best = (self, own) if own and not any(child.ahead for child in ended) else None
        for child in self.children.values():
            found = await child.first()
            if found and (best is None or found[1].at < best[1].at):
                best = found
        return best

    async def refill(self) -> None:
        if not self.ahead and not self.over:
            self.ahead += await self.store.journal(self.id, after=self.seq, limit=PAGE)

    # ---- moving on

    def after(self, entry: e.Entry) -> Run:
        return after(self.run, entry) if self.run else born(entry)

    async def take(self, entry: e.Entry, run: Run) -> None:
        """The entry is delivered: its children begin here, and those it ended are done with."""
        self._move(entry, run)
        await self.refill()
        for child in _births(entry):
            await self.children[child].refill()

    def _move(self, entry: e.Entry, run: Run) -> None:
        self.run, self.index = run, 0
        if self.ahead and self.ahead[0].seq == entry.seq:
            self.ahead.popleft()
        for child in _births(entry):
            self.children[child] = Branch(self.store, child)
        for child in _ends(entry):
            self.children.pop(child, None)

    async def move_to(self, position: Position | None) -> bool:
        """Stand where the cursor says; False if there is no such place in this tree."""
        if position is None:
            return False
        await self._fold(position.seq)
        if self.seq != position.seq or len(self.children) != len(position.children):
            return False
        self.index = position.index
        if position.index and not await self.store.journal(self.id, after=self.seq, limit=1):
            return False
        moved = [await child.move_to(to) for child, to in zip(self.children.values(), position.children, strict=True)]
        return all(moved)

    async def move_to_end(self) -> Run:
        """Stand behind everything that is stored now."""
        await self._fold(None)
        for child in self.children.values():
            await child.move_to_end()
        assert self.run is not None
        return self.run

    async def _fold(self, until: int | None) -> None:
        while until is None or self.seq < until:
            entries = await self.store.journal(self.id, after=self.seq, limit=PAGE)
            for entry in entries:
                if until is None or entry.seq <= until:
                    self._move(entry, self.after(entry))
            if len(entries) < PAGE:
                return


def _births(entry: e.Entry) -> list[str]:
    started = [start.run for event in entry.events if isinstance(event, e.StepsStarted) for start in event.steps]
    return [*started, *(event.run for event in entry.events if isinstance(event, e.TicksStarted) and event.run)]


def _ends(entry: e.Entry) -> list[str]:
    ended = [end.run for event in entry.events if isinstance(event, e.StepsEnded) for end in event.steps]
    return [*ended, *(event.end.run for event in entry.events if isinstance(event, e.TickEnded))]
