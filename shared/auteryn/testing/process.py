"""A real process that plays a scenario in a folder: for SIGKILL, SIGSTOP and neighbours, which no simulation has.

    python -m auteryn.testing.process FOLDER SCENARIO [--kill-at N | --stop-at N] [--ahead SECONDS] [--real-time]

It says `ready` when it hosts the folder, and at the end the run's id and the number of points it passed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.crash import Fate, played
from auteryn.testing.scenarios import SCENARIOS

WHILE_STOPPED = timedelta(minutes=10)
"""What a stopped process sees to have passed when it goes on: its leases are long over."""


def main(args: list[str] | None = None) -> int:
    given = _parser().parse_args(args)
    home = Path(given.folder) / "home"
    number = signal.SIGKILL if given.kill_at is not None else signal.SIGSTOP
    fate = Fate(freeze_at=given.stop_at if given.kill_at is None else given.kill_at, pace_seconds=given.pace)

    def hit() -> timedelta:
        os.kill(os.getpid(), number)
        return WHILE_STOPPED

    fate.meanwhile = hit
    scenario = SCENARIOS[given.scenario]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if given.real_time:
        run = asyncio.run(played(scenario, home, fate, real_time=True))
    else:
        clock = SkippingClock()
        clock.jump(timedelta(seconds=given.ahead))
        run = skipping(played(scenario, home, fate, clock=clock))
    sys.stdout.write(f"{run} {len(fate.points)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m auteryn.testing.process")
    parser.add_argument("folder")
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--kill-at", type=int, help="number of the point at which it kills itself")
    parser.add_argument("--stop-at", type=int, help="number of the point at which it stops itself")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds each point takes")
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds by which its clock is ahead")
    parser.add_argument("--real-time", action="store_true", help="the system's clock instead of a virtual one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
