"""The certificate: every scenario, killed before and after every point, the power cut, its mail lost, doubled and late, its
zombies thawed."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auteryn.errors import Invalid
from auteryn.ports import Services
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.crash import MESSAGES, Fate, Fault, Story
from auteryn.testing.laws import broken_laws, mails, state_of, stranded, unknowns
from auteryn.testing.scenarios import SCENARIOS, WEEK, Scenario
from auteryn.testing.world import World


@dataclass(slots=True)
class Report:
    """What was done to one scenario and what came of it."""

    scenario: str
    points: int = 0
    kills: int = 0
    double_kills: int = 0
    power_cuts: int = 0
    message_faults: int = 0
    zombies: int = 0
    states_compared: int = 0
    effects_doubled: int = 0
    unknowns_told: int = 0
    broken: list[str] = field(default_factory=list[str])

    @property
    def holds(self) -> bool:
        return not self.broken


@dataclass(slots=True)
class Undisturbed:
    """A scenario as it goes when nothing happens to it."""

    state: dict[str, Any]
    points: tuple[str, ...]
    messages: dict[str, int]


def main(
    names: Sequence[str] = (), *, full: bool = False, seed: int = 0, tell: Callable[[Report], None] = lambda report: None
) -> list[Report]:
    """A report for each scenario (all without names), told as it is ready; raises `Invalid` for an unknown one.

    Every scenario dies at every point. `full` takes more double kills, every zombie, and the week of 28 ticks.
    """
    chosen = [named(name) for name in names] or [*SCENARIOS.values(), *([WEEK] if full else [])]
    reports = list[Report]()
    for scenario in chosen:
        reports.append(examine(scenario, seed=seed, doubles=400 if full else 20, thin=1 if full else 4))
        tell(reports[-1])
    return reports


def examine(scenario: Scenario, *, seed: int = 0, doubles: int = 20, thin: int = 4) -> Report:
    """Everything that can be done to a scenario, one disturbance at a time; every `thin`-th message fault and zombie."""
    with Examination(scenario) as examination:
        examination.kill_everywhere(step=7 if scenario is WEEK else 1)
        examination.kill_twice(doubles, seed)
        examination.cut_power(thin)
        examination.lose_mail(thin)
        examination.thaw_zombies(thin)
        return examination.report


class Examination:
    """One scenario, how it goes undisturbed, and the report so far."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._root, self._count = Path(tempfile.mkdtemp(prefix="auteryn-chaos-")), 0
        self.usual = undisturbed(scenario, self._new())
        self.report = Report(scenario.name, points=len(self.usual.points))

    def __enter__(self) -> Examination:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def kill_everywhere(self, step: int = 1) -> None:
        """Before and after every point, once."""
        for at in range(0, len(self.usual.points), step):
            self._judge(self._story().through([Fate(die_at=at)]), f"killed {at} {self.usual.points[at]}")
            self.report.kills += 1

    def kill_twice(self, count: int, seed: int = 0) -> None:
        """A sample of double kills: the second often soon, while the recovery is under way."""
        for first, second in _pairs(len(self.usual.points), count, seed):
            story = self._story().through([Fate(die_at=first), Fate(die_at=second)])
            self._judge(story, f"killed at {first}, then at {second}")
            self.report.double_kills += 1

    def cut_power(self, thin: int = 1) -> None:
        """As a kill, but what no commit has waited for is lost with it."""
        for at in range(0, len(self.usual.points), thin):
            story = self._story().through([Fate(die_at=at, cuts_power=True)])
            self._judge(story, f"power cut {at} {self.usual.points[at]}")
            self.report.power_cuts += 1

    def lose_mail(self, thin: int = 1) -> None:
        """Messages lost, doubled and late, one at a time and all together."""
        for number, (what, faults) in enumerate(_message_faults(self.usual.messages)):
            if number % thin == 0 or what.startswith("every"):
                self._judge(self._story().through([Fate(faults=faults)]), what)
                self.report.message_faults += 1

    def thaw_zombies(self, thin: int = 1) -> None:
        """The first process freezes, another takes over to the end, then the first one goes on."""
        for at in range(0, len(self.usual.points), thin):
            self._judge(self._story().frozen(at), f"frozen {at} {self.usual.points[at]}")
            self.report.zombies += 1

    def _story(self) -> Story:
        return Story(self.scenario, self._new())

    def _new(self) -> Path:
        self._count += 1
        return self._root / str(self._count)

    def _judge(self, story: Story, what: str) -> None:
        """Compare the final state with the undisturbed one and check every law."""
        report, (state, broken, told) = self.report, _seen(story)
        left = [line.split()[1] for line in mails(story.home)]
        report.states_compared += 1
        report.unknowns_told += told
        report.effects_doubled += len(left) - len(set(left))
        report.broken += [f"{what}: {law}" for law in (*broken, *differences(self.usual.state, state))]
        shutil.rmtree(story.folder, ignore_errors=True)


