"""`auteryn slice` (hidden): one slice of one run in this process. What `--isolate` starts."""

from __future__ import annotations

import logging
import os
import signal
import sys

import click

from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common
from auteryn.runtime.slice import run_slice

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


@click.command(hidden=True)
@click.argument("run_id")
@click.option("--host", type=int, help="The process that started this one, and takes it along.")
@common
@click.pass_obj
def slice(common: Common, run_id: str, host: int | None) -> None:
    """Work on a run until its slice is over; what becomes due is left to the process that hosts the home."""
    if host is not None and sys.platform == "linux":
        _die_with(host)
    try:
        going(_sat(common, run_id))
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGTERM) from None  # told to stop: it has handed over what it could
    except Exception as error:
        _log.exception("the slice of %s failed", run_id)
        raise SystemExit(1) from error


def _die_with(host: int) -> None:
    """The kernel kills this process when its host is gone. Only Linux knows how; else its lease runs out."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:  # gone before the line above
        os._exit(1)


async def _sat(common: Common, run_id: str) -> None:
    """The host of this home hears at once of what is due, instead of finding it when it sweeps."""
    async with opened(common, works=True) as home:
        services = home.host.engine.services

        told = set[str]()

        async def tell(run: str) -> None:
            told.add(run)
            await services.queue.enqueue(run, services.clock.now())

        services.bus.on_step(tell)
        await run_slice(home.host.engine, run_id)
        for run in set(await services.store.due(services.clock.now())) - told:
            await tell(run)
