"""Slices in this process, or one child process each (`ports.jobs`)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

CAP = timedelta(hours=2)
"""A slice stops itself ten minutes earlier; this is for the one that does not."""

GRACE = timedelta(seconds=10)
"""Between "stop" and force: a commit and a clean leave."""

MAX_SLICES = 100

_log = logging.getLogger(__name__)


class _BoundedJobs(ABC):
    """At most `max_slices` sit at a time, the others wait in line; a run waits in line once."""

    def __init__(self, *, cap: timedelta = CAP, grace: timedelta = GRACE, max_slices: int = MAX_SLICES) -> None:
        self._cap, self._grace, self._max_slices = cap, grace, max_slices
        self._line: dict[str, None] = {}
        self._sitting: dict[asyncio.Task[None], tuple[str, asyncio.Event]] = {}
        self._handler: Callable[[str], Awaitable[None]] | None = None
        self._closed = False

    async def start(self, run: str, *, roomy: bool = False) -> None:
        if not self._closed:  # else the store knows, and whoever opens it next
            self._line[run] = None
            self._seat()

    async def stop(self, run: str) -> None:
        """Back when no slice of this run is left here."""
        self._line.pop(run, None)
        await self._end([task for task, (sitting, _) in self._sitting.items() if sitting == run])

    def on_start(self, handler: Callable[[str], Awaitable[None]]) -> None:
        self._handler = handler

    async def close(self) -> None:
        self._closed = True
        self._line.clear()
        await self._end(list(self._sitting))

    def _tell(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        """Make the slice end."""
        stop.set()

    @abstractmethod
    async def _sit(self, run: str, stop: asyncio.Event) -> None:
        """One slice from its start to its end, which comes at the latest some time after `stop` or the cap."""

    def _seat(self) -> None:
        while self._line and len(self._sitting) < self._max_slices:
            run, stop = next(iter(self._line)), asyncio.Event()
            del self._line[run]
            task = asyncio.create_task(self._sit(run, stop), name=f"slice of {run}")
            self._sitting[task] = (run, stop)
            task.add_done_callback(self._rose)

    def _rose(self, task: asyncio.Task[None]) -> None:
        del self._sitting[task]
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s failed; the watchdog starts the next", task.get_name(), exc_info=error)
        self._seat()

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task in self._sitting:
                self._tell(task, self._sitting[task][1])
        if tasks:
            await asyncio.wait(tasks)

    async def _until_over(self, work: asyncio.Future[Any], stop: asyncio.Event) -> None:
        """Back when the work is done, was told to stop, or has had its time."""
        told = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([work, told], timeout=self._cap.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()


class TaskJobs(_BoundedJobs):
    """Each slice is a task of this process's event loop; it is told to stop by cancellation, as often as it takes."""

    async def _sit(self, run: str, stop: asyncio.Event) -> None:
        assert self._handler, "on_start comes before the first start"
        task = asyncio.current_task()
        assert task
        timer = asyncio.get_running_loop().call_later(self._cap.total_seconds(), self._tell, task, stop)
        try:
            await self._handler(run)
        finally:
            timer.cancel()

    def _tell(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        if not task.done():
            task.cancel()
            asyncio.get_running_loop().call_later(self._grace.total_seconds(), self._tell, task, stop)


class ProcessJobs(_BoundedJobs):
    """Each slice is a child process in a group of its own: SIGTERM, then SIGKILL to the group.

    `argv` is the command, the run is appended. The handler of `on_start` is not called here: the child is the slice.
    `on_death` hears of a run whose child was killed or failed: it need not wait for the watchdog. That the child does not
    outlive this process is its own care: what a `preexec_fn` does in it may hang, where others have threads (gRPC, OpenMP).
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cap: timedelta = CAP,
        grace: timedelta = GRACE,
        max_slices: int = MAX_SLICES,
        on_death: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(cap=cap, grace=grace, max_slices=max_slices)
        self._argv, self._on_death = argv, on_death
        self._pids: dict[int, str] = {}

    def pids_of(self, run: str) -> list[int]:
        """The processes that sit on this run now, oldest first: a start that came twice leaves a second one for a moment."""
        return [pid for pid, sat_on in self._pids.items() if sat_on == run]

    async def _sit(self, run: str, stop: asyncio.Event) -> None:
        child = await asyncio.create_subprocess_exec(
            *self._argv,
            run,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._pids[child.pid] = run
        ended = asyncio.ensure_future(child.wait())
        try:
            await self._until_over(ended, stop)
            if not ended.done():
                _signal_group(child.pid, signal.SIGTERM)
                await asyncio.wait([ended], timeout=self._grace.total_seconds())
        finally:
            self._pids.pop(child.pid, None)
            _signal_group(child.pid, signal.SIGKILL)  # also what the child may have left behind
        code = await ended
        if code != 0 and not stop.is_set():
            _log.error("slice of %s ended with code %d", run, code)
            if self._on_death:
                await self._on_death(run)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
