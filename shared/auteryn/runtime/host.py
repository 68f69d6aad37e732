"""A process that hosts slices: wires the ports to `dispatch` and `run_slice`, and sweeps."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from auteryn.errors import AuterynError
from auteryn.runtime.dispatch import begin, dispatch, sweep
from auteryn.runtime.engine import Engine
from auteryn.runtime.slice import run_slice

SWEEP_EVERY = timedelta(seconds=30)
LAST_POSTS = timedelta(seconds=10)
"""How long closing waits for notifications that are on their way."""

_log = logging.getLogger(__name__)

GARBAGE = 30_000
"""Allocations between two runs of the garbage collector. With Python's own 700, a thousand parallel steps spend a quarter of
their time collecting."""
_PYTHONS_OWN = (700, 2_000)


class Host:
    """Between `start` and `close`, everything that is due in the store is worked on.

    Starting resumes whatever was interrupted. Several hosts on one store are safe.
    """

    def __init__(self, engine: Engine, *, sweeps: bool = True, last: Callable[[], Awaitable[None]] | None = None) -> None:
        """`sweeps`: whether this process sweeps, since no scheduler does. `last` is called when everything else is closed."""
        self.engine, self._sweeps, self._last = engine, sweeps, last
        self.sweep_every = SWEEP_EVERY
        self.swept = 0
        """How many runs only the sweeper found: lost messages, and what a crash left behind."""
        services = engine.services
        services.queue.on_wake(partial(dispatch, engine))
        services.bus.on_step(partial(begin, engine))
        services.bus.on_news(engine.heard)
        services.jobs.on_start(partial(run_slice, engine))
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        young, *older = gc.get_threshold()
        if young in _PYTHONS_OWN:  # nobody has chosen
            gc.set_threshold(GARBAGE, *older)
        await self.engine.services.bus.start()
        if self._sweeps:
            await sweep(self.engine, starting=True)
        await self.engine.services.queue.start()
        if self._sweeps:
            self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Stop. Slices that are under way are interrupted; whoever opens the store next resumes them."""
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        services = self.engine.services
        await services.queue.close()
        await self.engine.delivered(LAST_POSTS)
        await services.jobs.close()
        await self.engine.close()
        if self.engine.observer:
            await self.engine.observer.close()
        await services.bus.close()
        await services.model.close()
        await services.store.close()
        if self._last:
            await self._last()

    async def _sweep(self) -> None:
        while True:
            await self.engine.services.clock.sleep(self.sweep_every)
            try:
                self.swept += await sweep(self.engine)
            except AuterynError as error:  # the store it is, and the next sweep finds what this one did not
                _log.warning("nothing was swept: %s", error)
