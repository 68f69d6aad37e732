"""Schedules: the grid, what runs late, what is skipped, and how they end."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.policy.limits import CONCLUDE
from auteryn.schema import event as e
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval
from auteryn.tools.time import schedule, wait

HOUR = timedelta(hours=1)


def watching(tick: Line = "nothing new", **how: object):
    def script(ask: Ask) -> Line:
        if given(ask) != "Watch":
            return tick if ask.turn == 0 else "nothing new, late"
        if ask.turn == 0:
            return call("schedule", **{"every": "6h", "instruction": "Look", "until": "1d", **how})
        return "summary" if "has ended" in ask.last else "set"

    return script


async def ticks(world: World, run: str) -> list[tuple[int, bool, int]]:
    """(index, whether it ran, how many were skipped)."""
    return [(t.index, t.run is not None, t.skipped) for t in await world.events(run) if isinstance(t, e.TicksStarted)]


@pytest.mark.proves("P75", "P80")
def test_a_schedule_ends_with_its_run_and_nothing_ticks_afterwards(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=watching(), tools=[schedule]) as world:
            run = await world.start("Watch")
            ended = await world.ended(run)
            assert ended.result == "summary" and [s.over for s in ended.schedules] == [True]
            calls = world.model.calls  # type: ignore[attr-defined]
            await world.after(48 * HOUR)
            assert world.model.calls == calls  # type: ignore[attr-defined]

    skipping(story())


@pytest.mark.proves("P75", "F22")
@pytest.mark.parametrize(
    ("catch_up", "hours", "expected"),
    [
        ("one", 18, [(0, True, 0), (3, True, 2)]),
        ("all", 18, [(0, True, 0), (1, True, 0), (2, True, 0), (3, True, 0)]),
        ("none", 18, [(0, True, 0), (3, True, 2)]),
        ("one", 40, [(0, True, 0), (3, True, 2)]),
        ("none", 40, [(0, True, 0), (3, False, 3)]),
    ],
)
def test_missed_ticks_are_made_up_or_accounted_for(
    tmp_path: Path, catch_up: str, hours: int, expected: list[tuple[int, bool, int]]
) -> None:
    async def story() -> None:
        async with World(tmp_path, model=watching(catch_up=catch_up), tools=[schedule]) as world:
            run = await world.start("Watch")
            await world.after(HOUR)
            await world.reopen(after=hours * HOUR)
            (over,) = (await world.ended(run)).schedules
            assert await ticks(world, run) == expected
            assert (over.ended, over.skipped) == (sum(ran for _, ran, _ in expected), sum(one[2] for one in expected))
            assert [skip.ticks for skip in over.skips] == [skipped for _, _, skipped in reversed(expected) if skipped]
            assert all(skip.reason for skip in over.skips)

    skipping(story())


@pytest.mark.proves("P75")
@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_a_tick_that_takes_longer_than_the_span_never_runs_beside_the_next(tmp_path: Path, overlap: str) -> None:
    async def story() -> None:
        script = watching(call("wait", until="8h"), overlap=overlap)
        async with World(tmp_path, model=script, tools=[schedule, wait]) as world:
            run = await world.start("Watch")
            ended = await world.ended(run)
            assert ended.status == "completed"
            spans = sorted((one.created_at, one.ended_at) for one in await world.tree(run) if one.parent and one.ended_at)
            assert len(spans) >= 2
            assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
            assert ended.schedules[0].ended + ended.schedules[0].skipped == 4

    skipping(story())


@pytest.mark.proves("L10")
def test_a_cancelled_run_ticks_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=watching(until="7d"), tools=[schedule]) as world:
            run = await world.start("Watch")
            await world.after(13 * HOUR)
            await world.cancel(run)
            await world.ended(run)
            await world.after(48 * HOUR)
            assert len(await ticks(world, run)) == 3 and world.now() - START >= 61 * HOUR

    skipping(story())


@pytest.mark.proves("P75", "P93", "F24")
def test_a_tick_that_is_at_work_at_the_deadline_is_waited_for_and_none_follows(tmp_path: Path) -> None:
    """Nobody answers the first one's question; those that were queued behind it are not begun."""

    async def story() -> None:
        slow = call("ask_approval", message="Go on?", options=["yes", "no"])
        script = watching(slow, every="2h", until="7h", overlap="queue")
        async with World(tmp_path, model=script, tools=[schedule, ask_approval]) as world:
            run = await world.start("Watch", max_duration=8 * HOUR)
            ended = await world.ended(run)
            ends = [event.end.status for event in await world.events(run) if isinstance(event, e.TickEnded)]
            assert (ended.result, ends, await ticks(world, run)) == ("summary", ["completed"], [(0, True, 0)])
            assert ended.ended_at and 8 * HOUR <= ended.ended_at - START <= 8 * HOUR + CONCLUDE
            await world.after(24 * HOUR)
            assert len(await world.tree(run)) == 2

    skipping(story())
