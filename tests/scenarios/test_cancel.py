"""Stopping, resting and going on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import pytest

from auteryn.errors import WrongState
from auteryn.policy.limits import LEASE
from auteryn.schema import event as e
from auteryn.testing.clock import START, skipping
from auteryn.testing.scripted import Ask, Line, call, safety
from auteryn.testing.world import World
from auteryn.tools.plan import plan_create
from auteryn.tools.script import script_run
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool

HOUR = timedelta(hours=1)
ACK = timedelta(seconds=5)


class Log:
    """When work began outside."""

    def __init__(self) -> None:
        self.begun = list[datetime]()

    def tool(self):
        @tool(effect="once", timeout=timedelta(hours=2))
        async def work(ctx: ToolContext, seconds: Annotated[int, "How long"]) -> str:
            """Work for some time."""
            self.begun.append(ctx.clock.now())
            await ctx.clock.sleep(timedelta(seconds=seconds))
            return "worked"

        return work


@pytest.mark.proves("P92", "P95", "L10")
def test_nothing_starts_five_seconds_after_a_cancel_in_a_tree_of_twenty(tmp_path: Path) -> None:
    log, asked = Log(), list[datetime]()

    async def story() -> None:
        def script(ask: Ask) -> Line:
            asked.append(world.now())
            return call("work", seconds=7)

        async with World(tmp_path, model=script, tools=[log.tool()]) as world:
            run = await world.start("Work side by side", plan=[f"work {n}" for n in range(20)])
            await world.after(timedelta(seconds=60))
            assert len(log.begun) >= 100
            acknowledged = world.now()
            assert await world.cancel(run)
            assert not await world.cancel(run)
            tree = [await world.ended(one.id) for one in await world.tree(run)]
            await world.after(HOUR)
            assert {one.status for one in tree} == {"cancelled"} and len(tree) == 21
            assert max([*log.begun, *asked]) - acknowledged <= ACK
            assert max(one.ended_at for one in tree if one.ended_at) - acknowledged <= ACK
            receipt = next(event.receipt for event in await world.events(run) if isinstance(event, e.RunCancelled))
            assert sorted(receipt.children) == sorted(one.id for one in tree if one.parent)
            step = next(event.receipt for event in await world.events(tree[1].id) if isinstance(event, e.RunCancelled))
            assert step.unknown == ("work",)

    skipping(story())


@pytest.mark.proves("P92", "L10")
def test_a_receipt_names_what_was_finished_aborted_and_unknown(tmp_path: Path) -> None:
    @tool(effect="read")
    async def quick(ctx: ToolContext) -> str:
        """Quick."""
        return "quick"

    @tool(effect="read", timeout=timedelta(hours=2))
    async def slow(ctx: ToolContext) -> str:
        """Slow."""
        await ctx.clock.sleep(HOUR)
        return "slow"

    async def story() -> None:
        calls = [call("quick"), call("slow"), call("work", seconds=3600)]
        async with World(tmp_path, model=[calls, "never"], tools=[quick, slow, Log().tool()]) as world:
            run = await world.start("Do")
            await world.after(timedelta(minutes=1))
            await world.cancel(run)
            ended = await world.ended(run)
            receipt = next(event.receipt for event in await world.events(run) if isinstance(event, e.RunCancelled))
            assert (receipt.finished, receipt.aborted, receipt.unknown) == (("quick",), ("slow",), ("work",))
            assert ended.status == "cancelled" and not ended.waits

    skipping(story())


@pytest.mark.proves("P92", "L10")
def test_a_receipt_names_what_a_script_had_begun(tmp_path: Path) -> None:
    async def story() -> None:
        lines = [call("script_run", code="work(seconds=3600)"), "never"]
        async with World(tmp_path, model=lines, tools=[script_run, Log().tool()]) as world:
            run = await world.start("Do")
            await world.after(timedelta(minutes=1))
            await world.cancel(run)
            await world.ended(run)
            receipt = next(event.receipt for event in await world.events(run) if isinstance(event, e.RunCancelled))
            assert (receipt.aborted, receipt.unknown) == (("script_run",), ("work",))

    skipping(story())


@pytest.mark.proves("F23", "L1", "L10")
def test_a_tool_that_hears_no_cancel_holds_nobody_up(tmp_path: Path) -> None:
    """Its slice renews no lease any more: the next one writes the end, and what the deaf one comes back with is refused."""
    came_back = list[datetime]()

    @tool(effect="once", timeout=timedelta(hours=2))
    async def deaf(ctx: ToolContext) -> str:
        """Go on whatever is said."""
        until = ctx.clock.now() + HOUR
        while ctx.clock.now() < until:
            with suppress(asyncio.CancelledError):
                await ctx.clock.sleep(until - ctx.clock.now())
        came_back.append(ctx.clock.now())
        return "done all the same"

    def script(ask: Ask) -> Line:
        return call("wait", until="6h") if "rest" in ask.task else call("deaf")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[deaf, wait]) as world:
            run = await world.start("Work", plan=["go on", "rest"])
            await world.after(timedelta(minutes=5))
            acknowledged = world.now()
            await world.cancel(run)
            ended = [await world.ended(one.id) for one in await world.tree(run)]
            assert [one.status for one in ended] == ["cancelled"] * 3
            assert max(one.ended_at for one in ended if one.ended_at) - acknowledged <= LEASE + 2 * ACK
            written = [await world.journal(one.id) for one in ended]
            await world.after(2 * HOUR)
            assert came_back
            assert [await world.journal(one.id) for one in ended] == written

    skipping(story())


@pytest.mark.proves("L10")
def test_a_cancelled_run_hears_nothing_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("wait", until="6h"), "woken"], tools=[wait]) as world:
            run = await world.start("Rest")
            await world.waiting(run)
            await world.cancel(run)
            ended = await world.ended(run)
            for late in (world.say(run, "hello?"), world.resume(run)):
                with pytest.raises(WrongState, match="has been cancelled"):
                    await late
            await world.after(12 * HOUR)
            assert await world.run(run) == ended
            assert (await world.outline(run))[-1] == "RunCancelled"

    skipping(story())


@pytest.mark.proves("L10")
def test_a_run_that_fails_takes_its_steps_along(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if not ask.task.startswith("Plan"):
            return call("wait", until="1d")
        return safety() if ask.turn else call("plan_create", goal="Rest", steps=[{"description": "a"}, {"description": "b"}])

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait, plan_create]) as world:
            run = await world.start("Plan")
            await world.waiting(run)
            await world.say(run, "what now?")
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "model_refused"
            steps = [await world.ended(one.id, timedelta(minutes=1)) for one in await world.tree(run)]
            assert [one.status for one in steps] == ["failed", "cancelled", "cancelled"]

    skipping(story())


@pytest.mark.proves("P95")
def test_a_paused_run_rests_with_its_steps_and_goes_on_where_it_was(tmp_path: Path) -> None:
    log = Log()

    def script(ask: Ask) -> Line:
        return "done" if ask.turn >= 5 else call("work", seconds=60)

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[log.tool()]) as world:
            run = await world.start("Work", plan=["a", "b"])
            await world.after(timedelta(seconds=90))
            await world.pause(run)
            for one in await world.tree(run):
                await world.until(one.id, lambda found: found.status == "paused", timedelta(minutes=1))
            begun = len(log.begun)
            await world.after(24 * HOUR)
            assert len(log.begun) == begun
            await world.resume(run)
            ended = await world.ended(run)
            assert ended.status == "completed" and world.now() < START + 25 * HOUR

    skipping(story())


@pytest.mark.proves("L5")
def test_pausing_twice_and_resuming_what_never_rested_is_harmless(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("wait", until="2h"), "done"], tools=[wait]) as world:
            run = await world.start("Rest")
            await world.waiting(run)
            await world.resume(run, id="too-early")
            await world.pause(run, id="one")
            await world.pause(run, id="two")
            await world.until(run, lambda found: found.status == "paused")
            await world.after(5 * HOUR)
            await world.resume(run)
            ended = await world.ended(run)
            assert ended.result == "done"
            assert (await world.outline(run)).count("Paused") == 1

    skipping(story())


@pytest.mark.proves("L4")
def test_a_paused_run_ends_at_its_deadline_all_the_same(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("wait", until="20m"), "done"], tools=[wait]) as world:
            run = await world.start("Rest", max_duration=HOUR)
            await world.waiting(run)
            await world.pause(run)
            ended = await world.ended(run, timedelta(hours=2))
            assert ended.failure and ended.failure.reason == "deadline"

    skipping(story())


@pytest.mark.proves("F21")
def test_answer_expiry_and_cancel_race_and_exactly_one_wins(tmp_path: Path) -> None:
    from auteryn.tools.human import ask_approval

    question = call("ask_approval", message="Go?", options=["Yes", "No"], timeout="1h", on_timeout="default", default="No")

    async def race(number: int) -> None:
        async with World(tmp_path / str(number), model=[question, "over"], tools=[ask_approval]) as world:
            run = await world.start("Ask")
            await world.asked(run)
            acts = [lambda: world.answer(run, "Yes", ask=ask.id), lambda: world.cancel(run), lambda: asyncio.sleep(0)]
            ask = (await world.run(run)).asks[0]
            moment = START + HOUR + timedelta(seconds=number % 3 - 1)
            order = acts if number % 2 else acts[::-1]
            told = await asyncio.gather(*(world.at(moment, act) for act in order), return_exceptions=True)
            refused = {act for act, one in zip(order, told, strict=True) if isinstance(one, WrongState)}
            assert len(refused) == sum(isinstance(one, BaseException) for one in told)
            ended = await world.ended(run)
            assert ended.status == "cancelled" or acts[1] in refused, "a cancel that was accepted is heard"
            answered = [event.answer for event in await world.events(run) if isinstance(event, e.AskAnswered)]
            assert len(answered) <= 1 and ended.status in ("completed", "cancelled")
            assert sum(isinstance(event, e.RunCompleted | e.RunCancelled) for event in await world.events(run)) == 1

    for number in range(100):
        skipping(race(number))
