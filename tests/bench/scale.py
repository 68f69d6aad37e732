"""What one Google Cloud project carries: 100,000 runs on a virtual clock, and what they cost.

    python tests/bench/scale.py [--runs 100000] [--hours 168]       # tables on standard output, in about a minute
    python tests/bench/scale.py --stories                           # the first table only, at once

Four stories are played by the real engine in the embedded world and metered (`meter.py`). The simulation then lets 100,000 of
them begin over a week, more by day than by night, and starts each of their slices where the deployment would: FAST in
`api`, what needs no model in `dispatch`, everything else in a job execution, of which only so many may run at once. A slice
that must wait delays what follows it in its tree. Nothing is asserted: `shared/docs/scale.md` says what follows, and its first
table is compared with this one's by a test.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from meter import Bill, Meter, Sitting, seconds_of_the_mode

from auteryn.policy.cloud import QUEUE_PER_SECOND
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import ModeName
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import TOOLS
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval
from auteryn.tools.time import schedule

EXECUTIONS = 1_000
"""Running executions a project and region may have, until Google raises it (gcp.md 2)."""
COLD_START = 15.0
"""Seconds from `jobs.run` to the first line of our code. Not documented; measured by the smoke test of a deployment."""

PRICE = {
    "Firestore writes": 0.09 / 100_000,
    "Firestore reads": 0.03 / 100_000,
    "Cloud Tasks operations": 0.40 / 1_000_000,
    "Pub/Sub, 1 kB each": 40.0 / 2**40 * 1_000 * 2,
    "job seconds (1 vCPU, 2 GiB)": 0.000018 + 2 * 0.000002,
    "service seconds (1 vCPU, 2 GiB, 20 at once)": (0.000024 + 2 * 0.0000025) / 20,
}
"""US dollars, list price in us-central1, read in November 2026; the free tier is left out."""


# ---- the stories


@dataclass(frozen=True)
class Story:
    name: str
    share: float
    """Of all runs."""
    mode: ModeName
    task: str
    script: Callable[[Ask], Line]
    plan: Sequence[StepDraft] = ()
    answer_after: timedelta | None = None


def _question(ask: Ask) -> Line:
    return "Canberra."


def _research(ask: Ask) -> Line:
    """Ten competitors side by side, eight calls each, and a comparison."""
    if ask.task.startswith("Look at"):
        return call("lookup", what=f"{ask.task}, page {ask.turn}: " + "x" * 2_000) if ask.turn < 7 else "what was found"
    return call("lookup", what=f"how they compare, {ask.turn}") if ask.turn < 3 else "ten competitors compared"


def _approval(ask: Ask) -> Line:
    if ask.turn == 5:
        return call("ask_approval", message="Send it?", options=["Yes", "No"])
    return call("lookup", what=f"page {ask.turn}") if ask.turn < 8 else "sent"


def _monitor(ask: Ask) -> Line:
    if ask.task.startswith("Watch"):
        if ask.turn == 0:
            return call("schedule", every="6h", instruction="Check the prices", until="7d")
        return "The watch is set." if "has ended" not in ask.last else "A summary of all checks."
    return call("lookup", what="prices") if ask.turn < 2 else "prices are the same"


RESEARCH = (
    *(StepDraft(id=n, description=f"Look at competitor {n}") for n in range(1, 11)),
    StepDraft(id=11, description="Compare", depends_on=tuple(range(1, 11))),
)
STORIES = (
    Story("question, FAST", 0.70, "fast", "What is the capital of Australia?", _question),
    Story("research, 10 steps", 0.20, "deep", "Research ten competitors", _research, RESEARCH),
    Story("approval after 20 h", 0.07, "deep", "Write to everybody", _approval, answer_after=timedelta(hours=20)),
    Story("monitor, a week", 0.03, "deep", "Watch the prices", _monitor),
)


def metered(story: Story) -> Meter:
    """The story, played once."""
    meter = Meter(seconds_of_the_mode)

    async def play(home: Path) -> None:
        world = World(
            home,
            model=story.script,
            tools=(*TOOLS, ask_approval, schedule),
            around=meter.around,
            sweep_every=timedelta(days=30),
        )
        async with world:
            run = await world.start(story.task, mode=story.mode, plan=story.plan)
            if story.answer_after and not (await world.asked(run)).terminal:
                await world.after(story.answer_after)
                await world.answer(run, "Yes")
            while not (await world.run(run)).terminal:
                await world.after(timedelta(days=1))  # nobody watches: a viewer costs one read an entry

    with tempfile.TemporaryDirectory() as folder:
        skipping(play(Path(folder) / "home"))
    return meter


# ---- the project


@dataclass
class Project:
    """What happens in each second, and how much of it is under way."""

    seconds: int
    writes: list[float] = field(init=False)
    wakes: list[int] = field(init=False)
    started: list[int] = field(init=False)
    running: list[int] = field(init=False)
    waiting: list[int] = field(init=False)
    live: list[int] = field(init=False)
    delays: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("wakes", "started", "running", "waiting", "live"):
            setattr(self, name, [0] * self.seconds)
        self.writes = [0.0] * self.seconds

    def at(self, when: float) -> int:
        return min(int(when), self.seconds - 1)


def simulate(meters: dict[str, Meter], runs: int, hours: float, executions: int) -> Project:
    """Let them begin over `hours`, by day three times as many as by night, and see each of their slices through."""
    dice = random.Random(2026)
    project = Project(int(hours * 3600) + 8 * 24 * 3600)
    due: list[tuple[float, int, int, int]] = []  # when, tree, sitting
    stories = [story for story in STORIES for _ in range(round(story.share * runs))]
    born = [_moment(dice, hours) for _ in stories]
    shift = [0.0] * len(stories)
    for tree, began in enumerate(born):
        heapq.heappush(due, (began, 0, tree, 0))
    ends: list[float] = []
    queue: deque[tuple[float, int, Sitting]] = deque()
    order = 0

    def start(now: float, tree: int, sitting: Sitting, wanted: float) -> None:
        nonlocal order
        late = now - wanted
        shift[tree] = max(shift[tree], late)
        project.delays.append(late)
        lasts = sitting.lasts.total_seconds() + COLD_START
        project.started[project.at(now)] += 1
        project.running[project.at(now)] += 1
        project.running[project.at(now + lasts)] -= 1
        heapq.heappush(ends, now + lasts)
        _spread(project, now, lasts, sitting.bill)

    while due or queue:
        while ends and (not due or ends[0] <= due[0][0]):
            now = heapq.heappop(ends)
            if queue:
                wanted, tree, sitting = queue.popleft()
                project.waiting[project.at(now)] -= 1
                start(now, tree, sitting, wanted)
        if not due:
            continue
        when, _, tree, number = heapq.heappop(due)
        sittings = meters[stories[tree].name].sittings
        sitting = sittings[number]
        wanted = born[tree] + sitting.begins.total_seconds() + shift[tree]
        if wanted > when:  # something before it was late
            order += 1
            heapq.heappush(due, (wanted, order, tree, number))
            continue
        if number + 1 < len(sittings):
            order += 1
            heapq.heappush(
                due, (born[tree] + sittings[number + 1].begins.total_seconds() + shift[tree], order, tree, number + 1)
            )
        project.live[project.at(born[tree])] += number == 0
        if number + 1 == len(sittings):
            project.live[project.at(wanted + sitting.lasts.total_seconds())] -= 1
        if sitting.mode == "fast" or not sitting.lasts:
            _spread(project, when, max(sitting.lasts.total_seconds(), 1.0), sitting.bill)
        elif len(ends) < executions:
            start(when, tree, sitting, wanted)
        else:
            project.waiting[project.at(when)] += 1
            queue.append((wanted, tree, sitting))
    for name in ("running", "waiting", "live"):
        _sum_up(getattr(project, name))
    return project


def _moment(dice: random.Random, hours: float) -> float:
    """More by day: the density is 1 + sin over 24 h, from 0.5 to 1.5 of the mean."""
    while True:
        at = dice.uniform(0, hours)
        if dice.uniform(0, 1.5) < 1 + 0.5 * math.sin(2 * math.pi * at / 24):
            return at * 3600


def _spread(project: Project, at: float, lasts: float, bill: Bill) -> None:
    first, seconds = project.at(at), max(1, round(lasts))
    for second in range(first, min(first + seconds, project.seconds)):
        project.writes[second] += bill.writes / seconds
    project.wakes[first] += bill.wakes


def _sum_up(changes: list[int]) -> None:
    for second in range(1, len(changes)):
        changes[second] += changes[second - 1]


# ---- the tables


def dollars(meter: Meter, bill: Bill) -> dict[str, float]:
    fast = meter.active("fast").total_seconds()
    starts = sum(1 for sitting in meter.sittings if sitting.mode == "deep" and sitting.lasts)
    used = {
        "Firestore writes": bill.writes,
        "Firestore reads": bill.reads,
        "Cloud Tasks operations": 2 * bill.wakes,
        "Pub/Sub, 1 kB each": bill.messages,
        "job seconds (1 vCPU, 2 GiB)": meter.active("deep").total_seconds() + starts * COLD_START,
        "service seconds (1 vCPU, 2 GiB, 20 at once)": fast,
    }
    return {name: amount * PRICE[name] for name, amount in used.items()}


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def stories_table(meters: dict[str, Meter]) -> str:
    lines = [
        "| run | model calls | slices | in a job | writes | reads | wakes | news | US cents without the model |",
        "|---|" + "---|" * 8,
    ]
    for name, meter in meters.items():
        bill = meter.total()
        cents = 100 * sum(dollars(meter, bill).values())
        job = meter.active("deep")
        lines.append(
            f"| {name} | {bill.calls} | {len(meter.sittings)} | {job.total_seconds():,.0f} s | {bill.writes} | {bill.reads} "
            f"| {bill.wakes} | {bill.messages} | {cents:.3f} |"
        )
    return "\n".join(lines)


def project_table(project: Project, executions: int) -> str:
    busy = [second for second in range(project.seconds) if project.live[second]]
    rows = [
        ("Firestore writes a second", [project.writes[s] for s in busy]),
        ("wakes enqueued a second", [project.wakes[s] for s in busy]),
        ("executions started a second", [project.started[s] for s in busy]),
        (f"executions at work (cap {executions:,})", [project.running[s] for s in busy]),
        ("slices waiting for an execution", [project.waiting[s] for s in busy]),
        ("runs alive", [project.live[s] for s in busy]),
    ]
    lines = ["| | mean | p99 | most |", "|---|---|---|---|"]
    for name, values in rows:
        mean = sum(values) / len(values)
        lines.append(f"| {name} | {mean:,.1f} | {percentile(values, 0.99):,.0f} | {max(values):,.0f} |")
    lines.append(
        f"| seconds a slice waited for its execution | {sum(project.delays) / max(len(project.delays), 1):,.1f} "
        f"| {percentile(project.delays, 0.99):,.0f} | {max(project.delays):,.0f} |"
    )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=100_000)
    options.add_argument("--hours", type=float, default=168.0)
    options.add_argument("--executions", type=int, default=EXECUTIONS)
    options.add_argument("--stories", action="store_true")
    given = options.parse_args()
    meters = {story.name: metered(story) for story in STORIES}
    print(stories_table(meters))
    if given.stories:
        return
    cost = calls = 0.0
    for story in STORIES:
        meter, count = meters[story.name], story.share * given.runs
        bill = meter.total()
        cost += count * sum(dollars(meter, bill).values())
        calls += count * bill.calls
    each = 1_000 * cost / calls
    print(f"\n{given.runs:,} runs: {calls:,.0f} model calls; ${cost:,.0f} without the model, ${each:.2f} per 1,000 calls")
    print(f"\n{given.runs:,} runs over {given.hours:g} hours:\n")
    print(project_table(simulate(meters, given.runs, given.hours, given.executions), given.executions))
    print(f"\n(the queue dispatches at most {QUEUE_PER_SECOND} wakes a second)")


if __name__ == "__main__":
    main()
