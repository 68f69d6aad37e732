"""The certificate of the cloud shape: every scenario, killed and frozen at every commit, messages lost, doubled, late."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auteryn.testing.emulators.disturbances import MESSAGES, Freeze, Kill, Mishap, Weather
from auteryn.testing.emulators.faults import Kind
from auteryn.testing.emulators.stage import PLAYED, Disturbance, Report, Stage, stage

PLAYS = 60
"""On one stage; emulators keep everything in memory."""
ALL = 1_000_000
TOGETHER: dict[str, tuple[Kind, ...]] = {
    "CreateTask": ("lose",),
    "Publish": ("lose", "refuse"),
    "delivery": ("drop", "duplicate", "delay"),
    "push": ("drop", "duplicate", "delay"),
    "start": ("twice",),
}
"""What is done to every message of a kind at once. Most of what is published are news, which nobody relies on one by one."""


@dataclass(slots=True)
class Examination:
    """One scenario, what was done to it and what came of it."""

    scenario: str
    commits: int = 0
    plays: int = 0
    kills: int = 0
    freezes: int = 0
    mishaps: int = 0
    weathers: int = 0
    missed: int = 0
    """Plays in which there was nothing to disturb: this time there were fewer messages."""
    states_compared: int = 0
    effects_doubled: int = 0
    unknowns_told: int = 0
    broken: list[str] = field(default_factory=list[str])

    @property
    def holds(self) -> bool:
        return not self.broken

    def take(self, report: Report, plain: Report, disturbance: Disturbance) -> None:
        """Compare what it came to with what it comes to when it is left alone."""
        self.plays += 1
        if report.done:
            match disturbance:
                case Kill():
                    self.kills += 1
                case Freeze():
                    self.freezes += 1
                case Mishap():
                    self.mishaps += 1
                case _:
                    self.weathers += 1
        else:
            self.missed += 1
        self.effects_doubled += report.effects_doubled
        self.unknowns_told += report.unknowns_told
        self.broken += [f"{report.disturbed} ({', '.join(report.done)}): {law}" for law in judged(report, plain)]
        self.states_compared += bool(report.state)


def judged(report: Report, plain: Report) -> list[str]:
    """The laws a play broke; one of them is that it comes to what the undisturbed play came to."""
    different = [
        f"{key} are {report.state[key]!r}, not {plain.state[key]!r}"
        for key in report.state
        if report.state[key] != plain.state[key]
    ]
    return [*report.broken, *different]


def matrix(plain: Report) -> list[Disturbance]:
    """Everything that can be done to a scenario of which this is the undisturbed play, one thing at a time."""
    out = list[Disturbance]()
    for commit in range(1, plain.commits + 1):
        out += [Kill(commit, "before"), Kill(commit, "after"), Freeze(commit, "before"), Freeze(commit, "after")]
    for point in sorted(MESSAGES.keys() - {"Publish"}):
        out += [Mishap(point, kind, number) for kind in MESSAGES[point][1] for number in range(plain.seen[point])]
    out += [Mishap(point, kind, 0, times=ALL) for point, kinds in TOGETHER.items() for kind in kinds if plain.seen[point]]
    return out


def sampled(plain: Report, each: int, seed: int = 0) -> list[Disturbance]:
    """So many of every kind: kills before, kills after, freezes before, …"""
    chance, rooms = random.Random(f"{plain.scenario} {seed}"), dict[str, list[Disturbance]]()
    for one in matrix(plain):
        kind = f"{type(one).__name__} {one.when}" if isinstance(one, Kill | Freeze) else type(one).__name__
        rooms.setdefault(kind, []).append(one)
    return [one for room in rooms.values() for one in chance.sample(room, min(each, len(room)))]


async def main(
    names: Sequence[str],
    seeds: Sequence[int] = (),
    *,
    each: int | None = None,
    tell: Callable[[Examination], None] = lambda one: None,
) -> list[Examination]:
    """Every scenario through the whole matrix (or `each` of every kind), then through the weather of each seed."""
    done = list[Examination]()
    async with _stages() as stages:
        for name in names or PLAYED:
            plain = await (await anext(stages)).play(name)
            found = Examination(name, commits=plain.commits, broken=list(plain.broken))
            chosen = matrix(plain) if each is None else sampled(plain, each)
            for one in [*chosen, *(Weather(random.Random(seed), f"weather {seed}") for seed in seeds)]:
                found.take(await (await anext(stages)).play(name, one), plain, one)
            done.append(found)
            tell(found)
    return done


@asynccontextmanager
async def _stages() -> AsyncGenerator[AsyncGenerator[Stage]]:
    """A stage for the next play: a new one after some, and after one that was spoilt."""

    async def each() -> AsyncGenerator[Stage]:
        while True:
            with tempfile.TemporaryDirectory(prefix="auteryn-chaos-", ignore_cleanup_errors=True) as folder:
                async with stage(Path(folder)) as there:
                    for _ in range(PLAYS):
                        yield there
                        if there.spoilt:
                            break

    stages = each()
    try:
        yield stages
    finally:
        await stages.aclose()


COLUMNS = (
    "commits",
    "kills",
    "freezes",
    "mishaps",
    "weathers",
    "missed",
    "states_compared",
    "effects_doubled",
    "unknowns_told",
)


def certificate(found: Sequence[Examination]) -> Iterator[str]:
    """The figures as people read them, a line each."""
    yield "scenario    " + "".join(f"{name.replace('_', ' '):>16}" for name in COLUMNS)
    for one in found:
        figures = "".join(f"{getattr(one, name):>16,}" for name in COLUMNS)
        yield f"{one.scenario:<12}{figures}" + ("  holds" if one.holds else f"  BROKEN, {len(one.broken)} times")
