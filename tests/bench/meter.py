"""What a story costs in Google Cloud, counted while it is played in the embedded world.

The engine is the real one; only its ports are watched. A commit is as many Firestore writes as `adapters/gcp/store` puts into
its batch (`tests/emulators/test_meter.py` holds both together), a wake is one Cloud Tasks operation, and a slice is the time
between taking a lease and leaving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from auteryn.policy.modes import MODES
from auteryn.ports import Services
from auteryn.ports.clock import Clock
from auteryn.ports.model import Model, ModelRequest
from auteryn.ports.store import Lease, Page, Standing, Store
from auteryn.schema.change import Change, Doc, Newborn
from auteryn.schema.event import Entry
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.message import Reply
from auteryn.schema.run import ModeName, Run

NEWBORN_WRITES = 3
"""Summary, first entry, lease."""


@dataclass
class Bill:
    """Operations of the services that charge by the operation."""

    writes: int = 0
    reads: int = 0
    wakes: int = 0
    messages: int = 0
    calls: int = 0

    def add(self, other: Bill) -> None:
        for name in ("writes", "reads", "wakes", "messages", "calls"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Sitting:
    """One slice: when it began after the story's beginning, how long it took, what it did."""

    run: str
    mode: ModeName
    begins: timedelta
    lasts: timedelta = timedelta()
    bill: Bill = field(default_factory=Bill)


class Meter:
    """Watches the ports of a `World` (`around=meter.around`)."""

    def __init__(self, think: Callable[[ModelRequest], timedelta]) -> None:
        """`think`: how long the model takes over a request."""
        self.sittings, self.between = list[Sitting](), Bill()
        """`between`: what happened while no slice of the run concerned was open, such as its creation."""
        self._think = think
        self._open = dict[str, Sitting]()
        self._began: datetime | None = None

    def around(self, services: Services) -> Services:
        self._clock = services.clock
        self._began = services.clock.now()
        return _watched(services, self)

    def total(self) -> Bill:
        bill = Bill()
        for one in (self.between, *(sitting.bill for sitting in self.sittings)):
            bill.add(one)
        return bill

    def active(self, mode: ModeName) -> timedelta:
        return sum((sitting.lasts for sitting in self.sittings if sitting.mode == mode), timedelta())

    # ---- what the watched ports report

    def of(self, run: str) -> Bill:
        return self._open[run].bill if run in self._open else self.between

    def begins(self, run: str, mode: ModeName) -> None:
        assert self._began
        self._open[run] = Sitting(run, mode, self._clock.now() - self._began)
        self.sittings.append(self._open[run])

    def ends(self, run: str) -> None:
        if sitting := self._open.pop(run, None):
            assert self._began
            sitting.lasts = self._clock.now() - self._began - sitting.begins

    def think(self, request: ModelRequest) -> timedelta:
        return self._think(request)


def _watched(services: Services, meter: Meter) -> Services:
    """The same ports, watched."""
    enqueue, tell, publish = services.queue.enqueue, services.bus.tell, services.bus.publish_steps

    async def enqueued(run: str, at: datetime) -> None:
        meter.of(run).wakes += 1
        await enqueue(run, at)

    def told(root: str, run: str, seq: int) -> None:
        meter.of(run).messages += 1
        tell(root, run, seq)

    async def published(runs: Sequence[str]) -> None:
        meter.between.messages += len(runs)
        await publish(runs)

    services.queue.enqueue = enqueued
    services.bus.tell = told
    services.bus.publish_steps = published
    store: Any = _MeteredStore(services.store, meter)
    return replace(services, store=store, model=_SlowModel(services.model, services.clock, meter))


class _SlowModel:
    """Takes as long as the real one would, in virtual time."""

    def __init__(self, model: Model, clock: Clock, meter: Meter) -> None:
        self._model, self._clock, self._meter = model, clock, meter

    searches = False

    def model_id(self, role: Any) -> str:
        return self._model.model_id(role)

    async def generate(self, request: ModelRequest, **how: Any) -> Reply:
        await self._clock.sleep(self._meter.think(request))
        reply = await self._model.generate(request, **how)
        self._meter.between.calls += reply.attempts
        return reply

    async def close(self) -> None:
        await self._model.close()


