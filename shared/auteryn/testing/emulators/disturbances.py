"""What can go wrong in the cloud shape, one thing at a time or by chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from auteryn.testing.emulators.executions import Execution
from auteryn.testing.emulators.faults import Kind
from auteryn.testing.emulators.proxy import Dropped, Passing
from auteryn.testing.emulators.stage import HANG, Report, Stage

When = Literal["before", "after"]
LATE = timedelta(seconds=90)
"""Longer than a lease."""

MESSAGES: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "CreateTask": ("tasks", ("lose", "refuse")),
    "delivery": ("tasks", ("drop", "duplicate", "delay")),
    "RunJob": ("jobs", ("lose", "refuse", "busy")),
    "start": ("jobs", ("never", "twice", "delay")),
    "Publish": ("bus", ("lose", "refuse")),
    "push": ("pushes", ("drop", "duplicate", "delay")),
    "Commit": ("network", ("lose", "refuse")),
}
"""Point → on which way it lies, and what can become of a message there."""


@dataclass(frozen=True)
class Kill:
    """Whoever sends this commit is dead before the store has heard of it, or before they know that it was made."""

    commit: int
    when: When
    holding: bytes = b""
    """Only commits with this in them are counted."""

    @property
    def name(self) -> str:
        return f"killed {self.when} commit {self.commit}{' holding ' if self.holding else ''}{self.holding.decode()}"

    @asynccontextmanager
    async def on(self, stage: Stage, report: Report) -> AsyncGenerator[None]:
        passed = 0

        async def guard(passing: Passing) -> None:
            nonlocal passed
            if passing.when != self.when or self.holding not in passing.request:
                return
            passed += 1
            if passed != self.commit:
                return
            if (sender := stage.cloud.sender(passing.peer)) is None:
                passed -= 1  # it waited too long and hung up: its commit comes again
                return
            stage.kill(sender)
            report.done.append(f"killed {_named(sender)}")
            if self.when == "before":
                raise Dropped

        stage.network.guards["Commit"] = guard
        try:
            yield
        finally:
            del stage.network.guards["Commit"]


@dataclass(frozen=True)
class Freeze:
    """The slice that sends this commit stops as if the machine stood still, and goes on when everything is over. Before: its
    commit is on its way all that time, and reaches the store last."""

    commit: int
    when: When

    @property
    def name(self) -> str:
        return f"frozen {self.when} commit {self.commit}"

    @asynccontextmanager
    async def on(self, stage: Stage, report: Report) -> AsyncGenerator[None]:
        first, thawed, zombies = stage.network.calls["Commit"], asyncio.Event(), list[Execution]()

        async def guard(passing: Passing) -> asyncio.Event | None:
            if passing.number - first != self.commit or passing.when != self.when:
                return None
            sender = stage.cloud.sender(passing.peer)
            if not isinstance(sender, Execution):
                return None
            stage.cloud.jobs.freeze(sender)
            stage.cloud.frozen.add(sender.name)
            zombies.append(sender)
            report.done.append(f"froze {_named(sender)}")
            return thawed

        stage.network.guards["Commit"] = guard
        try:
            yield
        finally:
            for zombie in zombies:
                await self._thaw(stage, report, zombie, thawed)
            del stage.network.guards["Commit"]

    async def _thaw(self, stage: Stage, report: Report, zombie: Execution, thawed: asyncio.Event) -> None:
        """What it was about to write is refused, and it writes nothing more."""
        run = zombie.env["AUTERYN_RUN"]
        before = await stage.store.journal(run)
        thawed.set()
        stage.cloud.jobs.thaw(zombie)
        stage.cloud.frozen.discard(zombie.name)
        await asyncio.wait_for(zombie.over.wait(), HANG)
        if report.run and await stage.store.journal(run) != before:
            report.broken.append(f"{_named(zombie)} wrote to {run} after it had lost its lease")


@dataclass(frozen=True)
class Mishap:
    """The `number`th message at a point (from 0) is lost, doubled, refused or late; with `times` so many from there."""

    point: str
    kind: Kind
    number: int
    times: int = 1

    @property
    def name(self) -> str:
        what = f"{self.point} {self.number}" if self.times == 1 else f"every {self.point}"
        return f"{what}: {self.kind}"

    @asynccontextmanager
    async def on(self, stage: Stage, report: Report) -> AsyncGenerator[None]:
        faults = stage.ways[MESSAGES[self.point][0]]
        faults.plan(self.point, self.kind, after=self.number, times=self.times, span=LATE)
        try:
            yield
        finally:
            if faults.seen[self.point] > self.number:
                report.done.append(self.name)
            faults.heal()


@dataclass(frozen=True)
class Weather:
    """Seven mishaps of all kinds, a slice that is killed and one that freezes and thaws, each by chance."""

    chance: random.Random
    name: str = "weather"

    @asynccontextmanager
    async def on(self, stage: Stage, report: Report) -> AsyncGenerator[None]:
        possible: list[tuple[str, Kind]] = [(point, kind) for point, (_, kinds) in MESSAGES.items() for kind in kinds]
        for point, kind in self.chance.sample(possible, 7):
            after, span = self.chance.randrange(1, 40 if point == "Commit" else 6), self.chance.randrange(1, 90)
            stage.ways[MESSAGES[point][0]].plan(point, kind, after=after, span=timedelta(seconds=span))
            report.done.append(f"{kind} {point} after {after}")
        first, last = self.chance.sample(["kill", "freeze"], 2)
        blows = {self.chance.randrange(1, 8): first, self.chance.randrange(8, 16): last}
        begun, frozen = stage.network.calls["Commit"], list[Execution]()

        async def guard(passing: Passing) -> None:
            blow = blows.get(passing.number - begun) if passing.when == "after" else None
            sender = stage.cloud.sender(passing.peer) if blow else None
            if isinstance(sender, Execution):
                report.done.append(f"{blow} {_named(sender)} at commit {passing.number - begun}")
                if blow == "kill":
                    stage.kill(sender)
                else:
                    stage.cloud.jobs.freeze(sender)
                    stage.cloud.frozen.add(sender.name)
                    stage.cloud.clock.jump(timedelta(seconds=61))
                    frozen.append(sender)
            elif frozen and passing.number - begun > last_thaw:
                _thaw(stage, frozen)

        last_thaw = max(blows) + self.chance.randrange(1, 8)
        stage.network.guards["Commit"] = guard
        try:
            yield
        finally:
            del stage.network.guards["Commit"]
            _thaw(stage, frozen)
            for faults in stage.ways.values():
                faults.heal()


def _thaw(stage: Stage, frozen: list[Execution]) -> None:
    while frozen:
        one = frozen.pop()
        stage.cloud.frozen.discard(one.name)
        stage.cloud.jobs.thaw(one)


def _named(who: Execution | str) -> str:
    return who if isinstance(who, str) else who.name.rpartition("/")[2]
