"""What owners spend: no more than their limit in a window, however many processes work for them.

The ledger of a window is a row of documents with running totals; the next line is written only if it is not there yet, so the
line's number is the lock, as in a journal. A process takes a little more than its next turns may cost before they are begun
(`held`), and puts in the books what they did cost when it takes the next, or when its last slice for this owner ends. What a
killed process held stays held until the window ends: a crash can waste a little of a limit, and never stretch it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from auteryn.policy.spend import used_up
from auteryn.ports import Clock, Store
from auteryn.runtime.counting import spent
from auteryn.schema.change import Doc
from auteryn.schema.event import AnyEvent
from auteryn.schema.record import Record, derived_id, new_id
from auteryn.schema.run import ForBudget, Run
from auteryn.schema.spend import LIMIT, LINE, SpendLimit, SpendLine, Window
from auteryn.tools.sitting import seen_through

KNOWN = timedelta(seconds=30)
"""How long an owner's limit is served from memory. Before somebody is refused it is read again."""
AGAIN = timedelta(minutes=1)
"""When to ask again for what others hold."""
CHUNKS = 50
"""A process takes this part of the limit at a time: few lines in the ledger, and little that a crash can waste."""
DROPPED_AT_ONCE = 500


class Spent(Record):
    """How an owner stands in the window that is now. Thousandths of a credit."""

    limit: SpendLimit
    window: Window
    spent: int
    held: int

    @property
    def used_up(self) -> bool:
        return self.limit.credits is not None and self.spent >= self.limit.credits


