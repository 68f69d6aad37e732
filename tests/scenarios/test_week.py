"""A week in a minute: every tick of the grid exactly once, whatever dies meanwhile."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.schema import event as e
from auteryn.testing.chaos import undisturbed
from auteryn.testing.clock import START, SkippingClock, skipping
from auteryn.testing.crash import Fate, Story
from auteryn.testing.laws import broken_laws, mails
from auteryn.testing.scenarios import WEEK, Scenario
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.time import wait

SIX_HOURS = timedelta(hours=6)
GRID = [START + k * SIX_HOURS for k in range(28)]
DRIFT = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def looked_back_on(story: Story) -> tuple[list[e.AnyEvent], list[str], str | None]:
    async def look() -> tuple[list[e.AnyEvent], list[str], str | None]:
        world = await World(story.home, clock=SkippingClock(story.clock.now())).open(hosting=False)
        events, broken = await world.events(story.run), await broken_laws(world, story.run)
        result = (await world.run(story.run)).result
        await world.services.store.close()
        return events, broken, result

    return skipping(look())


@pytest.mark.proves("P1", "P75", "P80", "F22")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_schedule_ticks_28_times_on_its_grid_through_crashes(tmp_path: Path, seed: int) -> None:
    points, dice = len(undisturbed(WEEK, tmp_path / "usual").points), random.Random(seed)
    story = Story(WEEK, tmp_path / "story").through([Fate(die_at=dice.randrange(points // 4)) for _ in range(4)])
    events, broken, result = looked_back_on(story)
    ticks = [event for event in events if isinstance(event, e.TicksStarted)]
    assert [tick.index for tick in ticks] == list(range(28))
    assert [tick.due_at for tick in ticks] == GRID
    assert not any(tick.skipped for tick in ticks)
    assert result == "A summary of all checks." and broken == []


def _checks(ask: Ask) -> Line:
    """28 looks, and six hours between each two."""
    if ask.turn == 28 * 2 - 1:
        return "28 looks"
    return (
        [call("mail", to=f"look {ask.turn // 2}"), call("lookup", what="prices")]
        if ask.turn % 2 == 0
        else call("wait", until="6h")
    )


async def _play(world: World) -> str:
    run = await world.start("Look every six hours", key="week")
    await world.ended(run)
    return run


BY_WAITS = Scenario("waits", "28 looks, six hours apart", _checks, _play, (wait,))


@pytest.mark.proves("P1", "P42", "P75")
@pytest.mark.parametrize("seed", [3, 4])
def test_waits_keep_the_grid_through_crashes(tmp_path: Path, seed: int) -> None:
    points, dice = len(undisturbed(BY_WAITS, tmp_path / "usual").points), random.Random(seed)
    fates = [Fate(die_at=dice.randrange(points // 4)) for _ in range(6)]
    story = Story(BY_WAITS, tmp_path / "story").through(fates, restart_after=timedelta(minutes=15))
    events, broken, result = looked_back_on(story)
    ends = [event.wait.at for event in events if isinstance(event, e.CallSuspended)]  # type: ignore[union-attr]
    assert len(ends) == 27 and result == "28 looks" and broken == []
    assert all(abs(at - due) <= DRIFT for at, due in zip(ends, GRID[1:], strict=True))
    assert 28 - 6 <= len(mails(story.home)) <= 28