def undisturbed(scenario: Scenario, folder: Path) -> Undisturbed:
    """The scenario as it goes by itself; raises `AssertionError` if a law is broken even so."""
    fate, story, lost = Fate(), Story(scenario, folder), dict[str, None]()

    async def watch(services: Services) -> None:
        lost.update(dict.fromkeys(await stranded(services)))

    fate.watch = watch
    story.live(fate)
    state, broken, _ = _seen(story)
    if broken := [*lost, *broken]:
        raise AssertionError(f"{scenario.name}, undisturbed: {broken}")
    return Undisturbed(state, tuple(fate.points), dict(fate.sent))


def differences(expected: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """Where two final states differ, one line each."""
    for run in sorted({*expected["runs"], *found["runs"]}):
        before, now = expected["runs"].get(run), found["runs"].get(run)
        if before is None or now is None:
            yield f"{run} {'should not exist' if before is None else 'is missing'}"
        else:
            yield from (f"{run}.{key} is {now[key]!r}, not {before[key]!r}" for key in before if before[key] != now[key])
    if expected["notes"] != found["notes"]:
        yield f"the notes are {found['notes']!r}, not {expected['notes']!r}"


def _pairs(points: int, count: int, seed: int) -> Iterator[tuple[int, int]]:
    dice = random.Random(seed)
    for _ in range(count):
        yield dice.randrange(points), dice.randrange(points) if dice.random() < 0.4 else dice.randrange(min(points, 24))


def _message_faults(messages: dict[str, int]) -> Iterator[tuple[str, Callable[[str, int], Fault]]]:
    """Every message by itself lost, doubled, late; then all wakes and all publishes at once."""
    faults: tuple[Fault, ...] = ("lost", "twice", "late")
    for kind in MESSAGES:
        for fault in faults:
            for number in range(messages.get(kind, 0)):
                yield f"{kind} {number} {fault}", _only(kind, number, fault)
            if fault != "lost" or kind == "bus.publish_steps":
                yield f"every {kind} {fault}", _every(kind, fault)
    yield "every other start and wake lost", lambda kind, number: "lost" if number % 2 and kind != "bus.publish_steps" else ""


def _only(kind: str, number: int, fault: Fault) -> Callable[[str, int], Fault]:
    return lambda one, at: fault if (one, at) == (kind, number) else ""


def _every(kind: str, fault: Fault) -> Callable[[str, int], Fault]:
    return lambda one, _: fault if one == kind else ""


def _seen(story: Story) -> tuple[dict[str, Any], list[str], int]:
    """Read the folder with a fresh process: final state, broken laws, unknown outcomes told."""

    async def look() -> tuple[dict[str, Any], list[str], int]:
        world = await World(story.home, clock=SkippingClock(story.clock.now())).open(hosting=False)
        try:
            told = sum([unknowns(await world.events(run.id)) for run in await world.tree(story.run)])
            return await state_of(world, story.run), await broken_laws(world, story.run), told
        finally:
            await world.services.store.close()

    return skipping(look())


def named(name: str) -> Scenario:
    known = {**SCENARIOS, WEEK.name: WEEK}
    if name not in known:
        raise Invalid("scenario", name, f"must be one of {', '.join(known)}")
    return known[name]


COLUMNS = (
    "points",
    "kills",
    "double_kills",
    "power_cuts",
    "message_faults",
    "zombies",
    "states_compared",
    "effects_doubled",
    "unknowns_told",
)


def certificate(reports: Iterable[Report]) -> str:
    """The reports as people read them: what was done, how many final states were compared, what was doubled or unknown."""
    head = "scenario    " + "".join(f"{name.replace('_', ' '):>17}" for name in COLUMNS)
    rows = [
        f"{report.scenario:<12}"
        + "".join(f"{getattr(report, name):>17,}" for name in COLUMNS)
        + ("  holds" if report.holds else f"  BROKEN, {len(report.broken)} times")
        for report in reports
    ]
    return "\n".join([head, *rows])
