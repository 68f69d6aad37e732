"""Calls of one turn: whichever of them are answered when the process dies, exactly the others run on resume (L7)."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest

from auteryn.errors import ToolFailed
from auteryn.schema import event as e
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_read, file_write
from auteryn.tools.tool import Effect, Tool, ToolContext, tool

WIDTH = 4


def slow(began: list[int], fast: tuple[int, ...], effect: Effect) -> Tool:
    @tool(effect=effect, timeout=timedelta(hours=1))
    async def work(ctx: ToolContext, number: Annotated[int, "Which"]) -> str:
        """Work."""
        began.append(number)
        if number not in fast:
            await ctx.clock.sleep(timedelta(minutes=5))
        return f"did {number}"

    return work


def script(ask: Ask) -> Line:
    return "over" if ask.turn else [call("work", number=n) for n in range(WIDTH)]


@pytest.mark.proves("P57", "P59", "L7")
@pytest.mark.parametrize("effect", ["read", "keyed", "once"])
def test_exactly_the_unanswered_calls_of_a_turn_run_on_resume(tmp_path: Path, effect: Effect) -> None:
    async def story(home: Path, fast: tuple[int, ...]) -> None:
        began = list[int]()
        async with World(home, model=script, tools=[slow(began, fast, effect)]) as world:
            run = await world.start("Work")
            await world.after(timedelta(seconds=30))
            assert sorted(began) == list(range(WIDTH))
            began.clear()
            await world.reopen()
            ended = await world.ended(run)
            open_ones = [n for n in range(WIDTH) if n not in fast]
            assert sorted(began) == ([] if effect == "once" else open_ones)
            answers = [event for event in await world.events(run) if isinstance(event, e.CallAnswered)]
            intents = [event for event in await world.events(run) if isinstance(event, e.CallStarted)]
            assert len(intents) == (0 if effect == "read" else WIDTH)
            unknown = [event.call for event in answers if event.error == "ambiguous"]
            assert len({event.call for event in answers}) == len(answers) == WIDTH
            assert len(unknown) == (len(open_ones) if effect == "once" else 0)
            assert ended.result == "over"

    subsets = itertools.chain.from_iterable(itertools.combinations(range(WIDTH), size) for size in range(WIDTH + 1))
    for number, fast in enumerate(subsets):
        skipping(story(tmp_path / str(number), fast))


@pytest.mark.proves("P57", "P58")
def test_calls_of_one_turn_run_side_by_side_and_answer_in_order(tmp_path: Path) -> None:
    async def story() -> None:
        began = list[int]()
        async with World(tmp_path, model=script, tools=[slow(began, (2,), "read")]) as world:
            start = world.now()
            run = await world.start("Work")
            assert (await world.ended(run)).result == "over"
            assert world.now() - start < timedelta(minutes=6)

    skipping(story())


@pytest.mark.proves("L7")
def test_calls_of_one_turn_on_one_file_run_one_after_the_other_however_it_is_spelled(tmp_path: Path) -> None:
    calls = [call("file_write", path=path, content="x", mode="append") for path in ("a.txt", "./a.txt") * 12]

    async def story() -> None:
        async with World(
            tmp_path, model=[calls, call("file_read", path="a.txt"), "done"], tools=[file_write, file_read]
        ) as world:
            run = await world.ended(await world.start("Write"))
            (read,) = [one for one in await world.events(run.id) if isinstance(one, e.CallAnswered) and one.tool == "file_read"]
            assert read.output["text"] == f"1\t{'x' * len(calls)}"

    skipping(story())


@pytest.mark.proves("L6")
@pytest.mark.parametrize(("found", "made", "error"), [("it is done", 1, None), (None, 2, None), ("unknown", 1, "ambiguous")])
def test_a_call_that_was_cut_off_is_asked_about_where_its_target_can_be_asked(
    tmp_path: Path, found: str | None, made: int, error: str | None
) -> None:
    began, asked = list[str](), list[tuple[str, str]]()

    async def probe(ctx: ToolContext, name: str) -> str | None:
        asked.append((ctx.call, name))
        if found == "unknown":
            raise ToolFailed("ambiguous", "nobody knows")
        return found

    @tool(effect="once", timeout=timedelta(hours=1), probe=probe)
    async def pay(ctx: ToolContext, name: Annotated[str, "Whom"]) -> str:
        """Pay."""
        began.append(ctx.call)
        if len(began) == 1:
            await ctx.clock.sleep(timedelta(minutes=5))
        return "done now"

    async def story() -> None:
        async with World(tmp_path, model=[call("pay", name="ann"), "over"], tools=[pay]) as world:
            run = await world.start("Pay")
            await world.after(timedelta(seconds=30))
            assert len(began) == 1 and not asked
            await world.reopen()
            assert (await world.ended(run)).result == "over"
            events = await world.events(run)
            (answer,) = [event for event in events if isinstance(event, e.CallAnswered)]
            assert asked == [(answer.call, "ann")] and began == [answer.call] * made
            assert (answer.error, answer.output) == (error, {"unknown": "nobody knows", None: "done now"}.get(found, found))
            assert len([event for event in events if isinstance(event, e.CallStarted)]) == 1

    skipping(story())


@pytest.mark.proves("P59")
@pytest.mark.parametrize("order", ["made, then handed over", "handed over, then made"])
def test_a_file_made_in_the_same_turn_is_handed_over_as_it_is_then(tmp_path: Path, order: str) -> None:
    @tool(effect="idempotent")
    async def make(ctx: ToolContext) -> str:
        """Write the second version, slowly."""
        await ctx.clock.sleep(timedelta(seconds=30))
        ctx.files.write("report.txt", b"second")
        return "made"

    def turns(ask: Ask) -> Line:
        both = [call("make"), call("artifact_publish", path="report.txt")]
        first: Line = [call("file_write", path="report.txt", content="first")]
        return [first, both if order.startswith("made") else both[::-1], "over"][ask.turn]

    async def story() -> None:
        async with World(tmp_path, model=turns, tools=[make, file_write, artifact_publish]) as world:
            run = await world.ended(await world.start("Report"))
            [handed] = run.artifacts
            assert handed.size_bytes == len(b"second" if order.startswith("made") else b"first")
            assert not [one for one in await world.events(run.id) if isinstance(one, e.CallAnswered) and one.error]

    skipping(story())


def test_time_stands_still_while_a_plain_function_works(tmp_path: Path) -> None:
    """In virtual time a call's time-out is no shorter for work that is done in a thread."""

    @tool(effect="read", timeout=timedelta(seconds=1))
    def work(number: Annotated[int, "Which"]) -> str:
        """Work."""
        for at in range(200):
            (tmp_path / f"{number}").write_text(str(at))
        return f"did {number}"

    async def story() -> None:
        async with World(tmp_path / "home", model=script, tools=[work]) as world:
            run = await world.ended(await world.start("Work"))
            outputs = [one.output for one in await world.events(run.id) if isinstance(one, e.CallAnswered)]
            assert sorted(outputs) == [f"did {number}" for number in range(WIDTH)]

    skipping(story())
