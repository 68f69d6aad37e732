"""Do what is due: the one place where slices are started."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime, timedelta

from auteryn.errors import AuterynError, Corrupt, NotFound
from auteryn.policy.cloud import SWEEP_LINE
from auteryn.policy.limits import LEASE
from auteryn.policy.retry import backoff
from auteryn.ports.store import Standing
from auteryn.runtime.due import Later, Nothing, Now, due, wake_at
from auteryn.runtime.engine import Engine
from auteryn.runtime.lost import tell_parent
from auteryn.runtime.slice import run_slice
from auteryn.schema.change import Doc
from auteryn.schema.inbox import Cancel
from auteryn.schema.post import POST, POSTS
from auteryn.schema.record import Record

SWEPT = "swept"
"""Kind of the documents that count how often only the sweeper found a run."""
LATE = timedelta(minutes=2)
"""How long a post may be overdue before its wake counts as lost."""
MOST_POSTS = 200
"""Looked at in one sweep."""
SET_ASIDE = timedelta(hours=1)
"""Longest time between two looks at a run that cannot be read."""
MOST_DOUBLINGS = 10
STOP_SECONDS = 10.0
"""How long the start of the next slice waits for the end of a deaf one."""
_NOBODY = "unreadable"
"""Who holds the lease of a run that is set aside."""

_log = logging.getLogger(__name__)


class Here(Record):
    """Which slices this process works on itself, before it answers whoever brought the wake."""

    folds: bool = False
    """Of a waiting run that was written to: the inbox is read and what may start is started. If the model or a tool is wanted,
    the run is handed over."""
    fast: timedelta | None = None
    """Of a FAST run: the whole work, for so long; then it is handed over."""


NOTHING = Here()


async def dispatch(engine: Engine, run_id: str, here: Here = NOTHING) -> None:
    """Evaluate `due` and act on it. May be called at any time, by anybody, any number of times (L3).

    The watchdog is enqueued BEFORE the slice is started, so that at no instant the run has neither a live lease nor a
    future wake (L4).
    """
    if run_id.startswith(POST):
        await _deliver(engine, run_id)
    elif standing := await _standing(engine, run_id):
        await _act(engine, standing, here)


async def _standing(engine: Engine, run_id: str) -> Standing | None:
    """None for a run with nothing to start: there is none, or it cannot be read, and is set aside."""
    try:
        return await engine.services.store.standing(run_id)
    except NotFound:
        return None
    except Corrupt as error:  # the others go on
        _log.error("%s cannot be read: %s", run_id, error)
        await tell_parent(engine, run_id, str(error))
        await _set_aside(engine, run_id)
        return None


async def _act(engine: Engine, standing: Standing, here: Here = NOTHING) -> None:
    queue, now, run_id = engine.services.queue, engine.now(), standing.run.id
    run, lease, unread = standing.run, standing.lease, standing.unread is not None
    match due(run, now, unread=unread, lease=lease):
        case Nothing():
            pass
        case Later(at=at):
            await queue.enqueue(run_id, at)
        case Now() if engine.company and await engine.company.takes(run, now):
            pass
        case Now() if here.folds and unread and run.status == "waiting":
            await queue.enqueue(run_id, now + LEASE)
            await run_slice(engine, run_id, thinks=False)
        case Now() if here.fast is not None and run.mode == "fast":
            await queue.enqueue(run_id, now + LEASE)
            await run_slice(engine, run_id, budget=here.fast)
        case Now():
            if lease is not None and unread:
                await _end_the_deaf(engine, run_id)
            await begin(engine, run_id, roomy=lease is not None and run.status == "running")


async def _end_the_deaf(engine: Engine, run_id: str) -> None:
    """Whoever held the lease heard no cancel in all its time: it is made to end, as what it still does, it does for nobody.
    Whether it can be or not, the next slice writes that the run is cancelled (F23)."""
    if any(isinstance(one, Cancel) for one in await engine.services.store.inbox(run_id)):
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await engine.hint(engine.services.jobs.stop(run_id))


async def _set_aside(engine: Engine, run_id: str) -> None:
    """Nobody looks at it for a while, longer each time, so that many of them do not fill every sweep; a restart looks at once.

    It stays due: a release that can read it finds it again.
    """
    now, looks = engine.now(), 1 + await _times_swept(engine, run_id)
    pause = backoff(min(looks, MOST_DOUBLINGS), first=LEASE, most=SET_ASIDE)
    store, until = engine.services.store, now + pause
    lease = await store.lease(run_id)
    if lease is None or lease.holder != _NOBODY:
        await store.take_lease(run_id, holder=_NOBODY, now=now, until=until)
    elif lease.until <= now:
        await store.renew(lease, until=until)  # a lease taken anew would count as a slice that came to nothing


async def _deliver(engine: Engine, post: str) -> None:
    """A post of the outbox goes out in a task that closing the process waits for."""
    if engine.deliver is None:
        return
    task = asyncio.ensure_future(engine.deliver(post))
    engine.delivering.add(task)
    task.add_done_callback(engine.delivering.discard)
    await asyncio.shield(task)


async def begin(engine: Engine, run_id: str, *, roomy: bool = False) -> None:
    """Start a slice of a run that wants one, as a step does that was just published; one slice too many ends at once."""
    await engine.services.queue.enqueue(run_id, engine.now() + LEASE)
    await engine.services.jobs.start(run_id, roomy=roomy)


async def sweep(engine: Engine, *, starting: bool = False, at_once: int = 1) -> int:
    """Dispatch everything that is due and that nobody told us of; returns how many there were (L4).

    Every one beyond a start-up is a lost message: the number is worth watching. One that cannot be started does not keep the
    others waiting: the next sweep finds it again.
    """
    found, late = await engine.services.store.due(engine.now()), [timedelta()]

    async def one(run_id: str) -> None:
        try:
            if standing := await _standing(engine, run_id):
                late.append(_late(standing, engine.now()))
                await _act(engine, standing)
        except AuterynError as error:
            _log.warning("%s is due and could not be started: %s", run_id, error)
        if not starting:
            await _noted(engine, run_id)

    for first in range(0, len(found), at_once):
        await asyncio.gather(*map(one, found[first : first + at_once]))
    await _lost_posts(engine)
    _log.info(SWEEP_LINE, extra={"acted": len(found), "overdue_seconds": round(max(late).total_seconds())})
    return len(found)


async def _lost_posts(engine: Engine) -> None:
    late = engine.now() - LATE
    for doc in await engine.services.store.docs(POST, POSTS, limit=MOST_POSTS):
        if doc.at <= late:
            await engine.services.queue.enqueue(doc.id, engine.now())


async def _noted(engine: Engine, run_id: str) -> None:
    """That the sweeper had to act, and how often: a person who looks at the run sees it."""
    times = await _times_swept(engine, run_id) + 1
    await engine.services.store.put(Doc(kind=SWEPT, id=run_id, scope=run_id, body={"times": times}, at=engine.now()))


async def _times_swept(engine: Engine, run_id: str) -> int:
    old = await engine.services.store.doc(SWEPT, run_id)
    return old.body["times"] if old else 0


def _late(standing: Standing, now: datetime) -> timedelta:
    """Since when it is due; a message's own time is not asked for."""
    at = standing.lease.until if standing.lease is not None else wake_at(standing.run)
    return max(now - at, timedelta()) if at is not None else timedelta()
