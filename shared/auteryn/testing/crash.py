"""Processes that die, freeze, and lose their mail, at any numbered point.

Every durable write, every message handed over, every model call and every tool call is a point, before and after. At the
point a `Fate` names, the process dies as by SIGKILL: nothing after it is executed, what was not yet confirmed is lost, and
the kernel frees what it held. Or the power is cut: what did not wait for the disk is lost, too. Then the folder is opened
again.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

from msgspec.structs import replace

from auteryn.errors import Conflict
from auteryn.ports import Clock, Services
from auteryn.testing.clock import SkippingClock, SkippingLoop
from auteryn.testing.scenarios import Scenario
from auteryn.testing.world import World
from auteryn.tools.tool import Tool

EFFECTS: dict[str, tuple[str, ...]] = {
    "store": ("create", "commit", "send", "safe", "take_lease", "renew", "give_back", "put", "drop"),
    "queue": ("enqueue",),
    "bus": ("publish_steps",),
    "jobs": ("start", "stop"),
    "blobs": ("put", "save"),
    "model": ("generate",),
}
HANDLERS: dict[str, str] = {"queue": "on_wake", "bus": "on_step", "jobs": "on_start"}
MESSAGES = ("queue.wake", "bus.publish_steps", "jobs.start")
"""What may be lost, doubled or late on its way."""

RESTART_AFTER = timedelta(seconds=1)
LATE = timedelta(seconds=90)
SWEEP_EVERY = timedelta(minutes=10)
"""Rarer than in real life: six hours of waiting are played some thousand times."""

Handler = Callable[[str], Awaitable[None]]
Fault = Literal["", "lost", "twice", "late"]


class Killed(SystemExit):
    """The process is dead. It leaves the event loop at once, whatever is under way in it."""


@dataclass(slots=True)
class Fate:
    """What happens to one process. Without anything set it lives undisturbed and counts its points."""

    die_at: int | None = None
    """Number of the point, from 0. At an even one (before) pending writes are lost, at an odd one they still arrive."""
    cuts_power: bool = False
    """It dies by a power cut, and so does everything in the database that no commit has waited for."""
    freeze_at: int | None = None
    """Number of the point at which it freezes until `meanwhile` is over."""
    meanwhile: Callable[[], timedelta] | None = None
    """What happens while it is frozen; how long that took."""
    pace_seconds: float = 0.0
    """Real time each point takes, for those who want to hit one."""
    faults: Callable[[str, int], Fault] = lambda kind, number: ""
    """What becomes of the n-th message of a kind (`MESSAGES`)."""
    watch: Callable[[Services], Awaitable[None]] | None = None
    """Looks at the store after every durable write; for laws that hold at every instant."""
    points: list[str] = field(default_factory=list[str])
    """Names of the points passed, in order."""
    dead: bool = False
    buried: bool = False
    frozen: bool = False
    refused: int = 0
    """Commits that were refused after the thaw."""
    sneaked: int = 0
    """Commits that went through after the thaw."""
    sent: dict[str, int] = field(default_factory=dict[str, int])
    last_words: Callable[[bool], None] = lambda flush: None
    """Called at death: lets go of the folder, with what was pending or without."""
    clock: Clock | None = None

    def point(self, name: str) -> None:
        """A point is passed, or the process ends here."""
        self.check()
        number = len(self.points)
        self.points.append(name)
        if self.pace_seconds:
            time.sleep(self.pace_seconds)
        if number == self.die_at:
            self.dead = True
            self.last_words(name.startswith("after"))
            raise Killed(f"killed {name}")
        if number == self.freeze_at and self.meanwhile:
            self.frozen = True
            passed = self.meanwhile()
            if isinstance(self.clock, SkippingClock):
                self.clock.jump(passed)

    def check(self) -> None:
        """The dead execute nothing; what unwinds while they are buried is cancelled."""
        if self.buried:
            raise asyncio.CancelledError
        if self.dead:
            raise Killed("dead already")

    def fault(self, kind: str) -> Fault:
        number = self.sent.get(kind, 0)
        self.sent[kind] = number + 1
        return self.faults(kind, number)


_FATE: ContextVar[Fate] = ContextVar("fate")
"""Of the process whose code this is."""


# ---- mortal parts ---------------------------------------------------------------------------------------------


def mortal(fate: Fate) -> Callable[[Services], Services]:
    """Ports whose every effect is a point of this fate."""

    def around(services: Services) -> Services:
        fate.last_words = _grip_of(services, fate.cuts_power)
        fate.clock = services.clock
        parts = {room: cast(Any, _Mortal(room, getattr(services, room), fate, services)) for room in EFFECTS}
        return replace(services, **parts)

    return around


def mortal_tool(tool: Tool) -> Tool:
    """The tool, with a point before and after its work in whichever process it works."""
    return replace(tool, fn=_mortal(tool.name, tool.fn))


@functools.cache
def _mortal(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    async def fn(*first: Any, **given: Any) -> Any:
        fate = _FATE.get()
        fate.point(f"before tool {name}")
        done = await (work(*first, **given) if inspect.iscoroutinefunction(work) else asyncio.to_thread(work, *first, **given))
        fate.point(f"after tool {name}")
        return done

    return fn


def _grip_of(services: Services, cuts_power: bool) -> Callable[[bool], None]:
    """How this process lets go of its folder: by a kill just before, or just after, what was pending became safe."""
    database: Any = getattr(services.store, "database")  # noqa: B009 - of the embedded store; the port has none
    disk = _Disk(database.file, database.connection) if cuts_power else None

    def let_go(flush: bool) -> None:
        database.close() if flush else database.abandon()
        if disk:
            disk.lose_power()

    return let_go


class _Disk:
    """What a power cut leaves of a database: everything up to the last commit that waited for the disk."""

    def __init__(self, file: Path, connection: sqlite3.Connection) -> None:
        self._file, self._kept = file, file.with_suffix(".kept")
        self._waits = self._waited = True
        self._keep()
        connection.set_trace_callback(self._hear)

    def _hear(self, statement: str) -> None:
        """Called as each statement begins."""
        self._keep()
        if statement.startswith("PRAGMA synchronous"):
            self._waits = statement.endswith("full")
        self._waited = self._waits and statement == "COMMIT"

    def _keep(self) -> None:
        if not self._waited:
            return
        with closing(sqlite3.connect(self._file)) as now, closing(sqlite3.connect(self._kept)) as kept:
            kept.execute("PRAGMA synchronous = off")
            now.backup(kept)

    def lose_power(self) -> None:
        self._keep()
        self._file.unlink()
        for log in ("-wal", "-shm"):
            self._file.with_name(self._file.name + log).unlink(missing_ok=True)
        self._kept.rename(self._file)


class _Mortal:
    """A port as the engine sees it, every effect of it a point."""

    def __init__(self, room: str, inner: Any, fate: Fate, services: Services) -> None:
        self._room, self._inner, self._fate, self._services = room, inner, fate, services

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == HANDLERS.get(self._room):
            return self._registering(found)
        if name in EFFECTS[self._room]:
            return self._effect(name, found)
        if callable(found):
            return self._plain(found)
        return found

    def _registering(self, found: Callable[[Handler], None]) -> Callable[[Handler], None]:
        def register(handler: Handler) -> None:
            found(self._handler(handler))

        return register

    def _plain(self, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **given: Any) -> Any:
            self._fate.check()
            return found(*args, **given)

        return call

    def _effect(self, name: str, found: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        fate, label = self._fate, f"{self._room}.{name}"

        async def call(*args: Any, **given: Any) -> Any:
            fate.point(f"before {label}")
            done = await (
                self._handed_over(label, found, *args) if label in MESSAGES else self._done(label, found, *args, **given)
            )
            fate.check()
            if fate.watch and self._room == "store":
                await fate.watch(self._services)
            fate.point(f"after {label}")
            return done

        return call

    async def _done(self, label: str, found: Callable[..., Awaitable[Any]], *args: Any, **given: Any) -> Any:
        frozen = self._fate.frozen and label == "store.commit"
        try:
            done = await found(*args, **given)
        except Conflict:
            self._fate.refused += frozen
            raise
        self._fate.sneaked += frozen
        return done

    async def _handed_over(self, label: str, found: Callable[..., Awaitable[Any]], *args: Any) -> None:
        match self._fate.fault(label):
            case "lost":
                return
            case "twice":
                await found(*args)
            case "late":
                _later(self._services, found, *args)
                return
            case "":
                pass
        await found(*args)

    def _handler(self, handler: Handler) -> Handler:
        fate, label = self._fate, f"{self._room} handler"

        async def handle(run: str) -> None:
            fate.point(f"before {label}")
            await (self._delivered(handler, run) if self._room == "queue" else handler(run))
            fate.point(f"after {label}")

        return handle

    async def _delivered(self, handler: Handler, run: str) -> None:
        match self._fate.fault("queue.wake"):
            case "lost":
                return
            case "twice":
                await asyncio.gather(handler(run), handler(run))
                return
            case "late":
                await self._services.clock.sleep(LATE)
            case "":
                pass
        await handler(run)


_stragglers = set[asyncio.Task[None]]()


def _later(services: Services, found: Callable[..., Awaitable[Any]], *args: Any) -> None:
    async def deliver() -> None:
        await services.clock.sleep(LATE)
        await found(*args)

    task = asyncio.create_task(deliver())
    _stragglers.add(task)
    task.add_done_callback(_stragglers.discard)


async def played(scenario: Scenario, home: Path, fate: Fate, **world: Any) -> str:
    """The scenario's run, at its end: one process with this fate, from open to close."""
    _FATE.set(fate)
    tools = [mortal_tool(tool) for tool in scenario.tools]
    parts: dict[str, Any] = {"model": scenario.model(), "tools": tools, "around": mortal(fate), **scenario.settings, **world}
    if fate.cuts_power:
        parts["synchronous"] = "full"
    async with World(home, **parts) as here:
        return await scenario.play(here)


