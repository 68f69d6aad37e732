"""Slices as executions: what the job adapter promises, on real processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.adapters.gcp.jobs import CloudRunJobs
from auteryn.errors import NotFound, RateLimited, Unavailable
from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.emulators.executions import CloudRunJobs as Service
from auteryn.testing.emulators.executions import Job

HANG = 30
JOB = "projects/p/locations/here/jobs/slice"
LARGE = f"{JOB}-large"

WRITES_DOWN = """
import os, pathlib, sys
lines = [os.environ[name] for name in ("AUTERYN_RUN", "CLOUD_RUN_EXECUTION", "KEPT")]
pathlib.Path(os.environ["FOLDER"], lines[0]).write_text(" ".join(lines))
"""

SITS = """
import os, pathlib, signal, sys, time
place = pathlib.Path(os.environ["FOLDER"], os.environ["AUTERYN_RUN"])
if "deaf" in place.name:
    signal.signal(signal.SIGTERM, lambda *_: place.with_suffix(".heard").touch())
place.touch()
while True:
    time.sleep(0.01)
"""


class Room:
    def __init__(self, service: Service, jobs: CloudRunJobs, clock: JumpingClock, folder: Path) -> None:
        self.service, self.jobs, self.clock, self.folder = service, jobs, clock, folder

    def program(self, text: str) -> None:
        env = {"FOLDER": str(self.folder), "KEPT": "kept"}
        for job in (JOB, LARGE):
            self.service.add_job(job, Job([sys.executable, "-c", text], env, timedelta(days=1)))

    async def there(self, name: str) -> None:
        while not (self.folder / name).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[Path], None]:
    """Turn `async def test(room)` into a test."""

    def run(tmp_path: Path) -> None:
        async def main() -> None:
            clock = JumpingClock()
            async with Service(clock, grace=timedelta(seconds=10), quota=3) as service:
                jobs = CloudRunJobs(JOB, large=LARGE, host=service.host)
                try:
                    await asyncio.wait_for(test(Room(service, jobs, clock, tmp_path)), HANG)
                finally:
                    await jobs.close()

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


@pytest.mark.proves("P37")
@in_a_room
async def test_a_start_is_an_execution_that_knows_its_run(room: Room) -> None:
    """J1: beside what the job itself sets."""
    room.program(WRITES_DOWN)

    await room.jobs.start("run_a")

    (execution,) = await room.service.ended()
    assert (room.folder / "run_a").read_text() == f"run_a {execution.name.rpartition('/')[2]} kept"
    assert execution.state == "succeeded"
    assert execution.timeout == timedelta(hours=2)


@pytest.mark.proves("F5")
@in_a_room
async def test_a_start_whose_reply_is_lost_is_reported_and_not_repeated_here(room: Room) -> None:
    """J1: the service knows no request ids; whoever asks again makes a second one, and the lease copes."""
    room.program(WRITES_DOWN)
    room.service.faults.plan("RunJob", "lose")

    with pytest.raises(Unavailable):
        await room.jobs.start("run_a")

    assert len(await room.service.ended()) == 1


@pytest.mark.proves("F7")
@in_a_room
async def test_beyond_the_quota_a_start_is_rate_limited(room: Room) -> None:
    """J4: the wake comes again, and then there is room."""
    room.program(SITS)
    for number in range(3):
        await room.jobs.start(f"run_{number}")

    with pytest.raises(RateLimited):
        await room.jobs.start("run_3")

    await room.jobs.stop("run_0")
    await room.service.ended()
    await room.jobs.start("run_3")


@pytest.mark.proves("F23")
@in_a_room
async def test_stop_ends_every_execution_of_a_run_and_no_other(room: Room) -> None:
    """J3: told first; killed when the grace is over and it does not listen. Stopping what does not run is nothing."""
    room.program(SITS)
    room.service.faults.plan("start", "twice")
    await room.jobs.start("run_deaf")
    await room.jobs.start("run_b")
    await room.there("run_deaf")
    await room.there("run_b")

    await room.jobs.stop("run_deaf")
    await room.jobs.stop("run_unknown")
    await room.there("run_deaf.heard")
    while not all(one.over.is_set() for one in room.service.executions.values() if "deaf" in one.env["AUTERYN_RUN"]):
        room.clock.jump(timedelta(seconds=11))
        await asyncio.sleep(0.01)

    states = {one.env["AUTERYN_RUN"]: one.state for one in room.service.executions.values()}
    assert states == {"run_deaf": "cancelled", "run_b": "running"}
    await room.jobs.stop("run_deaf")


@pytest.mark.proves("F23")
@in_a_room
async def test_whoever_needs_more_memory_has_it_and_is_stopped_there_too(room: Room) -> None:
    """J1, J3: by the job's large twin."""
    room.program(SITS)
    await room.jobs.start("run_a", roomy=True)
    await room.jobs.start("run_b")
    for run in ("run_a", "run_b"):
        await room.there(run)
    assert {one.env["AUTERYN_RUN"]: one.name.partition("/executions/")[0] for one in room.service.executions.values()} == {
        "run_a": LARGE,
        "run_b": JOB,
    }

    await room.jobs.stop("run_a")
    await next(one for one in room.service.executions.values() if one.env["AUTERYN_RUN"] == "run_a").over.wait()
    states = {one.env["AUTERYN_RUN"]: one.state for one in room.service.executions.values()}
    assert states == {"run_a": "cancelled", "run_b": "running"}


@pytest.mark.proves("F12", "P19")
@in_a_room
async def test_an_execution_past_its_cap_is_ended_by_the_service(room: Room) -> None:
    """J2: two hours later."""
    room.program(SITS)
    await room.jobs.start("run_a")
    await room.there("run_a")

    room.clock.jump(timedelta(hours=2, seconds=1))

    assert [one.state for one in await room.service.ended()] == ["failed"]


@in_a_room
async def test_what_the_service_does_to_a_start_is_not_seen_by_who_asked(room: Room) -> None:
    """Never, late: `start` returned, and only the watchdog knows better."""
    room.program(WRITES_DOWN)
    room.service.faults.plan("start", "never")
    room.service.faults.plan("start", "delay", span=timedelta(minutes=10))

    await room.jobs.start("run_never")
    await room.jobs.start("run_late")
    room.clock.jump(timedelta(minutes=11))
    await room.there("run_late")

    assert not (room.folder / "run_never").exists()
    await room.jobs.stop("run_never")
    assert {one.state for one in await room.service.ended(2)} == {"succeeded", "cancelled"}


@in_a_room
async def test_a_job_that_does_not_exist_is_said_to_be_missing(room: Room) -> None:
    """With its name."""
    with pytest.raises(NotFound, match="jobs/slice"):
        await room.jobs.start("run_a")
