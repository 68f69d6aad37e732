"""Going in circles: a nudge, a question, the end. The same call with new outcomes is honest work."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest

from auteryn.agent.stuck import FAILED_IN_A_ROW, Outcome, circle_of
from auteryn.agent.turn import GO_ON, STOP
from auteryn.errors import ToolFailed
from auteryn.schema import event as e
from auteryn.schema.human import People
from auteryn.schema.run import Options
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool


def nudges(events: list[e.AnyEvent]) -> int:
    return sum(isinstance(event, e.Told) and event.why == "nudge" for event in events)


def same_again(ask: Ask) -> Line:
    return call("lookup", what="the same")


@pytest.mark.proves("P5")
def test_two_nudges_then_a_person_is_asked_then_it_ends(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=same_again, tools=[lookup]) as world:
            run = await world.start("Search")
            asked = await world.asked(run)
            assert asked.asks[0].kind == "stuck" and asked.asks[0].options == (STOP, GO_ON)
            assert nudges(await world.events(run)) == 2
            await world.answer(run, STOP)
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "stuck" and ended.usage.llm_calls < 20

    skipping(story())


@pytest.mark.proves("P5")
@pytest.mark.parametrize("helps", [True, False])
def test_who_lets_it_go_on_lets_it_and_is_not_asked_for_ever(tmp_path: Path, helps: bool) -> None:
    def script(ask: Ask) -> Line:
        return (
            "found in another way"
            if helps and "go on, but not in the same way" in str(ask.request.contents)
            else same_again(ask)
        )

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            run = await world.start("Search")
            before = (await world.asked(run)).usage.llm_calls
            await world.answer(run, GO_ON)
            ended = await world.ended(run)
            assert before < ended.usage.llm_calls < 25
            if helps:
                assert ended.result == "found in another way"
            else:
                assert (
                    ended.failure
                    and ended.failure.reason == "stuck"
                    and "did not stop when told (3 times)" in ended.failure.message
                )

    skipping(story())


@pytest.mark.proves("P4")
def test_without_a_person_to_ask_it_ends(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=same_again, tools=[lookup]) as world:
            ended = await world.ended(await world.start("Search", options=Options(ask_when_stuck=False)))
            assert ended.failure and ended.failure.reason == "stuck"

    skipping(story())


@pytest.mark.proves("P5")
def test_the_owner_can_always_speak_to_a_run_that_goes_in_circles(tmp_path: Path) -> None:
    """Then nobody needs to answer the question any more, and no silence ends the run."""

    def script(ask: Ask) -> Line:
        if "woke_at" in str(ask.request.contents):
            return "found by other means"
        return call("wait", until="1d") if "try the archive" in str(ask.request.contents) else same_again(ask)

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup, wait]) as world:
            people = People(timeout=timedelta(hours=1), on_timeout="halt")
            run = await world.start("Search", options=Options(people=people))
            (ask,) = (await world.asked(run)).asks
            await world.say(run, "try the archive")
            ended = await world.ended(run)
            assert ended.result == "found by other means"
            said = [event.answer.how for event in await world.events(run) if isinstance(event, e.AskAnswered)]
            closed = await world.services.store.doc("ask", ask.id)
            assert said == ["withdrawn"] and closed and not closed.body["open"]

    skipping(story())


@pytest.mark.proves("P5")
def test_the_same_call_with_new_outcomes_is_left_alone(tmp_path: Path) -> None:
    counted = list[int]()

    @tool(effect="read")
    async def poll(ctx: ToolContext, what: Annotated[str, "What"]) -> int:
        """Count."""
        counted.append(1)
        return len(counted)

    async def story() -> None:
        model = [*[call("poll", what="it")] * 40, "done"]
        async with World(tmp_path, model=model, tools=[poll]) as world:
            run = await world.start("Poll")
            assert (await world.ended(run)).result == "done"
            assert nudges(await world.events(run)) == 0

    skipping(story())


@pytest.mark.proves("P5")
def test_the_same_long_output_again_and_again_is_a_circle_too(tmp_path: Path) -> None:
    """What is too long for the conversation goes to a file of its own each time."""

    @tool(effect="read")
    async def page(ctx: ToolContext) -> dict[str, str]:
        """A long page."""
        return {"text": "word\n" * 4_000}

    async def story() -> None:
        async with World(tmp_path, model=lambda ask: call("page"), tools=[page]) as world:
            ended = await world.ended(await world.start("Search", options=Options(ask_when_stuck=False)))
            assert ended.failure and ended.failure.reason == "stuck" and ended.usage.llm_calls < 20

    skipping(story())


@tool(effect="read")
async def guess(ctx: ToolContext, at: Annotated[int, "Where"]) -> str:
    """Is at 1 in 20 places."""
    if at % 20 != 19:
        raise ToolFailed("not_found", f"there is nothing at {at}")
    return "here"


@pytest.mark.proves("P5")
@pytest.mark.parametrize(("first", "told"), [(0, 1), (10, 0)])
def test_who_only_fails_is_told_though_each_call_is_another(tmp_path: Path, first: int, told: int) -> None:
    """A success among them is progress."""
    calls = [call("guess", at=at) for at in range(first, first + FAILED_IN_A_ROW + 8)]

    async def story() -> None:
        async with World(tmp_path, model=[*calls, "found"], tools=[guess]) as world:
            run = await world.start("Search")
            assert (await world.ended(run)).result == "found"
            found = [event.text for event in await world.events(run) if isinstance(event, e.Told) and event.why == "nudge"]
            assert len(found) == told and all("12 calls in a row that failed" in text for text in found)

    skipping(story())


@pytest.mark.proves("P4")
def test_who_goes_on_failing_ends(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return call("guess", at=20 * len(ask.request.contents))

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[guess]) as world:
            ended = await world.ended(await world.start("Search", options=Options(ask_when_stuck=False)))
            assert ended.failure and ended.failure.reason == "stuck"
            assert "12 calls in a row that failed and did not stop when told (2 times)" in ended.failure.message

    skipping(story())


def outcomes(word: str) -> list[Outcome]:
    """One for each letter."""
    return [Outcome("look", {"at": letter}, None, failed=False) for letter in word]


@pytest.mark.parametrize(
    ("word", "calls", "new"),
    [
        ("xaaaa", 4, 1),
        ("xaaaaaa", 6, 1),
        ("abababab", 8, 2),
        ("xabbaabba", 8, 2),
        ("abcacbbacabc", 12, 3),
        ("abcdeabcde" * 2, 20, 5),
    ],
)
def test_a_few_calls_in_any_order_are_a_circle(word: str, calls: int, new: int) -> None:
    circle = circle_of(outcomes(word))
    assert circle is not None and (circle.calls, circle.new) == (calls, new)


@pytest.mark.parametrize("word", ["", "aaa", "abababa", "abcabcabcab", "abcdef" * 6, "aaabaaac"])
def test_fewer_rounds_or_more_calls_are_none(word: str) -> None:
    assert circle_of(outcomes(word)) is None
