"""What kills every slice that touches it is not started for ever."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from auteryn.policy.limits import MOST_STARTS_WITHOUT_PROGRESS
from auteryn.testing.chaos import Examination
from auteryn.testing.clock import skipping
from auteryn.testing.crash import Fate, Story
from auteryn.testing.laws import broken_laws
from auteryn.testing.scenarios import SCENARIOS, lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.proves("F29")
def test_a_run_whose_slices_all_fail_is_ended_and_others_go_on(tmp_path: Path) -> None:
    calls = list[str]()

    def script(ask: Ask) -> Line:
        calls.append(ask.task)
        if ask.task == "Poison":
            raise ZeroDivisionError("a bug of ours")
        return "well"

    async def story() -> None:
        async with World(tmp_path, model=script) as world:
            bad, good = await world.start("Poison"), await world.start("Fine")
            ended = await world.ended(bad)
            assert ended.failure and ended.failure.reason == "poison"
            assert calls.count("Poison") <= MOST_STARTS_WITHOUT_PROGRESS + 1
            assert (await world.ended(good)).result == "well"

    skipping(story())


@pytest.mark.proves("F29", "L11")
def test_what_a_poisoned_step_has_cost_is_charged_to_nobody(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if ask.task.startswith("Poison") and ask.turn:
            raise ZeroDivisionError("a bug of ours")
        return call("lookup", what="poison") if ask.task.startswith("Poison") else "well"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            run = await world.start("All of it", plan=["Poison", "Fine"])
            whole = await world.ended(run)
            _, bad, good = await world.tree(run)
            assert bad.failure and bad.failure.reason == "poison" and bad.usage.waived and not bad.usage.credits.total
            assert whole.usage.waived == bad.usage.waived and whole.usage.credits.total > good.usage.credits.total > 0
            assert await broken_laws(world, run) == []

    skipping(story())


@pytest.mark.proves("F29", "L11")
@pytest.mark.parametrize("label", ["before tool lookup", "after tool lookup", "before model.generate"])
def test_a_call_that_kills_the_process_each_time_is_not_repeated_for_ever(tmp_path: Path, label: str) -> None:
    class Always(Fate):
        """Dies whenever it comes to this point."""

        def point(self, name: str) -> None:
            if name == label and not self.dead:
                self.die_at = len(self.points)
            Fate.point(self, name)

    story, deaths = Story(SCENARIOS["compaction"], tmp_path), 0
    while not story.live(Always()):
        deaths += 1
        assert deaths <= MOST_STARTS_WITHOUT_PROGRESS + 2
    assert deaths >= MOST_STARTS_WITHOUT_PROGRESS

    async def look() -> None:
        world = await World(story.home).open(hosting=False)
        failure = (await world.run(story.run)).failure
        await world.services.store.close()
        assert failure and failure.reason == "poison"

    skipping(look())


@pytest.mark.proves("F29", "P1")
def test_a_run_whose_process_is_killed_nine_times_in_a_row_is_finished_by_the_tenth(tmp_path: Path) -> None:
    class NineTimes(Fate):
        """Dies while the model is asked, each time anew."""

        deaths = 0

        def point(self, name: str) -> None:
            if name == "before model.generate" and not self.dead and NineTimes.deaths < 9:
                NineTimes.deaths += 1
                self.die_at = len(self.points)
            Fate.point(self, name)

    story = Story(SCENARIOS["once"], tmp_path)
    while not story.live(NineTimes()):
        pass

    async def look() -> None:
        world = await World(story.home).open(hosting=False)
        assert (await world.run(story.run)).status == "completed"
        await world.services.store.close()

    assert NineTimes.deaths == 9
    skipping(look())


@pytest.mark.proves("F29")
def test_two_unlucky_starts_are_no_poison() -> None:
    with Examination(SCENARIOS["once"]) as examination:
        examination.kill_twice(30, seed=11)
        assert examination.report.broken == []
