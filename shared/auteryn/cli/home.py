"""Opening a home for one command: the engine in it, the use cases on top, and how the command's coroutine is run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shlex
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct

from auteryn.cli.root import Common
from auteryn.compose import Settings, embedded
from auteryn.demo.marker import demo_host
from auteryn.errors import NotFound
from auteryn.runtime.host import Host
from auteryn.service.desk import Desk

T = TypeVar("T")

LISTED = 500
"""Newest runs among which a shortened id is looked for."""
SHORTEST = 3
OWNER = "local"
"""Whose runs they are in a home without accounts."""


class Home(Struct):
    """An open home."""

    settings: Settings
    host: Host
    desk: Desk
    command: str
    """How this home is reached from a shell: this program as it was called, with `--home` where that was given."""

    async def named(self, run: str | None, rest: str = "") -> str:
        """The run's id: given whole, by its unambiguous beginning, or not at all (then the newest). Raises `NotFound`, which
        tells whom if it is `rest`, the word that was given after it, that names a run."""
        if run is None:
            newest = await self.desk.runs(limit=1)
            if not newest.runs:
                raise NotFound(f'there is no run in {self.settings.home}: begin one with auteryn run "…"')
            return newest.runs[0].id
        run = run.strip()
        try:
            return (await self.desk.get(run)).id
        except NotFound:
            listed = (await self.desk.runs(limit=LISTED)).runs
        found = [one.id for one in listed if len(run) >= SHORTEST and run in (one.id[: len(run)], one.id[4 : 4 + len(run)])]
        if len(found) != 1:
            if any(one.id == rest for one in listed):
                raise NotFound(f"{run!r} is no run and {rest} is one: {self.turned(run, rest)}")
            many = f"{len(found)} runs begin with" if found else "there is no run"
            guess = "" if found else near(run, [one.id for one in listed])
            raise NotFound(f"{many} {run!r} in {self.settings.home}{guess}: `auteryn ls` lists them")
        return found[0]

    def turned(self, first: str, second: str) -> str:
        """The command under way as it should have been typed: with its two words the other way round."""
        return f"{self.command} {click.get_current_context().info_name} {second} {shlex.quote(first)}"


def near(said: str, there: Sequence[str]) -> str:
    """`(did you mean …?)` where something is spelled nearly like it, else empty."""
    from difflib import get_close_matches

    found = get_close_matches(said, there, 1, 0.8)
    return f" (did you mean {found[0]}?)" if found else ""


def settings_of(common: Common, *, isolate: bool = False) -> Settings:
    """Where the home is: `--home`, `$AUTERYN_HOME`, `~/.auteryn`."""
    settings = Settings.from_environment(home=common.home)
    settings.isolate = isolate
    return settings


@asynccontextmanager
async def opened(common: Common, *, isolate: bool = False, works: bool = False) -> AsyncGenerator[Home]:
    """The home, open for the block. Nothing works here until `host.start()`: then whatever is due in the home goes on. `works`:
    it will be started."""
    settings = settings_of(common, isolate=isolate)
    host = demo_host(settings) or embedded(settings, works=works)
    _log_to(settings.home / "auteryn.log")
    try:
        named = f"{program()} --home {shlex.quote(common.home)}" if common.home else program()
        yield Home(settings, host, Desk(host.engine, OWNER), named)
    finally:
        await host.close()


def program() -> str:
    """What to type for this program: `auteryn` where the shell finds it by that name, else the path it was called by."""
    called, found = sys.argv[0], shutil.which("auteryn")
    if Path(called).name != "auteryn" or (found and Path(found).samefile(called)):
        return "auteryn"
    return shlex.quote(called)


def _log_to(file: Path) -> None:
    """Warnings of the engine itself go to a file of the home, not across the progress on the terminal."""
    log = logging.getLogger("auteryn")
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.WARNING)
    log.handlers[:] = [handler]
    log.propagate = False


SAME_STOP_SECONDS = 1.0
"""Wrappers such as `timeout` and `uv run` pass on a signal that this process has got from the terminal as well."""


def going(main: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; Ctrl-C and SIGTERM cancel it, so that it leaves the home in order. Who asks again leaves at
    once, with `KeyboardInterrupt`: that costs no more than a crash."""
    try:
        return asyncio.run(_stoppable(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _stoppable(main: Coroutine[Any, Any, T]) -> T:
    loop, task, first = asyncio.get_running_loop(), asyncio.ensure_future(main), float("inf")

    def stop() -> None:
        nonlocal first
        now = loop.time()
        first = min(first, now)
        if now == first or now - first > SAME_STOP_SECONDS:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError, ValueError):
            loop.add_signal_handler(number, stop)
    return await task
