"""Wakes in SQLite and one timer (`ports.queue`)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec import Struct

from auteryn.adapters.embedded.database import Apply, Database, T, micros, moment
from auteryn.adapters.embedded.elsewhere import News
from auteryn.errors import AuterynError
from auteryn.ports.clock import Clock

CLAIM = timedelta(seconds=60)
"""A wake whose handler has not come back by then is delivered again. A dead process's wakes do not wait for it."""

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=1), timedelta(seconds=60)
IN_FLIGHT = 500
"""Handlers at work at one time."""

_WAKES = News(topic="wakes")

_log = logging.getLogger(__name__)


class SqliteQueue:
    """One row a run: `at` is the earliest wake outstanding, `claimed_until` covers the one a handler has in hand.

    Nobody waits for a row to be safe: it joins the next commit, at most a moment later. What a power cut takes of it, `due`
    finds again in the store. A wake for now goes to the handler at once, claimed by the row that says so.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._handler: Callable[[str], Awaitable[None]] | None = None
        self._in_flight: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._news = asyncio.Event()
        self._until: datetime | None = None
        """When the server looks again without news; None = never."""
        self._passed_over = set[str]()
        """Runs whose next wake it found earlier than that, but in hand here."""
        self._server: asyncio.Task[None] | None = None
        self._claims = 0
        self._again: set[str] = set()
        self._left: dict[str, datetime] = {}
        """Wakes that are for another process of this folder, and until when."""

    async def enqueue(self, run: str, at: datetime) -> None:
        now = self._clock.now()
        if at <= now and self._server and run in self._in_flight:
            self._again.add(run)
            return
        if at <= now and self._server and run not in self._in_flight and len(self._in_flight) < IN_FLIGHT:
            self._deliver_now(run, now)
            return

        def apply(c: sqlite3.Connection) -> int:
            return c.execute(_ENQUEUE, (run, micros(at))).rowcount

        if self._server:
            self._database.post(apply, then=lambda: self._stored(at))
        else:  # whoever only writes leaves soon
            await self._write(apply)
            self._stored(at)

    async def leave(self, run: str, until: datetime) -> None:
        """Another process of this folder is to have this wake; if it is still there then, it is delivered here."""
        now = self._clock.now()
        self._left[run] = until
        await self._write(lambda c: c.execute(_ENQUEUE, (run, micros(now))).rowcount)
        self._stored(now)

    def on_wake(self, handler: Callable[[str], Awaitable[None]]) -> None:
        self._handler = handler

    async def start(self) -> None:
        """Deliver what is due, also what a dead process had in hand, and go on doing so."""
        dead = [token for (token,) in self._database.rows(_TOKENS) if not self._database.alive.lives(token)]
        if dead:
            await self._write(lambda c: c.executemany(_RELEASE, [(token,) for token in dead]).rowcount)
        self._database.elsewhere.listen(self._hear)
        self._server = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Stop delivering; what handlers had in hand is delivered again by whoever starts next."""
        self._database.elsewhere.forget(self._hear)
        tasks = [*self._in_flight.values(), *([self._server] if self._server else [])]
        self._server = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stored(self, at: datetime) -> None:
        if self._until is None or at < self._until:
            self._news.set()
        self._database.elsewhere.say(_WAKES)

    def _hear(self, news: News) -> None:
        if news.topic in ("", _WAKES.topic):
            self._news.set()

    async def _serve(self) -> None:
        while True:
            self._news.clear()
            try:
                for run, claim in await self._claim_due():
                    if run not in self._in_flight:  # a wake for now may have come meanwhile: it stands for both
                        self._deliver(run, _Delivery(claim, written=True))
                self._until = self._next_at()
            except AuterynError as error:
                _log.warning("wakes cannot be read, again in %s: %s", FIRST_RETRY, error)
                self._until = self._clock.now() + FIRST_RETRY
            await self._news_or(self._until)

    async def _claim_due(self) -> list[tuple[str, int]]:
        now, room = self._clock.now(), IN_FLIGHT - len(self._in_flight)
        self._left = {run: until for run, until in self._left.items() if until > now}
        not_now = {*self._in_flight, *self._left}
        found = self._database.rows(_DUE, (micros(now), room + len(not_now)))
        due = [run for (run,) in found if run not in not_now][: max(room, 0)]
        if not due:
            return []

        def apply(c: sqlite3.Connection) -> list[tuple[str, int]]:
            still = [run for run in due if c.execute(_IS_DUE, (micros(now), run)).fetchone()]  # another process may have it
            return [(run, self._claim(c, run, now, self._new_claim())) for run in still]

        return await self._write(apply)

    async def _write(self, apply: Apply[T]) -> T:
        """No wake waits for the disk: what a power cut takes, `due` finds again in the store."""
        return await self._database.write(apply, lasting=False)

    def _new_claim(self) -> int:
        """A number no other claim has."""
        self._claims = max(self._claims + 1, time.time_ns())
        return self._claims

    def _claim(self, c: sqlite3.Connection, run: str, now: datetime, claim: int) -> int:
        """The run's outstanding wake is in this process's hands."""
        c.execute(_CLAIM, (run, micros(now + CLAIM), self._database.alive.token, claim))
        return claim

    def _next_at(self) -> datetime | None:
        """When the earliest wake is due that is not in hand here."""
        self._passed_over.clear()
        if len(self._in_flight) >= IN_FLIGHT:
            return None
        for run, at in self._database.rows(_NEXT, (len(self._in_flight) + len(self._left) + 1,)):
            if run in self._in_flight:
                self._passed_over.add(run)
            elif run not in self._left:
                return min([moment(at), *self._left.values()])
        return min(self._left.values(), default=None)

    async def _news_or(self, at: datetime | None) -> None:
        waits = [asyncio.create_task(self._news.wait())]
        if at is not None:
            waits.append(asyncio.create_task(self._clock.sleep_until(at)))  # pyright: ignore[reportArgumentType]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _deliver_now(self, run: str, now: datetime) -> None:
        """To the handler, before the row that claims it is written; not at all, if the handler is back before."""
        delivery = _Delivery(self._new_claim())

        def apply(c: sqlite3.Connection) -> None:
            if not delivery.over:
                self._claim(c, run, now, delivery.claim)
                delivery.written = True

        self._database.post(apply)
        self._deliver(run, delivery)

    def _deliver(self, run: str, delivery: _Delivery) -> None:
        task = asyncio.create_task(self._handle(run, delivery))
        self._in_flight[run] = task
        task.add_done_callback(lambda _: self._landed(run))

    def _landed(self, run: str) -> None:
        if run in self._passed_over or len(self._in_flight) >= IN_FLIGHT:
            self._news.set()
        del self._in_flight[run]
        if run in self._again and self._server:  # told of once more while the handler was at it
            self._again.discard(run)
            self._deliver_now(run, self._clock.now())

    async def _handle(self, run: str, delivery: _Delivery) -> None:
        assert self._handler, "on_wake comes before start"
        claim = delivery.claim
        try:
            await self._handler(run)
        except Exception:  # noqa: BLE001 - Q3: whatever it was, the wake comes again
            tries = self._failures[run] = self._failures.get(run, 0) + 1
            pause = min(FIRST_RETRY * 2 ** min(tries - 1, 10), LONGEST_RETRY)
            _log.exception("wake of run %r failed (try %d), again in %s", run, tries, pause)
            again = self._clock.now() + pause
            await self._write(lambda c: c.execute(_FAILED, (micros(again), run, claim)).rowcount)
            self._stored(again)
            return
        self._failures.pop(run, None)
        delivery.over = True
        if delivery.written:
            self._database.post(lambda c: _done(c, run, claim))  # lost, it comes once more: at least once


