"""A run of a tree as its followers read it: how far its journal was delivered, and what comes next of it and its children."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from auteryn.errors import NotFound
from auteryn.ports import Store
from auteryn.runtime.marks import marked
from auteryn.schema import event as e
from auteryn.schema.fold import after, born
from auteryn.schema.run import Run
from auteryn.service.cursor import Position, written
from auteryn.service.follow import PAGE


class Branch:
    """One run of the tree: how far it was delivered, what was read ahead, and its children under way."""

    def __init__(self, store: Store, run_id: str, newest: int | None = None) -> None:
        """`newest`: what comes before so many of its last entries may be left out."""
        self.store, self.id, self.newest = store, run_id, newest
        self._whole = newest is None
        self.run: Run | None = None
        """As of the last entry that was delivered whole."""
        self.index = 0
        """Events of the next entry that were delivered already."""
        self.ahead = deque[e.Entry]()
        self._drained = False
        """The newest reading came to the journal's end."""
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
        await self._leave_out()
        if not self.over and len(self.ahead) < PAGE:
            newest = self.ahead[-1].seq if self.ahead else self.seq
            await self._read_after(newest)
        for child in self.children.values():
            await child.read()

    async def first(self) -> tuple[Branch, e.Entry] | None:
        """Whose entry comes next, by time; a child's end is told of only after all of the child."""
        own = self.ahead[0] if self.ahead else None
        if own and _forks(own):
            return self, own
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
        await self._leave_out()
        if not self.ahead and not self.over:
            await self._read_after(self.seq)

    async def _read_after(self, seq: int) -> None:
        found = await self.store.journal(self.id, after=seq, limit=PAGE)
        self._drained = len(found) < PAGE
        self.ahead += found

    # ---- moving on

    def after(self, entry: e.Entry) -> Run:
        return after(self.run, entry) if self.run else born(entry)

    async def take(self, entry: e.Entry, run: Run) -> None:
        """The entry is delivered: its children begin here, and those it ended are done with."""
        begun = self._move(entry, run)
        if not self._drained:
            await self.refill()
        for child in begun:
            await child.refill()

    def _move(self, entry: e.Entry, run: Run) -> list[Branch]:
        """Its children that begin here."""
        self.run, self.index = run, 0
        if self.ahead and self.ahead[0].seq == entry.seq:
            self.ahead.popleft()
        begun = {child: Branch(self.store, child, self.newest) for child in _births(entry)}
        self.children |= begun
        if _forks(entry):
            self.children.clear()
        for child in _ends(entry):
            self.children.pop(child, None)
        return list(begun.values())

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

    async def _leave_out(self) -> None:
        if not self._whole and self.newest is not None:
            self._whole = True
            with suppress(NotFound):
                last = (await self.store.get(self.id)).seq
                self._stand_at(await marked(self.store, self.id, last - self.newest))

    def _stand_at(self, run: Run | None) -> None:
        """Where the run was like this; its children under way are those that hold a share of it."""
        if run is not None and run.seq > self.seq:
            self.run, self.index = run, 0
            self.children = {child: Branch(self.store, child, self.newest) for child in run.shares}

    async def _fold(self, until: int | None) -> None:
        last = until if until is not None else (await self.store.get(self.id)).seq
        self._stand_at(await marked(self.store, self.id, last))
        while until is None or self.seq < until:
            entries = await self.store.journal(self.id, after=self.seq, limit=PAGE)
            for entry in entries:
                if until is None or entry.seq <= until:
                    self._move(entry, self.after(entry))
            if len(entries) < PAGE:
                return


def _forks(entry: e.Entry) -> bool:
    """Whether another run's past ends here: what its children, then under way, have done since is no part of this one."""
    return any(isinstance(event, e.Forked) for event in entry.events)


def _births(entry: e.Entry) -> list[str]:
    started = [start.run for event in entry.events if isinstance(event, e.StepsStarted) for start in event.steps]
    return [*started, *(event.run for event in entry.events if isinstance(event, e.TicksStarted) and event.run)]


def _ends(entry: e.Entry) -> list[str]:
    ended = [end.run for event in entry.events if isinstance(event, e.StepsEnded) for end in event.steps]
    return [*ended, *(event.end.run for event in entry.events if isinstance(event, e.TickEnded))]
