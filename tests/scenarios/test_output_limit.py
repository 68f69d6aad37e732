"""What comes in pieces is one result, and what came to nothing is paid for all the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.errors import RateLimited
from auteryn.policy.limits import CUT_OFFS, UNREADABLE_ANSWERS
from auteryn.schema import event as e
from auteryn.schema.run import Options
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World
from auteryn.tools.calculate import calculate
from auteryn.tools.files import file_grep
from auteryn.tools.tool import ToolContext, tool

PIECES = [Say(text="One, two,", finish="max_tokens"), Say(text=" three,", finish="continuation"), " four."]


@pytest.mark.proves("P5")
@pytest.mark.parametrize("crash", [False, True], ids=["in one go", "with a new process before each piece"])
def test_an_answer_cut_at_the_output_limit_is_given_as_a_whole(tmp_path: Path, crash: bool) -> None:
    async def story() -> None:
        async with World(tmp_path, model=PIECES) as world:
            run = await world.start("Count")
            while crash and not (await world.run(run)).terminal:
                await world.reopen()
                await world.after(world.host.sweep_every)
            assert (await world.ended(run)).result == "One, two, three, four."

    skipping(story())


@pytest.mark.proves("P5", "P35")
def test_an_answer_cut_at_the_output_limit_is_whole_though_it_was_summarised_before_its_end(tmp_path: Path) -> None:
    long, hour = "One, two, " * 400, timedelta(hours=1)
    busy = [RateLimited("quota", retry_after=hour)]

    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "it counts"
        if "it counts" in str(ask.request.contents):
            return busy.pop() if busy else "three."
        return Say(text=long, finish="max_tokens") if ask.turn else call("calculate", expression="1+1")

    async def story() -> None:
        small = {"compact_at_tokens": 1_000, "keep_tokens": 200}
        async with World(tmp_path, model=script, tools=[calculate], **small) as world:  # type: ignore[arg-type]
            run = await world.start("Count")
            await world.until(run, lambda one: one.status == "waiting")
            assert "Compacted" in await world.outline(run)
            await world.reopen(hour)
            assert (await world.ended(run)).result == long + "three."

    skipping(story())


@pytest.mark.proves("P5", "L11")
def test_an_answer_that_never_comes_to_its_end_is_the_result_after_so_many_pieces(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=lambda ask: Say(text="and so on ", finish="max_tokens")) as world:
            ended = await world.ended(await world.start("Count"))
            assert ended.result == "and so on " * (CUT_OFFS + 1) and ended.usage.llm_calls == CUT_OFFS + 1

    skipping(story())


def test_pieces_end_where_a_call_is_made_or_somebody_speaks(tmp_path: Path) -> None:
    async def story() -> None:
        script = [PIECES[0], [" a sum:", call("calculate", expression="1+1")], "It is 2."]
        async with World(tmp_path, model=script, tools=[calculate]) as world:
            assert (await world.ended(await world.start("Count"))).result == "It is 2."

    skipping(story())


@pytest.mark.proves("L11", "P90")
def test_an_answer_of_no_use_is_paid_for(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return Say(finish="max_tokens", thought_tokens=60_000) if ask.attempt == 0 else "Seven."

    async def story(*, useless: bool) -> int:
        model = script if useless else ["Seven."]
        async with World(tmp_path / str(useless), model=model) as world:
            run = await world.ended(await world.start("How many?", options=Options(auto_retry=False)))
            assert run.result == "Seven."
            failed = [event for event in await world.events(run.id) if isinstance(event, e.ModelFailed)]
            assert [event.tokens.thoughts for event in failed] == [60_000] * useless
            assert run.usage.tokens.thoughts == 60_000 * useless
            return run.usage.credits.llm

    assert skipping(story(useless=True)) > skipping(story(useless=False)) + 50


def test_a_call_too_large_for_one_answer_is_made_in_smaller_ones(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "Seven." if "smaller pieces" in ask.last else Say(finish="max_tokens")

    async def story() -> None:
        async with World(tmp_path, model=script) as world:
            assert (await world.ended(await world.start("How many?"))).result == "Seven."

    skipping(story())


def test_every_line_of_a_long_text_in_an_output_can_be_read(tmp_path: Path) -> None:
    lines = [f"line {number} says something" for number in range(1_000)]

    @tool(effect="read")
    async def document(ctx: ToolContext) -> dict[str, str]:
        """A long document."""
        return {"title": "Long", "text": "\n".join(lines)}

    def script(ask: Ask) -> Line:
        match ask.turn:
            case 0:
                return call("document")
            case 1:
                return call("file_grep", pattern="line 500 says", glob="outputs/*.txt")
            case _:
                return "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[document, file_grep]) as world:
            run = await world.ended(await world.start("Read"))
            first, second = (event for event in await world.events(run.id) if isinstance(event, e.CallAnswered))
            place = first.output["texts"]["text"]
            assert first.cut and second.output["hits"] == [f"{place}:501: line 500 says something"]

    skipping(story())


@pytest.mark.proves("P5", "L11")
def test_a_model_that_never_says_anything_usable_is_told_so_and_then_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=lambda ask: Say(finish="malformed_call")) as world:
            run = await world.ended(await world.start("Say"))
            assert run.failure and run.failure.reason == "model_refused" and "in a row" in run.failure.message
            events = await world.events(run.id)
            failed = [event for event in events if isinstance(event, e.ModelFailed)]
            answers = [event for event in failed if event.reason == "malformed_call"]  # each after a repeat of the same request
            whys = {event.message for event in failed if event.reason == "no_answer"}
            assert whys == {"the answer was malformed_call"}
            told = [event for event in events if isinstance(event, e.Told) and event.why == "format"]
            assert (len(failed), len(answers), len(told)) == (
                2 * UNREADABLE_ANSWERS,
                UNREADABLE_ANSWERS,
                UNREADABLE_ANSWERS - 2,
            )
            assert run.usage.llm_calls == sum(event.attempts for event in failed) == 2 * UNREADABLE_ANSWERS

    skipping(story())