class _Delivery(Struct, eq=False):
    """A wake in a handler's hands."""

    claim: int
    written: bool = False
    """Its row says so."""
    over: bool = False
    """The handler has come back."""


def _done(c: sqlite3.Connection, run: str, claim: int) -> None:
    """The wake is gone, unless somebody enqueued the run again meanwhile: then that one stands."""
    if not c.execute("DELETE FROM wakes WHERE run=? AND claims=? AND at IS NULL", (run, claim)).rowcount:
        c.execute("UPDATE wakes SET claimed_until=NULL, token=NULL WHERE run=? AND claims=?", (run, claim))


_WHEN = "min(ifnull(at, claimed_until), ifnull(claimed_until, at))"
_DUE = f"SELECT run FROM wakes WHERE {_WHEN} <= ? ORDER BY {_WHEN} LIMIT ?"
_IS_DUE = f"SELECT 1 FROM wakes WHERE {_WHEN} <= ? AND run=?"
_NEXT = f"SELECT run, {_WHEN} FROM wakes ORDER BY {_WHEN} LIMIT ?"
_ENQUEUE = "INSERT INTO wakes (run, at) VALUES (?,?) ON CONFLICT DO UPDATE SET at=min(ifnull(at, excluded.at), excluded.at)"
_CLAIM = """INSERT INTO wakes (run, claimed_until, token, claims) VALUES (?,?,?,?)
    ON CONFLICT DO UPDATE SET at=NULL, claimed_until=excluded.claimed_until, token=excluded.token, claims=excluded.claims"""
_FAILED = "UPDATE wakes SET claimed_until=?, token=NULL WHERE run=? AND claims=?"
_TOKENS = "SELECT DISTINCT token FROM wakes WHERE token IS NOT NULL"
_RELEASE = "UPDATE wakes SET at=0, claimed_until=NULL, token=NULL WHERE token=?"
