"""`auteryn slice` (hidden): one slice of one run in this process. What `--isolate` starts."""

from __future__ import annotations

import asyncio
import logging
import signal

import click

from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common
from auteryn.runtime.slice import run_slice

_log = logging.getLogger(__name__)


@click.command(hidden=True)
@click.argument("run_id")
@common
@click.pass_obj
def slice(common: Common, run_id: str) -> None:
    """Work on a run until its slice is over; what becomes due is left to the process that hosts the home."""
    try:
        going(_sat(common, run_id))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None  # told to stop: it has handed over what it could
    except Exception as error:
        _log.exception("the slice of %s failed", run_id)
        raise SystemExit(1) from error


async def _sat(common: Common, run_id: str) -> None:
    """The host of this home hears at once of what is due, instead of finding it when it sweeps."""
    async with opened(common) as home:
        services = home.host.engine.services

        told = set[str]()

        async def tell(run: str) -> None:
            told.add(run)
            await services.queue.enqueue(run, services.clock.now())

        services.bus.on_step(tell)
        await run_slice(home.host.engine, run_id)
        for run in set(await services.store.due(services.clock.now())) - told:
            await tell(run)