def writes_of(change: Change) -> int:
    """Documents in the batch of this commit; the entry before this one, which must be there, is charged as one."""
    leaving = change.leave or change.run.terminal
    beside = len(change.consumed) + len(change.sends) + len(change.docs) + NEWBORN_WRITES * len(change.children)
    return 2 + (change.summary or leaving) + leaving + beside


class _MeteredStore:
    """The store, each operation counted as Firestore bills it. A query that finds nothing costs one read."""

    def __init__(self, store: Store, meter: Meter) -> None:
        self._store, self._meter = store, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def create(self, newborn: Newborn, *, key: str | None = None) -> Run:
        self._meter.between.writes += NEWBORN_WRITES + (key is not None)
        return await self._store.create(newborn, key=key)

    async def commit(self, change: Change) -> None:
        run = change.run.id
        self._meter.of(run).writes += writes_of(change)
        self._meter.of(run).reads += change.run.status == "completed"
        await self._store.commit(change)
        if change.leave or change.run.terminal:
            self._meter.ends(run)

    async def get(self, run: str) -> Run:
        found = await self._store.get(run)
        self._meter.of(run).reads += 2
        return found

    async def journal(self, run: str, *, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        entries = await self._store.journal(run, after=after, limit=limit)
        self._meter.of(run).reads += max(len(entries), 1)
        return entries

    async def runs(self, **how: Any) -> Page:
        page = await self._store.runs(**how)
        self._meter.between.reads += max(len(page.runs), 1)
        return page

    async def send(self, run: str, message: AnyMessage, *, heard: bool = False) -> bool:
        self._meter.of(run).writes += 2  # with the first entry or the lease
        self._meter.of(run).reads += heard
        return await self._store.send(run, message, heard=heard)

    async def inbox(self, run: str, *, limit: int | None = None) -> Sequence[AnyMessage]:
        messages = await self._store.inbox(run, limit=limit)
        self._meter.of(run).reads += max(len(messages), 1)
        return messages

    async def take_lease(self, run: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        lease = await self._store.take_lease(run, holder=holder, now=now, until=until)
        if lease is not None:
            self._meter.begins(run, (await self._store.get(run)).mode)
            self._meter.of(run).writes += 1
        self._meter.of(run).reads += 1
        return lease

    async def renew(self, lease: Lease, *, until: datetime) -> Lease:
        self._meter.of(lease.run).writes += 1
        return await self._store.renew(lease, until=until)

    async def give_back(self, lease: Lease) -> None:
        self._meter.ends(lease.run)
        await self._store.give_back(lease)

    async def standing(self, run: str) -> Standing:
        self._meter.of(run).reads += 4  # run and newer entries, lease, inbox
        return await self._store.standing(run)

    async def lease(self, run: str) -> Lease | None:
        self._meter.of(run).reads += 1
        return await self._store.lease(run)

    async def put(self, doc: Doc, *, if_absent: bool = False) -> bool:
        self._meter.between.writes += 1
        return await self._store.put(doc, if_absent=if_absent)

    async def doc(self, kind: str, doc_id: str) -> Doc | None:
        self._meter.between.reads += 1
        return await self._store.doc(kind, doc_id)

    async def docs(self, kind: str, scope: str, *, limit: int | None = None) -> Sequence[Doc]:
        found = await self._store.docs(kind, scope, limit=limit)
        self._meter.between.reads += max(len(found), 1)
        return found


def seconds_of_the_mode(request: ModelRequest) -> timedelta:
    """About what the recorded traffic took: FAST 2 s, DEEP 8 s an answer."""
    return timedelta(seconds=2 if request.thinking_tokens <= MODES["fast"].thinking_tokens else 8)
