"""Follow one run: the store is the truth, the bus only says when to look (L12)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from datetime import timedelta

from auteryn.ports.bus import Watch
from auteryn.schema.fold import after
from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.service.logs import LogLine, at_least, lines
from auteryn.service.why import why_waiting

SOON, SELDOM = timedelta(seconds=1), timedelta(seconds=30)
"""Between two unprompted looks: a silent bus costs at most this much, a run that sleeps for days next to nothing."""

PAGE = 500
"""Journal entries read at a time."""


class Patience:
    """How long to wait for the bus before looking anyway: longer and longer while nothing happens."""

    def __init__(self) -> None:
        self._span = SOON

    async def wait(self, watch: Watch, most: timedelta = SELDOM) -> None:
        news = await watch.next(min(self._span, most))
        self._span = SOON if news else min(self._span * 2, SELDOM)


async def ended(access: Access, run_id: str, timeout: timedelta | None = None) -> Run:
    """The run once it has ended, in whatever process it runs. Raises `TimeoutError`, and the run goes on; `NotFound`, if it was
    erased before anybody here saw its end."""
    run = await access.run(run_id)
    store, give_up_at = access.services.store, None if timeout is None else access.now() + timeout
    with closing(access.services.bus.watch(run.root)) as watch:
        patience = Patience()
        while True:
            entries = await store.journal(run.id, after=run.seq)
            for entry in entries:
                run = after(run, entry)
            if run.terminal:
                return run
            if not entries:
                await access.run(run_id)
            left = SELDOM if give_up_at is None else give_up_at - access.now()
            if timeout is not None and left <= timedelta():
                why = why_waiting(run, access.now())
                raise TimeoutError(f"run {run_id!r} has not ended within {timeout.total_seconds():g} s, and goes on. {why}")
            await patience.wait(watch, left)


async def log_lines(access: Access, run_id: str, level: str, after_seq: int = 0, limit: int | None = None) -> list[LogLine]:
    """The log of a run from after an entry, at this level and above; at most `limit` entries' worth."""
    levels, run = at_least(level), await access.run(run_id)
    entries = await access.services.store.journal(run.id, after=after_seq, limit=limit)
    return [one for entry in entries for one in lines(run, entry, levels)]


async def log_tail(access: Access, run_id: str, level: str, after_seq: int = 0) -> AsyncIterator[LogLine]:
    """The log so far, then every new line, until the run has ended."""
    async with aclosing(log_pages(access, run_id, level, after_seq)) as pages:
        async for page in pages:
            for one in page:
                yield one


async def log_pages(access: Access, run_id: str, level: str, after_seq: int = 0) -> AsyncGenerator[list[LogLine]]:
    """The same in pages: each holds what was there at once, and none is empty."""
    levels, run = at_least(level), await access.run(run_id)
    with closing(access.services.bus.watch(run.root)) as watch:
        patience, seq = Patience(), after_seq
        while True:
            run = await access.services.store.get(run.id)
            while entries := await access.services.store.journal(run.id, after=seq, limit=PAGE):
                if found := [one for entry in entries for one in lines(run, entry, levels)]:
                    yield found
                seq = entries[-1].seq
            if run.terminal:
                return
            await patience.wait(watch)
