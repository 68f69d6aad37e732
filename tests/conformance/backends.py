"""Which adapters keep which port's laws: every test of this folder runs once for each backend listed here.

A backend is one async context manager: `open(place)` is one process at work on `place`, an empty folder of the test's own.
Opened twice at the same place it is two processes, or, one after the other, a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from google.cloud import firestore

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.bus import LocalBus
from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.jobs import TaskJobs
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.ports import Blobs, Bus, Clock, Jobs, Queue, Store
from auteryn.schema.record import Record, new_id
from auteryn.testing.emulators.pubsub import lay_out
from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, host_of
from auteryn.testing.emulators.storage import Storage
from auteryn.testing.emulators.target import Target
from auteryn.testing.emulators.tasks import CloudTasks
from delivered import PushedBus, WokenQueue

P = TypeVar("P")

HANG = 20
"""Seconds after which a test that waits for something that never comes is ended. No law is measured with it."""


@dataclass(frozen=True)
class Backend(Generic[P]):
    name: str
    open: Callable[[Path], AbstractAsyncContextManager[P]]
    damage: Callable[[Path, str], None] | None = None
    """For stores: the summary and journal of this run become unreadable. For blobs: the blob of this hash is altered."""


@dataclass(frozen=True)
class Place(Generic[P]):
    """One backend at one empty place."""

    backend: Backend[P]
    folder: Path

    def open(self) -> AbstractAsyncContextManager[P]:
        return self.backend.open(self.folder)

    def damage(self, what: str) -> None:
        assert self.backend.damage, f"{self.backend.name} must say how its data is damaged"
        self.backend.damage(self.folder, what)


_around: ContextVar[contextlib.AsyncExitStack] = ContextVar("around")
"""What stands around one test: services that outlive the processes opened in it."""


def on_every(
    backends: list[Backend[Any]], play: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run
) -> Callable[[Callable[[Place[Any]], Awaitable[None]]], Callable[..., None]]:
    """Turn `async def test(place)` into one test for each backend, by `play` in real or in virtual time."""

    def decorate(test: Callable[[Place[Any]], Awaitable[None]]) -> Callable[..., None]:
        @pytest.mark.parametrize("backend", backends, ids=lambda backend: backend.name)
        def run(backend: Backend[Any], tmp_path: Path) -> None:
            async def main() -> None:
                async with contextlib.AsyncExitStack() as around:
                    _around.set(around)
                    await asyncio.wait_for(test(Place(backend, tmp_path / "place")), HANG)

            play(main())

        run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
        return run

    return decorate


# ---- what is opened: a port, and what its tests need beside it


class Timed(Record, Generic[P]):
    port: P
    clock: Clock


class Bounded(Record):
    """Jobs with a bound of three, a cap and a grace of a few milliseconds."""

    port: Jobs
    bound: int


# ---- embedded


@asynccontextmanager
async def _sqlite_store(place: Path) -> AsyncGenerator[Store]:
    store = SqliteStore.open(place)
    try:
        yield store
    finally:
        await store.close()


def _damage_sqlite(place: Path, run: str) -> None:
    with sqlite3.connect(place / "auteryn.db") as c:
        (n,) = c.execute("SELECT n FROM runs WHERE id=?", (run,)).fetchone()
        c.execute("UPDATE summaries SET body=x'7b22' WHERE n=?", (n,))
        c.execute("UPDATE journal SET body=x'7b22' WHERE key>>24=?", (n,))
    c.close()


@asynccontextmanager
async def _sqlite_queue(place: Path) -> AsyncGenerator[Timed[Queue]]:
    database, clock = Database(place), SystemClock()
    queue = SqliteQueue(database, clock)
    try:
        yield Timed[Queue](port=queue, clock=clock)
    finally:
        await queue.close()
        database.close()


@asynccontextmanager
async def _local_bus(place: Path) -> AsyncGenerator[Bus]:
    database = Database(place)
    bus = LocalBus(database)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()
        database.close()


@asynccontextmanager
async def _task_jobs(place: Path) -> AsyncGenerator[Bounded]:
    jobs = TaskJobs(cap=timedelta(milliseconds=200), grace=timedelta(milliseconds=20), max_slices=3)
    try:
        yield Bounded(port=jobs, bound=3)
    finally:
        await jobs.close()


@asynccontextmanager
async def _folder_blobs(place: Path) -> AsyncGenerator[Blobs]:
    yield FolderBlobs(place / "blobs")


def _damage_folder(place: Path, sha256: str) -> None:
    path = place / "blobs" / sha256[:2] / sha256[2:]
    path.write_bytes(path.read_bytes()[:-1] + b"?")


# ---- Google Cloud: the vendor's emulators; a place is a project of its own


def _project(place: Path) -> str:
    return f"test-{hashlib.sha256(str(place).encode()).hexdigest()[:16]}"


@asynccontextmanager
async def _firestore_store(place: Path) -> AsyncGenerator[Store]:
    os.environ["FIRESTORE_EMULATOR_HOST"] = host_of(FIRESTORE)
    store = FirestoreStore.open(_project(place), FolderBlobs(place / "blobs"))
    try:
        yield store
    finally:
        await store.close()


def _damage_firestore(place: Path, run: str) -> None:
    with contextlib.closing(firestore.Client(project=_project(place))) as client:
        summary = client.document("runs", run)
        for document in (summary, *summary.collection("journal").list_documents()):
            document.update({"body": "{"})


@functools.cache
def _storage() -> Storage:
    return Storage()


@asynccontextmanager
async def _cloud_blobs(place: Path) -> AsyncGenerator[Blobs]:
    blobs = CloudBlobs(_project(place), endpoint=_storage().endpoint)
    try:
        yield blobs
    finally:
        await blobs.close()


def _damage_object(place: Path, sha256: str) -> None:
    stored = _storage().objects[_project(place), f"blobs/{sha256}"]
    stored.body = stored.body[:-1] + b"?"


@dataclass
class _Delivered:
    """A queue whose tasks arrive by HTTP while it has started."""

    queue: WokenQueue
    target: Target

    async def enqueue(self, run: str, at: datetime) -> None:
        await self.queue.enqueue(run, at)

    def on_wake(self, handler: Callable[[str], Awaitable[None]]) -> None:
        self.queue.on_wake(handler)

    async def start(self) -> None:
        self.target.handler = self.queue.receive

    async def close(self) -> None:
        self.target.handler = None
        await self.target.drop()
        await self.queue.close()


_tasks: dict[Path, tuple[CloudTasks, Target]] = {}


@asynccontextmanager
async def _cloud_tasks(place: Path) -> AsyncGenerator[Timed[Queue]]:
    name, clock = f"projects/{_project(place)}/locations/here/queues/wakes", SystemClock()
    if place not in _tasks:
        tasks, target = await _around.get().enter_async_context(CloudTasks(clock)), Target()
        tasks.add_queue(name)
        _tasks[place] = tasks, await _around.get().enter_async_context(target)
        _around.get().callback(_tasks.pop, place)
    tasks, target = _tasks[place]
    queue = _Delivered(WokenQueue(name, clock, url=f"{target.url}/wake", host=tasks.host), target)
    try:
        yield Timed[Queue](port=queue, clock=clock)
    finally:
        await queue.close()


_targets: dict[Path, Target] = {}


@asynccontextmanager
async def _pubsub_bus(place: Path) -> AsyncGenerator[Bus]:
    project, host = f"projects/{_project(place)}", host_of(PUBSUB)
    if place not in _targets:
        target = _targets[place] = await _around.get().enter_async_context(Target())
        _around.get().callback(_targets.pop, place)
        await lay_out(host, project, push_to=f"{target.url}/steps")
    bus = PushedBus(
        steps=f"{project}/topics/steps",
        events=f"{project}/topics/events",
        feed=f"{project}/subscriptions/feed-{new_id('i')}",
        host=host,
    )

    _targets[place].handler = bus.receive
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


STORES: list[Backend[Store]] = [
    Backend("sqlite", _sqlite_store, _damage_sqlite),
    Backend("firestore", _firestore_store, _damage_firestore),
]
QUEUES: list[Backend[Timed[Queue]]] = [Backend("sqlite", _sqlite_queue), Backend("cloud tasks", _cloud_tasks)]
BUSES: list[Backend[Bus]] = [Backend("local", _local_bus), Backend("pubsub", _pubsub_bus)]
JOBS: list[Backend[Bounded]] = [Backend("tasks", _task_jobs)]
BLOBS: list[Backend[Blobs]] = [
    Backend("folder", _folder_blobs, _damage_folder),
    Backend("cloud storage", _cloud_blobs, _damage_object),
]
