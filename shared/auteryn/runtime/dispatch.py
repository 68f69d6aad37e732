"""Do what is due: the one place where slices are started."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from msgspec.structs import replace

from auteryn.errors import Corrupt, NotFound
from auteryn.policy.limits import LEASE
from auteryn.runtime.due import Later, Nothing, Now, due
from auteryn.runtime.engine import Engine
from auteryn.schema.change import Doc
from auteryn.schema.post import POST, POSTS

SWEPT = "swept"
"""Kind of the documents that count how often only the sweeper found a run."""
LATE = timedelta(minutes=2)
"""How long a post may be overdue before its wake counts as lost."""
MOST_POSTS = 200
"""Looked at in one sweep."""


async def dispatch(engine: Engine, run_id: str) -> None:
    """Evaluate `due` and act on it. May be called at any time, by anybody, any number of times (L3).

    The watchdog is enqueued BEFORE the slice is started, so that at no instant the run has neither a live lease nor a
    future wake (L4).
    """
    if run_id.startswith(POST):
        await _deliver(engine, run_id)
        return
    store, queue = engine.services.store, engine.services.queue
    try:
        run = await store.get(run_id)
        lease = await store.lease(run_id)
        unread = bool(await store.inbox(run_id, limit=1))
    except (NotFound, Corrupt):
        return  # nothing to start: `doctor` names unreadable runs, the others go on
    match due(run, engine.now(), unread=unread, lease=lease):
        case Nothing():
            return
        case Later(at=at):
            await queue.enqueue(run_id, at)
        case Now():
            await begin(engine, run_id)


async def _deliver(engine: Engine, post: str) -> None:
    """A post of the outbox goes out in a task that closing the process waits for."""
    if engine.deliver is None:
        return
    task = asyncio.ensure_future(engine.deliver(post))
    engine.delivering.add(task)
    task.add_done_callback(engine.delivering.discard)
    await asyncio.shield(task)


async def begin(engine: Engine, run_id: str) -> None:
    """Start a slice of a run that is known to want one: a step that was just published. A slice too many ends at once."""
    await engine.services.queue.enqueue(run_id, engine.now() + LEASE)
    await engine.services.jobs.start(run_id)


async def sweep(engine: Engine, *, starting: bool = False) -> int:
    """Dispatch everything that is due and that nobody told us of; returns how many there were (L4).

    Every one beyond a start-up is a lost message: the number is worth watching.
    """
    store = engine.services.store
    found = await store.due(engine.now())
    for run_id in found:
        await dispatch(engine, run_id)
        if not starting:
            await _noted(engine, run_id)
    late = engine.now() - LATE
    for doc in await store.docs(POST, POSTS, limit=MOST_POSTS):
        if doc.at <= late:
            await store.put(replace(doc, at=engine.now()))
            await engine.services.queue.enqueue(doc.id, engine.now())
    return len(found)


async def _noted(engine: Engine, run_id: str) -> None:
    """That the sweeper had to act, and how often: a person who looks at the run sees it."""
    store = engine.services.store
    old = await store.doc(SWEPT, run_id)
    times = old.body["times"] + 1 if old else 1
    await store.put(Doc(kind=SWEPT, id=run_id, scope=run_id, body={"times": times}, at=engine.now()))