class _Purse(Struct):
    """What this process has taken for one owner and not settled yet."""

    window: Window | None = None
    held: int = 0
    used: int = 0
    promised: dict[str, int] = field(default_factory=dict[str, int])
    """By run: what its next turn may cost."""
    seen: tuple[int, SpendLine] = (0, SpendLine())
    """Number of the last line that was looked at, and the line."""
    known: tuple[datetime, SpendLimit | None] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Spending:
    """One process's share of every owner's limit."""

    def __init__(self, store: Store, clock: Clock, usual: SpendLimit | None = None) -> None:
        """`usual`: of owners who have no limit of their own."""
        self._store, self._clock, self._usual = store, clock, usual
        self._purses = defaultdict[str, _Purse](_Purse)

    async def room(self, owner: str, run: str, foreseen: Callable[[], int]) -> ForBudget | None:
        """None: the run may spend about this many thousandths now. Else the wait until it may, with the reason.

        `foreseen` is called only for an owner who has a limit.
        """
        purse, now = self._purses[owner], self._clock.now()
        if purse.known and purse.known[1] is None and now - purse.known[0] < KNOWN:
            return None  # nearly everybody, at every turn
        async with purse.lock:
            limit = await self._limit(owner, purse, now)
            if limit is None or limit.credits is None:
                return None
            self._turn(purse, limit.window(now))
            purse.promised[run] = credits = foreseen()
            if await self._taken(owner, purse, limit):
                return None
            fresh = await self._limit(owner, purse, now, fresh=True)
            if fresh is None or fresh.credits is None:
                return None
            if fresh != limit:
                self._turn(purse, fresh.window(now))
                purse.promised[run] = credits
                if await self._taken(owner, purse, fresh):
                    return None
            del purse.promised[run]
            return _wait(fresh, purse, credits, now)

    def spent(self, run: Run, events: tuple[AnyEvent, ...]) -> int:
        """What the run has spent by these facts, in thousandths; where it is limited, that is remembered."""
        purse, credits = self._purses.get(run.owner), spent(events)
        if credits and purse is not None and purse.window is not None:
            purse.used += credits
            purse.promised.pop(run.id, None)
        return credits

    def at_rest(self, owner: str) -> bool:
        """Whether nobody has met a limit of this owner here, so that there is nothing to give back."""
        purse = self._purses.get(owner)
        return purse is None or purse.window is None

    async def left(self, owner: str, run: str) -> None:
        """The slice is over. After the last one of this owner, what is left is given back."""
        if self.at_rest(owner):
            return
        purse = self._purses[owner]
        async with purse.lock:
            purse.promised.pop(run, None)
            if not purse.promised and (purse.held or purse.used):
                await self._write(owner, purse, lambda line: _settled(line, purse, held=0))

    async def standing(self, owner: str) -> Spent | None:
        """None for an owner who may spend as much as there is."""
        purse, now = self._purses[owner], self._clock.now()
        async with purse.lock:
            limit = await self._limit(owner, purse, now, fresh=True)
            if limit is None or limit.credits is None:
                return None
            self._turn(purse, limit.window(now))
            _, line = await self._head(owner, purse)
            return Spent(limit=limit, window=limit.window(now), spent=line.spent + purse.used, held=line.held)

    # ---- pieces

    async def _limit(self, owner: str, purse: _Purse, now: datetime, *, fresh: bool = False) -> SpendLimit | None:
        if fresh or purse.known is None or now - purse.known[0] >= KNOWN:
            doc = await self._store.doc(LIMIT, derived_id(LIMIT, owner))
            purse.known = now, msgspec.convert(doc.body["limit"], SpendLimit) if doc else self._usual
        return purse.known[1]

    def _turn(self, purse: _Purse, window: Window) -> None:
        """The current window. In a new one nothing is held and nothing spent."""
        if purse.window != window:
            purse.window, purse.held, purse.used, purse.promised, purse.seen = window, 0, 0, {}, (0, SpendLine())

    async def _taken(self, owner: str, purse: _Purse, limit: SpendLimit) -> bool:
        """Hold what was promised in this process; False if that would exceed the limit."""
        assert limit.credits is not None
        wanted, most = sum(purse.promised.values()), limit.credits
        if purse.used + wanted <= purse.held:
            return True
        for held in (max(wanted, most // CHUNKS), wanted):
            following = self._write(owner, purse, lambda line, held=held: _within(_settled(line, purse, held=held), most))
            if await seen_through(following):  # a line that is written and not known here would be settled again
                return True
        return False

    async def _write(self, owner: str, purse: _Purse, change: Callable[[SpendLine], SpendLine | None]) -> bool:
        """Write the next line of the ledger and bring the purse up to it; False if `change` refuses."""
        assert purse.window is not None
        while True:
            number, line = await self._head(owner, purse)
            following, booked = change(line), purse.used
            if following is None:
                return False
            following = replace(following, by=new_id("line"))
            at, body = purse.window.start, msgspec.to_builtins(following)
            doc = Doc(kind=LINE, id=_line_id(owner, purse.window, number + 1), scope=owner, body=body, at=at)
            if await self._store.put(doc, if_absent=True) or await self._line(owner, purse, number + 1) == following:
                purse.held += following.held - line.held
                purse.used -= booked  # more may have been spent while it was written
                purse.seen = number + 1, following
                if number == 0:
                    await self._forget(owner, purse.window)
                return True

    async def _head(self, owner: str, purse: _Purse) -> tuple[int, SpendLine]:
        """The last line, found by strides that double from the last one seen, then by halving."""
        (number, line), stride = purse.seen, 1
        while found := await self._line(owner, purse, number + stride):
            number, line, stride = number + stride, found, stride * 2
        while stride > 1:
            stride //= 2
            if found := await self._line(owner, purse, number + stride):
                number, line = number + stride, found
        purse.seen = number, line
        return purse.seen

    async def _line(self, owner: str, purse: _Purse, number: int) -> SpendLine | None:
        assert purse.window is not None
        doc = await self._store.doc(LINE, _line_id(owner, purse.window, number))
        return msgspec.convert(doc.body, SpendLine) if doc else None

    async def _forget(self, owner: str, window: Window) -> None:
        """The ledgers of windows before the last."""
        before = window.start - (window.end - window.start)
        for doc in await self._store.docs(LINE, owner, limit=DROPPED_AT_ONCE):
            if doc.at < before:
                await self._store.drop(LINE, doc.id)


def _settled(line: SpendLine, purse: _Purse, *, held: int) -> SpendLine:
    """The totals after this process has reported what it spent, and holds this much."""
    return SpendLine(spent=line.spent + purse.used, held=line.held - purse.held + held)


def _within(line: SpendLine, most: int) -> SpendLine | None:
    return line if line.spent + line.held <= most else None


def _wait(limit: SpendLimit, purse: _Purse, credits: int, now: datetime) -> ForBudget:
    assert limit.credits is not None
    assert purse.window is not None
    if purse.seen[1].spent + purse.used + credits > limit.credits:
        return ForBudget(at=purse.window.end, why=used_up(limit))
    return ForBudget(at=now + AGAIN, why="other runs of this owner hold what is left of the limit on spending")


def _line_id(owner: str, window: Window, number: int) -> str:
    return derived_id(LINE, owner, window.start.isoformat(), window.end.isoformat(), number)
