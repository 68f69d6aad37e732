"""The job `slice`: one slice of the run named in `AUTERYN_RUN`, then the process is over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from auteryn.compose import composed, stop_gracefully, tell_the_log, traced
from auteryn.errors import Invalid
from auteryn.runtime.slice import run_slice


async def sit(environ: Mapping[str, str]) -> None:
    """The run has had its slice; what it waits for is in the store. Raises `Invalid` if no run is named."""
    tell_the_log()
    run = environ.get("AUTERYN_RUN")
    if not run:
        raise Invalid("AUTERYN_RUN", run, "must name the run this job works on")
    host = composed(environ, "slice")
    stop_gracefully(host)
    try:
        with traced(run=run):
            await run_slice(host.engine, run)
    finally:
        await host.close()


if __name__ == "__main__":
    asyncio.run(sit(os.environ))