# ---- lives ----------------------------------------------------------------------------------------------------


@dataclass
class Story:
    """One folder, what lies outside of it, and the lives that were lived in it."""

    scenario: Scenario
    folder: Path
    clock: SkippingClock = field(default_factory=SkippingClock)
    run: str = ""
    lives: list[Fate] = field(default_factory=list[Fate])

    def __post_init__(self) -> None:
        self.model = self.scenario.model()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def live(self, fate: Fate, *, clock: SkippingClock | None = None) -> bool:
        """One process plays the scenario; whether it came to its end."""
        clock, loop = clock or self.clock, SkippingLoop()
        self.lives.append(fate)
        try:
            loop.run_until_complete(self._play(fate, clock))
            return True
        except Killed:
            return False
        finally:
            _bury(loop, fate)
            clock.jump(timedelta(seconds=loop.skipped))

    def through(self, fates: Sequence[Fate], restart_after: timedelta = RESTART_AFTER) -> Story:
        """One process after another, each with its fate, then an undisturbed one until the scenario is over."""
        for fate in [*fates, Fate()]:
            if self.live(fate):
                return self
            self.clock.jump(restart_after)
        raise AssertionError("the last process has no reason to die")

    def frozen(self, at: int) -> Story:
        """The first process freezes at a point; another one takes over to the end; then the first one thaws."""
        meanwhile = SkippingClock()

        def others() -> timedelta:
            began = self.clock.now()
            meanwhile.jump(began - meanwhile.now())
            other = threading.Thread(target=lambda: self.live(Fate(), clock=meanwhile))
            other.start()
            other.join()
            return meanwhile.now() - began

        self.live(Fate(freeze_at=at, meanwhile=others))
        return self

    async def _play(self, fate: Fate, clock: SkippingClock) -> None:
        self.run = await played(self.scenario, self.home, fate, model=self.model, clock=clock, sweep_every=SWEEP_EVERY)


def _bury(loop: SkippingLoop, fate: Fate) -> None:
    """End what is left of a process: nothing in it comes to execute anything more."""
    fate.dead = fate.buried = True
    loop.set_exception_handler(_unheard)
    for _ in range(20):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _unheard(loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """What the dead complain of."""
