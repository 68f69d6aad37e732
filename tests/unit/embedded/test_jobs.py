"""Slices in child processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.adapters.embedded.jobs import ProcessJobs
from unit.embedded.children import child, line

HANG = 20
SHORT = timedelta(milliseconds=50)
LONG = timedelta(hours=1)

WRITES_AND_ENDS = "import pathlib, sys; pathlib.Path(sys.argv[1], sys.argv[2]).write_text('ran')"
HANGS = """
import os, pathlib, signal, sys, time
folder, run = sys.argv[1:]
def told(number, frame):
    pathlib.Path(folder, run + ".told").write_text("told")
    if run != "run_deaf":
        sys.exit(0)
signal.signal(signal.SIGTERM, told)
pathlib.Path(folder, run + ".part").write_text(str(os.getpid()))
os.rename(os.path.join(folder, run + ".part"), os.path.join(folder, run))
while True:
    time.sleep(60)
"""


def argv(program: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", program, str(folder)]


async def appears(path: Path) -> None:
    async def look() -> None:
        while not path.exists():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(look(), HANG)


def lives(pid: int) -> bool:
    """Neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Ended, and reaped."""
    return not Path(f"/proc/{pid}").exists()


def test_a_slice_is_a_child_process_with_the_run_as_its_last_argument(tmp_path: Path) -> None:
    async def main() -> None:
        jobs = ProcessJobs(argv(WRITES_AND_ENDS, tmp_path))
        await jobs.start("run_a")
        await appears(tmp_path / "run_a")
        await jobs.close()

    asyncio.run(main())


@pytest.mark.parametrize("run", ["run_listens", "run_deaf"])
def test_a_child_past_its_cap_gets_sigterm_then_sigkill(tmp_path: Path, run: str) -> None:
    """Whether it listens or not, it ends, and it is reaped."""

    async def main() -> None:
        jobs = ProcessJobs(argv(HANGS, tmp_path), cap=timedelta(milliseconds=500), grace=timedelta(milliseconds=200))
        await jobs.start(run)
        await appears(tmp_path / run)
        pid = int((tmp_path / run).read_text())
        await appears(tmp_path / f"{run}.told")

        async def reaped() -> None:
            while not gone(pid):
                await asyncio.sleep(0.005)

        await asyncio.wait_for(reaped(), HANG)
        await jobs.close()

    asyncio.run(main())


@pytest.mark.proves("F23")
def test_stop_and_close_end_children_whether_they_listen_or_not(tmp_path: Path) -> None:
    async def main() -> None:
        jobs = ProcessJobs(argv(HANGS, tmp_path), grace=SHORT)
        runs = ["run_listens", "run_deaf", "run_other"]
        for run in runs:
            await jobs.start(run)
            await appears(tmp_path / run)
        pids = [int((tmp_path / run).read_text()) for run in runs]

        await jobs.stop("run_deaf")
        assert [gone(pid) for pid in pids] == [False, True, False]
        await jobs.close()
        assert [gone(pid) for pid in pids] == [True, True, True]

    asyncio.run(main())


def test_no_more_children_than_the_bound_and_the_rest_wait(tmp_path: Path) -> None:
    async def main() -> None:
        jobs = ProcessJobs(argv(HANGS, tmp_path), grace=SHORT, max_slices=1)
        await jobs.start("run_a")
        await jobs.start("run_b")
        await jobs.start("run_b")
        await appears(tmp_path / "run_a")
        assert not (tmp_path / "run_b").exists()

        await jobs.stop("run_a")

        await appears(tmp_path / "run_b")
        await jobs.close()

    asyncio.run(main())


PARENT = """
import asyncio, sys
from auteryn.adapters.embedded.jobs import ProcessJobs

async def main(folder, program):
    jobs = ProcessJobs([sys.executable, "-c", program, folder])
    await jobs.start("run_a")
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_children_die_with_their_parent(tmp_path: Path) -> None:
    async def main() -> None:
        with child(PARENT, tmp_path, HANGS) as parent:
            assert line(parent) == "started"
            await appears(tmp_path / "run_a")
            pid = int((tmp_path / "run_a").read_text())
            assert lives(pid)

            parent.send_signal(signal.SIGKILL)
            parent.wait()

            async def dead() -> None:
                while lives(pid):
                    await asyncio.sleep(0.005)

            await asyncio.wait_for(dead(), HANG)

    asyncio.run(main())


def test_a_command_that_cannot_be_run_harms_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        jobs = ProcessJobs([str(tmp_path / "absent")], max_slices=1)
        await jobs.start("run_a")
        await jobs.close()
        failing = ProcessJobs([sys.executable, "-c", "raise SystemExit(3)"], max_slices=1)
        for _ in range(3):
            await failing.start("run_b")
        await failing.close()

    asyncio.run(main())
