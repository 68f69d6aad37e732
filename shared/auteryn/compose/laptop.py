"""The embedded world: everything in one folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from auteryn.compose.engine import engine_of, gemini
from auteryn.compose.settings import Settings
from auteryn.ports import Clock, Jobs, Model, Queue, Services
from auteryn.runtime.host import Host
from auteryn.tools.tool import Tool

if TYPE_CHECKING:
    from auteryn.adapters.embedded.condition import Condition


def embedded(
    settings: Settings,
    *,
    model: Model | None = None,
    clock: Clock | None = None,
    tools: Iterable[Tool] = (),
    builtin: bool = True,
    works: bool = True,
    around: Callable[[Services], Services] = lambda services: services,
) -> Host:
    """The whole system in one folder: no account, no server. `start` it and it resumes whatever was interrupted.

    `around` may put something between the engine and its ports: faults, tracing. Where nothing `works`, because runs are only
    looked at or told something, no sandbox is looked for before one is needed.
    """
    if builtin and works and not settings.isolate:
        from auteryn.tools.sandbox import ladder

        ladder.begin()  # the canary is a process of its own: it runs while everything else begins
    from auteryn.adapters.embedded.blobs import FolderBlobs
    from auteryn.adapters.embedded.bus import LocalBus
    from auteryn.adapters.embedded.clock import SystemClock
    from auteryn.adapters.embedded.company import HomeCompany
    from auteryn.adapters.embedded.queue import SqliteQueue
    from auteryn.adapters.embedded.store import SqliteStore

    home = settings.home
    store = SqliteStore.open(home, synchronous=settings.synchronous)
    clock = clock or SystemClock()
    queue = SqliteQueue(store.database, clock)
    services = Services(
        store=store,
        queue=queue,
        bus=LocalBus(store.database),
        jobs=_jobs(settings, queue, clock),
        blobs=FolderBlobs(home / "blobs"),
        model=model or gemini(settings, clock),
        clock=clock,
    )
    brought = list(tools)
    engine = engine_of(around(services), settings, brought, holder=store.holder, builtin=builtin)
    engine.company = HomeCompany(store.database.alive, queue)
    engine.company.bring(one.name for one in brought)
    return Host(engine)


async def condition(host: Host) -> Condition:
    """How the embedded home of this host is."""
    from auteryn.adapters.embedded.condition import condition as look
    from auteryn.adapters.embedded.store import SqliteStore

    store = host.engine.services.store
    assert isinstance(store, SqliteStore)
    return await look(store, host.engine.now())


def pids_of(host: Host, run: str) -> list[int]:
    """The child processes that work on this run now, where slices have processes of their own."""
    from auteryn.adapters.embedded.jobs import ProcessJobs

    jobs = host.engine.services.jobs
    return jobs.pids_of(run) if isinstance(jobs, ProcessJobs) else []


def _jobs(settings: Settings, queue: Queue, clock: Clock) -> Jobs:
    from auteryn.adapters.embedded.jobs import ProcessJobs, TaskJobs

    if settings.isolate:
        argv = [sys.executable, "-m", "auteryn", "--home", str(settings.home), "slice", "--host", str(os.getpid())]

        async def wake(run: str) -> None:
            await queue.enqueue(run, clock.now())

        return ProcessJobs(argv, max_slices=settings.max_slices, cap=timedelta(hours=2), on_death=wake)
    return TaskJobs(max_slices=settings.max_slices)
