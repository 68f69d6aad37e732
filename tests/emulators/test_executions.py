"""The stand-in for Cloud Run jobs runs real processes, and does to them what the platform does."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.api_core import exceptions
from google.cloud.run_v2 import ExecutionsAsyncClient, JobsAsyncClient
from google.cloud.run_v2.services.executions.transports import ExecutionsGrpcAsyncIOTransport
from google.cloud.run_v2.services.jobs.transports import JobsGrpcAsyncIOTransport

from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.emulators.executions import CloudRunJobs, Job
from auteryn.testing.emulators.nursery import Nursery

HANG = 30
PARENT = "projects/p/locations/here"
JOB = f"{PARENT}/jobs/j"

COUNTS = """
import os, pathlib, sys, time
place, number = pathlib.Path(os.environ["PLACE"]), 0
while True:
    number += 1
    place.write_text(str(number))
    time.sleep(0.005)
"""


class Room:
    def __init__(self, service: CloudRunJobs, jobs: Any, executions: Any, clock: JumpingClock, folder: Path) -> None:
        self.service, self.jobs, self.executions, self.clock, self.place = service, jobs, executions, clock, folder / "place"

    def program(self, text: str) -> None:
        self.service.add_job(JOB, Job([sys.executable, "-c", text], {"PLACE": str(self.place), "MORE": "one"}))

    async def run(self, **overrides: Any) -> Any:
        return (await self.jobs.run_job({"name": JOB, "overrides": overrides})).metadata

    def count(self) -> int:
        return int((self.place.exists() and self.place.read_text()) or 0)

    async def counts_on(self) -> None:
        before = self.count()
        while self.count() <= before:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.005)


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[Path], None]:
    """Turn `async def test(room)` into a test."""

    def run(tmp_path: Path) -> None:
        async def main() -> None:
            clock = JumpingClock()
            async with CloudRunJobs(clock) as service, grpc.aio.insecure_channel(service.host) as channel:
                jobs = JobsAsyncClient(transport=JobsGrpcAsyncIOTransport(channel=channel))
                executions = ExecutionsAsyncClient(transport=ExecutionsGrpcAsyncIOTransport(channel=channel))
                await asyncio.wait_for(test(Room(service, jobs, executions, clock, tmp_path)), HANG)

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


def state_of(pid: int | None) -> str:
    """The kernel's letter for what the process does: `T` stopped, `Z` ended and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has gone, or is going
        return "gone"


@in_a_room
async def test_overrides_merge_variables_and_replace_arguments(room: Room) -> None:
    """And the platform's own variables are there."""
    room.program("")
    text = """
import os, pathlib, sys
words = [*sys.argv[1:], os.environ["MORE"], os.environ["CLOUD_RUN_TASK_ATTEMPT"]]
pathlib.Path(os.environ["PLACE"]).write_text(" ".join(words))
"""
    override = {"args": ["-c", text, "a", "b"], "env": [{"name": "MORE", "value": "two"}]}

    made = await room.run(container_overrides=[override], timeout=timedelta(seconds=70))

    await room.service.ended()
    assert room.place.read_text() == "a b two 0"
    seen = await room.executions.get_execution({"name": made.name})
    assert (seen.succeeded_count, seen.template.timeout) == (1, timedelta(seconds=70))
    assert seen.completion_time


@in_a_room
async def test_a_frozen_execution_stands_still_and_goes_on_when_it_is_thawed(room: Room) -> None:
    """A zombie for tests: nothing of it moves, nothing is lost."""
    room.program(COUNTS)
    await room.run()
    await room.counts_on()
    (execution,) = room.service.executions.values()

    room.service.freeze(execution)
    while state_of(execution.pid) != "T":  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    before = room.count()
    await asyncio.sleep(0.05)
    assert room.count() == before
    room.service.thaw(execution)

    await room.counts_on()


@in_a_room
async def test_a_killed_execution_has_failed(room: Room) -> None:
    """As when it used too much memory."""
    room.program(COUNTS)
    await room.run()
    await room.counts_on()

    room.service.kill(*room.service.executions.values())

    assert [(one.state, one.code) for one in await room.service.ended()] == [("failed", -9)]


@in_a_room
async def test_cancelling_is_sigterm_and_after_the_grace_sigkill(room: Room) -> None:
    """Also to what the execution has started itself."""
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    room.program(
        f"""
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: None)
child = subprocess.Popen([sys.executable, "-c", {child!r}])
pathlib.Path(os.environ["PLACE"]).write_text(str(child.pid))
while True: time.sleep(600)
"""
    )
    made = await room.run()
    await room.counts_on()

    await room.executions.cancel_execution({"name": made.name})
    while not all(one.over.is_set() for one in room.service.executions.values()):
        room.clock.jump(timedelta(seconds=11))
        await asyncio.sleep(0.01)

    assert [one.state for one in room.service.executions.values()] == ["cancelled"]
    assert state_of(room.count()) in ("gone", "Z")
    with pytest.raises(exceptions.FailedPrecondition):
        await room.executions.cancel_execution({"name": made.name})


@in_a_room
async def test_executions_are_listed_newest_first_in_pages(room: Room) -> None:
    """Of their job only."""
    room.program("")
    names = [(await room.run()).name for _ in range(5)]

    listed = [one.name async for one in await room.executions.list_executions({"parent": JOB, "page_size": 2})]

    assert listed == names[::-1]
    await room.service.ended(5)


@in_a_room
async def test_a_job_made_by_the_client_runs(room: Room) -> None:
    """With its container's command."""
    container = {"command": [sys.executable, "-c", "import os; open(os.environ['PLACE'], 'w').write('7')"]}
    container["env"] = [{"name": "PLACE", "value": str(room.place)}]
    job = {"template": {"template": {"containers": [container]}}}
    await room.jobs.create_job({"parent": PARENT, "job_id": "j", "job": job})

    await room.run()

    await room.service.ended()
    assert room.count() == 7


def test_leaving_ends_every_process(tmp_path: Path) -> None:
    """Nothing of a test is left behind."""
    pids = list[int]()

    async def main() -> None:
        async with CloudRunJobs(JumpingClock()) as service, grpc.aio.insecure_channel(service.host) as channel:
            service.add_job(JOB, Job([sys.executable, "-c", COUNTS], {"PLACE": str(tmp_path / "place")}))
            await JobsAsyncClient(transport=JobsGrpcAsyncIOTransport(channel=channel)).run_job({"name": JOB})
            while not (tmp_path / "place").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            pids.extend(one.pid for one in service.executions.values() if one.pid)

    asyncio.run(main())

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert pids


def test_a_birth_that_nobody_waits_for_any_more_harms_no_other(tmp_path: Path) -> None:
    """Whoever asked for it was cancelled; the nursery goes on hearing of births and deaths."""
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit(3)")

    async def main() -> None:
        async with Nursery() as nursery:
            cancelled = asyncio.create_task(nursery.spawn([sys.executable, str(program)], os.environ))
            await asyncio.sleep(0)
            cancelled.cancel()
            child = await nursery.spawn([sys.executable, str(program)], os.environ)
            assert await child.wait() == 3

    asyncio.run(asyncio.wait_for(main(), HANG))
