"""Speaking to a run while it works or waits: nothing said is lost, nothing is heard twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.runtime.intake import MOST_AT_ONCE
from auteryn.schema import event as e
from auteryn.schema.inbox import UserMessage
from auteryn.schema.plan import StepDraft
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call, silence
from auteryn.testing.world import World
from auteryn.tools.human import ask_input
from auteryn.tools.time import wait
from auteryn.tools.tool import Tool, ToolContext, tool

HOUR = timedelta(hours=1)


def heard(ask: Ask, words: str) -> bool:
    return words in str(ask.request.contents)


@pytest.mark.proves("L5")
def test_a_steering_message_ends_a_wait_and_is_seen_in_the_next_turn(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "in blue" if heard(ask, "make it blue") else call("wait", until="6h") if ask.turn == 0 else "in red"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Paint")
            await world.waiting(run)
            assert await world.say(run, "make it blue")
            assert not await world.say(run, "make it blue")
            assert (await world.ended(run)).result == "in blue"
            assert world.now() - START < timedelta(seconds=5)
            told = [event for event in await world.events(run) if isinstance(event, e.Told)]
            assert len(told) == 1 and told[0].message

    skipping(story())


@pytest.mark.proves("L5", "F14")
@pytest.mark.parametrize(("count", "length", "commits"), [(2_300, 10, 3), (100, 90_000, 3)], ids=["many", "long"])
def test_more_than_one_commit_takes_is_heard_in_several_before_the_next_turn(tmp_path, count, length, commits) -> None:
    """Whoever speaks without end to a run that is paused or asleep gives it no commit that no store would take."""

    def script(ask: Ask) -> Line:
        return "all is heard" if heard(ask, f"word {count - 1} ") else call("wait", until="6h") if ask.turn == 0 else "not all"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Paint")
            await world.waiting(run)
            for number in range(count):
                said = UserMessage(id=f"m_{number}", sent_at=world.now(), text=f"word {number} {'x' * length}", by="ann")
                await world.services.store.send(run, said)
            await world.host.engine.wake(run)
            assert (await world.ended(run)).result == "all is heard"
            told = [sum(isinstance(one, e.Told) for one in entry.events) for entry in await world.journal(run)]
            assert sum(told) == count and len([one for one in told if one]) >= commits and max(told) <= MOST_AT_ONCE

    skipping(story())


@pytest.mark.proves("L5")
def test_what_is_said_while_a_quick_tool_works_is_heard_before_the_very_next_turn(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return call("mix") if ask.turn < 2 else f"heard in {[heard(ask, 'make it blue'), heard(ask, 'and matt')]}"

    async def story() -> None:
        said = ["make it blue", "and matt"]

        @tool(effect="read")
        async def mix(ctx: ToolContext) -> str:
            """Mix the paint."""
            await world.say(ctx.run.id, said.pop(0))
            return "mixed"

        async with World(tmp_path, model=script, tools=[mix]) as world:
            run = await world.start("Paint")
            assert (await world.ended(run)).result == "heard in [True, True]"
            facts = [type(event) for event in await world.events(run) if isinstance(event, e.ModelAnswered | e.Told)]
            assert facts == [e.ModelAnswered, e.Told, e.ModelAnswered, e.Told, e.ModelAnswered]
            assert world.now() == START

    skipping(story())


@pytest.mark.proves("L5", "L10")
@pytest.mark.parametrize("what", ["cancel", "steer"])
def test_what_another_process_says_is_heard_at_once(tmp_path: Path, what: str) -> None:
    """Of two processes on one folder, the one that speaks has no slice: no look each 2 s is waited for."""
    begun, spoken = asyncio.Event(), asyncio.Event()

    @tool(effect="read")
    async def mix(ctx: ToolContext) -> str:
        """Mix the paint."""
        begun.set()
        await (asyncio.Event() if what == "cancel" else spoken).wait()
        return "mixed"

    def script(ask: Ask) -> Line:
        return call("mix") if ask.turn == 0 else "in blue" if heard(ask, "make it blue") else "in red"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[mix]) as world:
            run = await world.start("Paint")
            await begun.wait()
            elsewhere = await World(tmp_path, clock=world.clock).open(hosting=False)
            await (elsewhere.cancel(run) if what == "cancel" else elsewhere.say(run, "make it blue"))
            await elsewhere.close()
            spoken.set()
            ended = await world.ended(run)
            end = ("cancelled", None, 1) if what == "cancel" else ("completed", "in blue", 2)
            assert (ended.status, ended.result, ended.turns) == end
            assert world.now() == START

    skipping(story())


@pytest.mark.proves("L5")
def test_a_queued_message_does_not_end_a_wait_and_is_heard_before_the_end(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "in blue" if heard(ask, "make it blue") else call("wait", until="6h") if ask.turn == 0 else "in red"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Paint")
            waiting = await world.waiting(run)
            await world.say(run, "make it blue", when="queue")
            await world.after(5 * HOUR)
            assert (await world.run(run)).slice <= waiting.slice + 1
            ended = await world.ended(run)
            assert (ended.result, world.now()) == ("in blue", START + 6 * HOUR)
            said = [
                event.content["parts"][0].get("text") for event in await world.events(run) if isinstance(event, e.ModelAnswered)
            ]
            assert said[1:] == ["in red", "in blue"]

    skipping(story())


@pytest.mark.proves("L5")
def test_queued_messages_are_heard_one_by_one_and_survive_a_restart(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return call("wait", until="6h") if ask.turn == 0 else f"said {ask.turn}"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Talk")
            await world.waiting(run)
            await world.say(run, "first", when="queue")
            await world.say(run, "second", when="queue")
            await world.reopen(after=HOUR)
            assert (await world.ended(run)).result == "said 3"
            told = [event.text for event in await world.events(run) if isinstance(event, e.Told)]
            assert ["first" in told[0], "second" in told[1]] == [True, True] and len(told) == 2

    skipping(story())


@pytest.mark.proves("L5")
def test_a_message_to_a_run_with_an_open_question_withdraws_the_question(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "never mind" if heard(ask, "just decide") else call("ask_input", message="Which colour?")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[ask_input]) as world:
            run = await world.start("Paint")
            ask = (await world.asked(run)).asks[0]
            await world.say(run, "just decide")
            assert (await world.ended(run)).result == "never mind"
            doc = await world.services.store.doc("ask", ask.id)
            assert doc and doc.body["open"] is False
            answers = [event.answer.how for event in await world.events(run) if isinstance(event, e.AskAnswered)]
            assert answers == ["withdrawn"]

    skipping(story())


@pytest.mark.proves("L5")
def test_a_message_that_arrives_as_the_run_ends_is_answered_first(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["done", "done, and blue"]) as world:
            generate = world.model.generate

            async def slow(*args: object, **given: object) -> object:
                reply = await generate(*args, **given)  # type: ignore[arg-type]
                if (await world.run(run)).turns == 0:
                    await world.say(run, "and blue")
                return reply

            world.model.generate = slow  # type: ignore[method-assign, assignment]
            run = await world.start("Paint")
            assert (await world.ended(run)).result == "done, and blue"

    skipping(story())


def mixing() -> tuple[asyncio.Event, Tool]:
    """A tool that never comes back, and whether it was called."""
    begun = asyncio.Event()

    @tool(effect="read")
    async def mix(ctx: ToolContext) -> str:
        """Mix the paint, for ever."""
        begun.set()
        await asyncio.Event().wait()
        return "mixed"

    return begun, mix


@pytest.mark.proves("L5", "P56")
def test_an_interruption_breaks_off_the_call_at_work_and_is_heard_at_once(tmp_path: Path) -> None:
    begun, mix = mixing()

    def script(ask: Ask) -> Line:
        return "in blue" if heard(ask, "make it blue") else call("mix")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[mix]) as world:
            run = await world.start("Paint")
            await begun.wait()
            await world.say(run, "make it blue", when="interrupt")
            assert (await world.ended(run)).result == "in blue"
            assert world.now() == START
            [answer] = [event for event in await world.events(run) if isinstance(event, e.CallAnswered)]
            assert answer.output == {"status": "interrupted", "why": "interrupted by a message from the owner"}

    skipping(story())


@pytest.mark.proves("L5", "P56")
def test_an_interruption_breaks_off_an_answer_that_does_not_come_and_what_was_sent_counts(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "in blue" if heard(ask, "make it blue") else silence()

    async def story() -> None:
        async with World(tmp_path, model=script) as world:
            run = await world.start("Paint")
            await world.after(timedelta(seconds=1))
            await world.say(run, "make it blue", when="interrupt")
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls) == ("in blue", 2)
            assert world.now() - START == timedelta(seconds=1)

    skipping(story())


@pytest.mark.proves("L5", "L6")
def test_an_interruption_does_not_forget_a_call_that_may_have_taken_effect(tmp_path: Path) -> None:
    begun, times = asyncio.Event(), list[str]()

    @tool(effect="once")
    async def ship(ctx: ToolContext) -> str:
        """Ship it."""
        times.append(ctx.call)
        begun.set()
        await asyncio.Event().wait()
        return "shipped"

    def script(ask: Ask) -> Line:
        return str(ask.results["ship"]) if heard(ask, "make it blue") else call("ship")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[ship]) as world:
            run = await world.start("Paint")
            await begun.wait()
            await world.say(run, "make it blue", when="interrupt")
            assert "outcome unknown" in str((await world.ended(run)).result)
            assert len(times) == 1

    skipping(story())


@pytest.mark.proves("L5", "P56")
def test_an_interruption_reaches_the_steps_at_work_and_what_only_waits_in_them(tmp_path: Path) -> None:
    begun, mix = mixing()

    def script(ask: Ask) -> Line:
        colour = "blue" if heard(ask, "make it blue") else "red"
        if given(ask) == "Paint":
            return f"all in {colour}"
        if colour == "blue" or given(ask) == "dry":
            return f"{given(ask)} in {colour}"
        return call("mix") if given(ask) == "mix" else call("wait", until="6h")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[mix, wait]) as world:
            plan = [StepDraft(description="mix"), StepDraft(description="wait"), StepDraft(description="dry", depends_on=(1,))]
            run = await world.start("Paint", plan=plan)
            await begun.wait()
            await world.until(run, lambda now: len(now.shares) == 2)
            assert await world.say(run, "make it blue", when="interrupt")
            assert not await world.say(run, "make it blue", when="interrupt"), "said twice it is heard once"
            ended = await world.ended(run)
            assert ended.plan and [one.result for one in ended.plan.steps] == ["mix in blue", "wait in blue", "dry in red"]
            assert ended.result == "all in blue" and world.now() - START < timedelta(seconds=5)
            heard_by = [
                [event.text for event in await world.events(one.id) if isinstance(event, e.Told) and event.why == "message"]
                for one in await world.tree(run)
            ]
            told = "Message from the owner: (said to the whole run, of which this is a part) make it blue"
            assert heard_by == [["Message from the owner: make it blue"], [told], [told], []]

    skipping(story())
