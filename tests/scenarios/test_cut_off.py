"""What was under way when the work was cut off counts: no crash makes a cap give way, and an orderly end costs nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.errors import Unavailable
from auteryn.policy.limits import MOST_STARTS_WITHOUT_PROGRESS, REQUESTS_PER_ANSWER
from auteryn.schema.run import Run
from auteryn.testing.clock import skipping
from auteryn.testing.crash import Fate, Story
from auteryn.testing.scenarios import KEY, Scenario, lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.tool import Effect, ToolContext, tool
from scenarios.test_consult import oracle

CAP = 23


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Slices that are cut off mid-way say so in the log."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def endless(ask: Ask) -> Line:
    """Every third request is refused once, so that answers take more than one."""
    if ask.attempt == 0 and ask.turn % 3 == 2:
        return Unavailable("503")
    return ["so far so good", call("lookup", what=f"page {ask.turn}")] if ask.tools else "the result so far"


async def read_on(world: World) -> str:
    run = await world.start("Read on", llm_calls=CAP, key=KEY)
    await world.ended(run)
    return run


async def read_side_by_side(world: World) -> str:
    run = await world.start("Read on", plan=["one part", "the other"], llm_calls=CAP, key=KEY)
    await world.ended(run)
    return run


def inquisitive(ask: Ask) -> Line:
    """Its tools ask the model side by side, and every second request is refused once."""
    if ask.task.startswith("oracle"):
        return Unavailable("503") if ask.attempt == 0 and ask.task.endswith("one") else "Yes."
    if not ask.tools:
        return "the result so far"
    return [call("oracle", question=f"{ask.turn} one"), call("oracle", question=f"{ask.turn} two")]


async def ask_on(world: World) -> str:
    run = await world.start("Ask on", llm_calls=CAP, key=KEY)
    await world.ended(run)
    return run


READER = Scenario(name="reader", about="reads on until its calls are used up", script=endless, play=read_on)
READERS = Scenario(name="readers", about="two steps read on", script=endless, play=read_side_by_side)
ASKER = Scenario(name="asker", about="its tools ask the model", script=inquisitive, play=ask_on, more_tools=(oracle,))
ALL = pytest.mark.parametrize("scenario", [READER, READERS, ASKER], ids=lambda one: one.name)


class AtEachAnswer(Fate):
    """Dies whenever the model has just answered and nothing of it is stored, until it has died often enough."""

    def point(self, name: str) -> None:
        if name == "after model.generate":
            self.die_at = len(self.points)
        super().point(name)


def end_of(story: Story) -> Run:
    async def look() -> Run:
        world = await World(story.home).open(hosting=False)
        found = await world.run(story.run)
        await world.services.store.close()
        return found

    return skipping(look())


@pytest.mark.proves("L11")
@ALL
@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_killed_after_every_answer_a_run_never_asks_more_often_than_it_may(
    tmp_path: Path, scenario: Scenario, deaths: int
) -> None:
    story = Story(scenario, tmp_path).through([AtEachAnswer() for _ in range(deaths)])
    ended = end_of(story)
    at_work = 2 if scenario is READERS else 1
    assert story.model.calls <= ended.usage.llm_calls <= min(CAP, story.model.calls + at_work * deaths)
    assert ended.terminal


@pytest.mark.proves("L11")
@ALL
def test_wherever_a_run_is_killed_what_it_sent_is_counted(tmp_path: Path, scenario: Scenario) -> None:
    undisturbed = Fate()
    Story(scenario, tmp_path / "whole").live(undisturbed)
    for at in range(0, len(undisturbed.points), 11):
        story = Story(scenario, tmp_path / str(at)).through([Fate(die_at=at)])
        assert story.model.calls <= end_of(story).usage.llm_calls <= CAP, undisturbed.points[at]


@pytest.mark.proves("L11")
def test_however_often_a_request_was_repeated_a_crash_counts_one(tmp_path: Path) -> None:
    """Each that brought nothing is a fact before the next is sent."""

    def script(ask: Ask) -> Line:
        return "read" if ask.attempt >= REQUESTS_PER_ANSWER - 1 else Unavailable("503")

    story = Story(Scenario("patience", "is refused", script, read_on), tmp_path).through([AtEachAnswer()])
    ended, sent = end_of(story), REQUESTS_PER_ANSWER + 1
    assert (ended.result, story.model.calls, ended.usage.llm_calls) == ("read", sent, sent)


@tool(effect="read", timeout=timedelta(hours=9))
async def slow(ctx: ToolContext, hours: int = 1) -> str:
    """Take hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "done"


@pytest.mark.proves("L11")
def test_a_process_that_ends_in_order_hands_over_and_loses_no_calls(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "read" if ask.turn > 8 else call("slow") if ask.turn % 2 else call("lookup", what=str(ask.turn))

    async def story() -> None:
        world = await World(tmp_path, model=script, tools=[lookup, slow]).open()
        run = await world.start("Read slowly")
        for _ in range(4):
            await world.after(timedelta(minutes=50))
            await world.reopen()
        ended = await world.ended(run)
        assert ended.failure is None and ended.usage.llm_calls == world.model.calls == 10  # type: ignore[attr-defined]
        await world.close()

    skipping(story())


@pytest.mark.proves("F29")
def test_a_call_that_never_fits_into_a_sitting_is_not_begun_for_a_week(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("slow", hours=8), "never"], tools=[slow]) as world:
            ended = await world.ended(await world.start("Read slowly"))
            assert ended.failure and ended.failure.reason == "poison"
            assert ended.slice <= MOST_STARTS_WITHOUT_PROGRESS + 3

    skipping(story())


@pytest.mark.proves("L6")
@pytest.mark.parametrize(("effect", "told"), [("once", "outcome unknown"), ("keyed", "outcome unknown"), ("read", "no tool")])
def test_whoever_takes_a_call_up_without_its_tool_says_that_it_may_have_been_made(
    tmp_path: Path, effect: Effect, told: str
) -> None:
    async def story() -> None:
        under_way = asyncio.Event()

        @tool(effect=effect)
        async def transfer(ctx: ToolContext, credits: int) -> str:
            """Send credits to somebody."""
            under_way.set()
            await asyncio.Event().wait()
            return "sent"

        def script(ask: Ask) -> Line:
            return str(ask.results["transfer"]) if ask.results else call("transfer", credits=5)

        async with World(tmp_path, model=script, tools=[transfer]) as world:
            run = await world.start("Pay them")
            await under_way.wait()
        async with World(tmp_path, model=script) as world:
            said = str((await world.ended(run)).result)
        assert told in said and "there is no tool 'transfer'" in said

    skipping(story())
