"""`auteryn slice` (hidden): one slice of one run in this process. What `--isolate` starts."""

from __future__ import annotations

import logging

import click

from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.runtime.slice import run_slice

_log = logging.getLogger(__name__)


@click.command(hidden=True)
@click.argument("run_id")
@common
@click.pass_obj
def slice(common: Common, run_id: str) -> None:
    """Work on a run until its slice is over. Starts nothing else: what becomes due is left to the process that hosts the home."""
    try:
        going(_sat(common, run_id))
    except Exception as error:
        _log.exception("the slice of %s failed", run_id)
        raise SystemExit(1) from error


async def _sat(common: Common, run_id: str) -> None:
    async with opened(common) as home:
        services = home.host.engine.services

        async def tell(run: str) -> None:
            await services.queue.enqueue(run, services.clock.now())

        services.bus.on_step(tell)
        await run_slice(home.host.engine, run_id)
        await _leave_word(home)


async def _leave_word(home: Home) -> None:
    """Enqueue what is due now: the host of this home hears of it at once instead of finding it when it sweeps."""
    services = home.host.engine.services
    for run in await services.store.due(services.clock.now()):
        await services.queue.enqueue(run, services.clock.now())
