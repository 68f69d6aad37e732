"""The certificate: every scenario, killed before and after every point, its mail lost, doubled and late, its zombies thawed."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


def chaos(
    names: Sequence[str] = (), *, full: bool = False, seed: int = 0, tell: Callable[[Report], None] = lambda report: None
) -> list[Report]:
    """A report for each scenario (all without names); `full` also kills the week of 28 ticks at every point."""
    chosen = [_named(name) for name in names] or [*SCENARIOS.values(), *([WEEK] if full else [])]
    reports = list[Report]()
    for scenario in chosen:
        report = examine(scenario, seed=seed, doubles=400 if full else 60)
        reports.append(report)
        tell(report)
    return reports


def examine(scenario: Scenario, *, seed: int = 0, doubles: int = 60, folder: Path | None = None) -> Report:
    """Everything that can be done to a scenario, one disturbance at a time."""
    with _scratch(folder) as new:
        usual = undisturbed(scenario, new())
        report = Report(scenario.name, points=len(usual.points))
        for at in range(len(usual.points)):
            judge(Story(scenario, new()).through([Fate(die_at=at)]), usual, report, f"killed {at} {usual.points[at]}")
            report.kills += 1
        for first, second in pairs(len(usual.points), doubles, seed):
            story = Story(scenario, new()).through([Fate(die_at=first), Fate(die_at=second)])
            judge(story, usual, report, f"killed at {first}, then at {second}")
            report.double_kills += 1
        for what, faults in message_faults(usual):
            judge(Story(scenario, new()).through([Fate(faults=faults)]), usual, report, what)
            report.message_faults += 1
        for at in range(0, len(usual.points), 2):
            judge(Story(scenario, new()).frozen(at), usual, report, f"frozen {usual.points[at]}")
            report.zombies += 1
        return report


def undisturbed(scenario: Scenario, folder: Path) -> Undisturbed:
    """The scenario as it goes by itself; raises `AssertionError` if a law is broken even so."""
    fate, story = Fate(), Story(scenario, folder)

    async def watch(services: Any) -> None:
        if lost := await stranded(services):
            raise AssertionError(f"{scenario.name}: {lost}")

    fate.watch = watch
    story.live(fate)
    state, broken, _ = _seen(story)
    if broken:
        raise AssertionError(f"{scenario.name}, undisturbed: {broken}")
    return Undisturbed(state, tuple(fate.points), dict(fate.sent))


def judge(story: Story, usual: Undisturbed, report: Report, what: str) -> None:
    """Compare the final state with the undisturbed one and check every law."""
    state, broken, told = _seen(story)
    report.states_compared += 1
    report.unknowns_told += told
    report.effects_doubled += len(mails(story.outside)) - len({line.split()[1] for line in mails(story.outside)})
    report.broken += [f"{what}: {law}" for law in broken]
    report.broken += [f"{what}: {difference}" for difference in differences(usual.state, state)]
    shutil.rmtree(story.folder, ignore_errors=True)


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


def pairs(points: int, count: int, seed: int) -> Iterator[tuple[int, int]]:
    """A deterministic sample of first and second kills; the second is often soon, while the recovery is under way."""
    dice = random.Random(seed)
    for _ in range(count):
        yield dice.randrange(points), dice.randrange(points) if dice.random() < 0.4 else dice.randrange(min(points, 24))


def message_faults(usual: Undisturbed) -> Iterator[tuple[str, Callable[[str, int], Fault]]]:
    """Every message by itself lost, doubled, late; then all wakes and all publishes at once."""
    faults: tuple[Fault, ...] = ("lost", "twice", "late")
    for kind in MESSAGES:
        for fault in faults:
            for number in range(usual.messages.get(kind, 0)):
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
        world = await World(story.folder / "home", clock=_at(story.clock)).open(hosting=False)
        try:
            told = sum([unknowns(await world.events(run.id)) for run in await world.tree(story.run)])
            return await state_of(world, story.run), await broken_laws(world, story.run, story.outside), told
        finally:
            await world.services.store.close()

    return skipping(look())


def _at(clock: SkippingClock) -> SkippingClock:
    return SkippingClock(clock.now())


def _named(name: str) -> Scenario:
    known = {**SCENARIOS, WEEK.name: WEEK}
    if name not in known:
        from auteryn.errors import Invalid

        raise Invalid("scenario", name, f"must be one of {', '.join(known)}")
    return known[name]


class _scratch:
    """Fresh folders, gone at the end."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._count = folder, 0

    def __enter__(self) -> Callable[[], Path]:
        self._root = Path(tempfile.mkdtemp(prefix="auteryn-chaos-", dir=self._folder))
        return self._new

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def _new(self) -> Path:
        self._count += 1
        return self._root / str(self._count)


def certificate(reports: Iterable[Report]) -> str:
    """The reports as people read them."""
    rows = [
        f"{r.scenario:<12}{r.points:>7}{r.kills:>7}{r.double_kills:>9}{r.message_faults:>8}{r.zombies:>9}"
        f"{r.states_compared:>9}{r.effects_doubled:>9}{r.unknowns_told:>10}  {'holds' if r.holds else 'BROKEN'}"
        for r in reports
    ]
    head = (
        f"{'scenario':<12}{'points':>7}{'kills':>7}{'doubles':>9}{'mail':>8}{'zombies':>9}{'states':>9}{'twice':>9}{'unknown':>10}"
    )
    return "\n".join([head, *rows])
