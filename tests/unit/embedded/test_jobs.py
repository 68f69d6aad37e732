"""Slices in child processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from auteryn.adapters.embedded.jobs import ProcessJobs

HANG = 60
LONG = timedelta(hours=1)


class Jumping(asyncio.SelectorEventLoop):
    """Real time that can be moved forward: a child takes as long as it takes, and an hour is over when the test says so."""

    jumped = 0.0

    def time(self) -> float:
        return super().time() + self.jumped

    def jump(self, span: timedelta) -> None:
        self.jumped += span.total_seconds()


def jump(span: timedelta) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Jumping)
    loop.jump(span)


def played(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Jumping) as runner:
        runner.run(main)


SLICE = """
import os, signal, socket, sys, time
port, run = sys.argv[1:]
def told(number, frame):
    line.sendall(b"told")
    if run != "run_deaf":
        sys.exit(0)
line = socket.create_connection(("127.0.0.1", int(port)))
signal.signal(signal.SIGTERM, told)
line.sendall(f"{run} {os.getpid()}\\n".encode())
while run != "run_short":
    time.sleep(60)
"""
"""Calls the switchboard, then hangs on the line until it is told to stop; the deaf one goes on; the short one ends at once."""


class Caller(NamedTuple):
    run: str
    pid: int
    line: asyncio.StreamReader

    async def says(self) -> bytes:
        """Its next word."""
        return await asyncio.wait_for(self.line.readexactly(4), HANG)

    async def until_it_ends(self) -> bytes:
        """What it says until its line goes dead, as a line does when its process is gone."""
        return await asyncio.wait_for(self.line.read(), HANG)


class Switchboard:
    """Where the children of a test report."""

    async def __aenter__(self) -> Switchboard:
        self._callers: asyncio.Queue[Caller] = asyncio.Queue()
        self._lines: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.argv = [sys.executable, "-c", SLICE, str(self._server.sockets[0].getsockname()[1])]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for line in self._lines:
            line.close()
        await asyncio.gather(*(line.wait_closed() for line in self._lines), return_exceptions=True)

    async def next(self) -> Caller:
        return await asyncio.wait_for(self._callers.get(), HANG)

    @property
    def silent(self) -> bool:
        return self._callers.empty()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.append(writer)
        run, pid = (await reader.readline()).decode().split()
        self._callers.put_nowait(Caller(run, int(pid), reader))


def gone(caller: Caller) -> bool:
    """Ended, and reaped: not even a zombie is left."""
    return not Path(f"/proc/{caller.pid}").exists()


def test_a_slice_is_a_child_process_with_the_run_as_its_last_argument() -> None:
    async def main() -> None:
        async with Switchboard() as board:
            jobs = ProcessJobs(board.argv)
            await jobs.start("run_short")
            assert (await board.next()).run == "run_short"
            await jobs.close()

    asyncio.run(main())


@pytest.mark.proves("P19")
def test_a_child_past_its_cap_makes_room_for_the_next() -> None:
    """J2: also one that does not listen."""

    async def main() -> None:
        async with Switchboard() as board:
            jobs = ProcessJobs(board.argv, cap=2 * LONG, grace=LONG, max_slices=1)
            for run in ("run_deaf", "run_short"):
                await jobs.start(run)
            deaf = await board.next()
            jump(2 * LONG)
            assert (deaf.run, await deaf.says()) == ("run_deaf", b"told")
            assert board.silent
            jump(LONG)
            assert (await board.next()).run == "run_short"
            assert gone(deaf)
            await jobs.close()

    played(main())


@pytest.mark.proves("F23")
@pytest.mark.parametrize("run", ["run_listens", "run_deaf"])
def test_stop_tells_a_child_then_kills_it_and_leaves_no_zombie(run: str) -> None:
    """J3"""

    async def main() -> None:
        async with Switchboard() as board:
            jobs = ProcessJobs(board.argv, grace=LONG)
            await jobs.start(run)
            await jobs.start("run_other")
            callers = {caller.run: caller for caller in (await board.next(), await board.next())}

            stopping = asyncio.create_task(jobs.stop(run))
            assert await callers[run].says() == b"told"
            if run == "run_deaf":
                jump(LONG)
            await asyncio.wait_for(stopping, HANG)

            assert gone(callers[run])
            assert not gone(callers["run_other"])
            await jobs.close()
            assert gone(callers["run_other"])

    played(main())


def test_no_more_children_than_the_bound_and_the_rest_wait() -> None:
    """J4: a run that waits in line waits there once."""

    async def main() -> None:
        async with Switchboard() as board:
            jobs = ProcessJobs(board.argv, grace=LONG, max_slices=1)
            for run in ("run_a", "run_b", "run_b", "run_c"):
                await jobs.start(run)
            assert (await board.next()).run == "run_a"
            assert board.silent

            await jobs.stop("run_a")
            assert (await board.next()).run == "run_b"
            await jobs.stop("run_b")
            assert (await board.next()).run == "run_c"
            await jobs.close()

    asyncio.run(main())


@pytest.mark.proves("P31", "F9")
def test_a_run_whose_child_was_killed_is_told_of_at_once() -> None:
    """One that ends in order, or is stopped on purpose, is not."""

    async def main() -> None:
        async with Switchboard() as board:
            dead: asyncio.Queue[str] = asyncio.Queue()
            jobs = ProcessJobs(board.argv, on_death=dead.put)
            await jobs.start("run_short")
            await board.next()
            await jobs.start("run_a")
            caller = await board.next()
            assert jobs.pids_of("run_a") == [caller.pid]

            os.kill(caller.pid, signal.SIGKILL)

            assert await asyncio.wait_for(dead.get(), HANG) == "run_a"
            assert jobs.pids_of("run_a") == []
            await jobs.start("run_b")
            await board.next()
            await jobs.stop("run_b")
            assert dead.empty()
            await jobs.close()

    asyncio.run(main())


def test_a_command_that_cannot_be_run_harms_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        async with Switchboard() as board:
            absent = ProcessJobs([str(tmp_path / "absent")], max_slices=1)
            await absent.start("run_a")
            await absent.start("run_b")
            await absent.close()
            failing = ProcessJobs([sys.executable, "-c", "raise SystemExit(3)"], max_slices=1)
            await failing.start("run_a")
            await failing.close()
            assert board.silent

    asyncio.run(main())
