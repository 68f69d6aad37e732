"""Do what is due: the one place where slices are started."""

from __future__ import annotations

from auteryn.errors import Corrupt, NotFound
from auteryn.policy.limits import LEASE
from auteryn.runtime.due import Later, Nothing, Now, due
from auteryn.runtime.engine import Engine


async def dispatch(engine: Engine, run_id: str) -> None:
    """Evaluate `due` and act on it. May be called at any time, by anybody, any number of times (L3).

    The watchdog is enqueued BEFORE the slice is started, so that at no instant the run has neither a live lease nor a
    future wake (L4).
    """
    store, queue = engine.services.store, engine.services.queue
    try:
        run = await store.get(run_id)
        lease = await store.lease(run_id)
        unread = bool(await store.inbox(run_id))
    except (NotFound, Corrupt):
        return  # nothing to start: `doctor` names unreadable runs, the others go on
    match due(run, engine.now(), unread=unread, lease=lease):
        case Nothing():
            return
        case Later(at=at):
            await queue.enqueue(run_id, at)
        case Now():
            await begin(engine, run_id)


async def begin(engine: Engine, run_id: str) -> None:
    """Start a slice of a run that is known to want one: a step that was just published. A slice too many ends at once."""
    await engine.services.queue.enqueue(run_id, engine.now() + LEASE)
    await engine.services.jobs.start(run_id)


async def sweep(engine: Engine) -> int:
    """Dispatch everything that is due and that nobody told us of; returns how many there were (L4).

    Every one beyond a start-up is a lost message: the number is worth watching.
    """
    found = await engine.services.store.due(engine.now())
    for run_id in found:
        await dispatch(engine, run_id)
    return len(found)
