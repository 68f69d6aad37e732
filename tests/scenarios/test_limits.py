"""Every cap says which it was, and keeps what there is."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.errors import Unavailable, WrongState
from auteryn.policy.modes import MODES
from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Reply
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, ScriptedModel, call
from auteryn.testing.world import World
from auteryn.tools.human import ask_input
from auteryn.tools.plan import plan_create
from auteryn.tools.time import wait
from auteryn.tools.tool import ToolContext, tool

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@tool(effect="read")
async def page(ctx: ToolContext, number: int) -> str:
    """One page."""
    return f"page {number}"


@tool(effect="read", timeout=timedelta(hours=2))
async def dig(ctx: ToolContext, minutes: int) -> str:
    """Dig for some minutes."""
    await ctx.clock.sleep(minutes * MINUTE)
    return f"dug until {ctx.clock.now():%d %H:%M}"


def endless(ask: Ask) -> Line:
    return ["so far so good", call("page", number=ask.turn)] if ask.tools else "the result so far"


@pytest.mark.proves("P12", "L11")
def test_call_501_of_a_fast_run_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=endless, tools=[page]) as world:
            run = await world.start("Read on", mode="fast")
            ended = await world.ended(run)
            assert world.model.calls == 500 == ended.usage.llm_calls  # type: ignore[attr-defined]
            assert ended.failure and ended.failure.reason == "llm_call_limit" and "500" in ended.failure.message
            assert ended.result == "the result so far"

    skipping(story())


@pytest.mark.proves("P12", "P18", "L11")
@pytest.mark.parametrize("cap", [1, 2, 3, 7])
def test_no_cap_is_ever_exceeded_by_one(tmp_path: Path, cap: int) -> None:
    async def story() -> None:
        async with World(tmp_path, model=endless, tools=[page]) as world:
            ended = await world.ended(await world.start("Read on", llm_calls=cap))
            assert world.model.calls == cap == ended.usage.llm_calls  # type: ignore[attr-defined]
            assert ended.failure and ended.failure.reason == "llm_call_limit"
            assert ended.failure.message == f"the run's {cap} model calls are used up"

    skipping(story())


@pytest.mark.proves("L11")
def test_repeated_requests_count_against_the_cap(tmp_path: Path) -> None:
    async def story() -> None:
        down = [Unavailable("503") for _ in range(50)]
        async with World(tmp_path, model=[*down, "never"]) as world:
            ended = await world.ended(await world.start("Hello", llm_calls=12))
            assert world.model.calls <= 12  # type: ignore[attr-defined]
            assert ended.failure and ended.failure.reason == "llm_call_limit"

    skipping(story())


@pytest.mark.proves("L11")
def test_all_steps_together_never_exceed_the_cap_of_the_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=endless, tools=[page]) as world:
            run = await world.start("Read side by side", plan=[f"part {n}" for n in range(10)], llm_calls=40)
            ended = await world.ended(run)
            assert world.model.calls <= 40  # type: ignore[attr-defined]
            assert ended.usage.llm_calls == world.model.calls  # type: ignore[attr-defined]
            assert ended.plan and {step.status for step in ended.plan.steps} == {"failed"}

    skipping(story())


@pytest.mark.proves("L11")
def test_a_credit_budget_is_not_overspent(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=endless, tools=[page]) as world:
            ended = await world.ended(await world.start("Read on", credits=60_000))
            assert ended.failure and ended.failure.reason == "credit_limit"
            assert 30_000 < ended.usage.credits.total <= 60_000
            assert ended.result

    skipping(story())


@pytest.mark.proves("P13")
def test_a_fast_run_ends_after_eleven_minutes_with_what_it_has(tmp_path: Path) -> None:
    async def story() -> None:
        model = [["first findings", call("dig", minutes=4)], call("dig", minutes=4), call("dig", minutes=4), "never"]
        async with World(tmp_path, model=model, tools=[dig]) as world:
            run = await world.start("Dig", mode="fast")
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "timeout" and "11 minutes" in ended.failure.message
            assert ended.result == "first findings"
            assert ended.ended_at and ended.ended_at - START <= 12 * MINUTE

    skipping(story())


class Trickling(ScriptedModel):
    """Its second answer takes an hour, and is never silent."""

    async def generate(self, request: ModelRequest, **how: Any) -> Reply:
        await how["spend"](1, "")
        if len(request.contents) > 1:
            await asyncio.sleep(3_600)
        return await super().generate(request, **{**how, "spend": None})


@pytest.mark.proves("P13")
def test_an_answer_that_never_comes_to_its_end_does_not_outlive_a_fast_run(tmp_path: Path) -> None:
    async def story() -> None:
        model = Trickling([["first findings", call("dig", minutes=4)], "much later"])
        async with World(tmp_path, model=model, tools=[dig]) as world:
            ended = await world.ended(await world.start("Dig", mode="fast"))
            assert ended.failure and ended.failure.reason == "timeout"
            assert (ended.result, ended.usage.llm_calls) == ("first findings", 2)
            assert ended.ended_at and ended.ended_at - START == 11 * MINUTE

    skipping(story())


@pytest.mark.proves("P93", "F24")
def test_at_the_deadline_the_run_concludes_with_what_it_has(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "half of it is done" if "time for this task is over" in str(ask.request.contents) else call("wait", until="30m")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            ended = await world.ended(await world.start("Dig", max_duration=2 * HOUR))
            assert (ended.status, ended.result, ended.over_time) == ("completed", "half of it is done", True)
            assert ended.ended_at and ended.ended_at - START <= 2 * HOUR + MINUTE

    skipping(story())


@pytest.mark.proves("P93", "F24")
def test_a_step_that_waits_for_a_person_concludes_at_the_deadline_of_the_whole(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if given(ask) == "Plan":
            return "all concluded"
        return "concluded unanswered" if ask.turn else call("ask_input", message="Which?")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[ask_input]) as world:
            run = await world.start("Plan", plan=["ask"], max_duration=3 * HOUR)
            ended = await world.ended(run)
            (step,) = [one for one in await world.tree(run) if one.parent]
            assert (step.status, step.result, ended.result) == ("completed", "concluded unanswered", "all concluded")
            assert step.ended_at and step.ended_at - START == 3 * HOUR
            assert ended.ended_at and ended.ended_at - START <= 3 * HOUR + MINUTE

    skipping(story())


@pytest.mark.proves("P93", "F24", "L10")
def test_a_week_that_passes_while_a_person_is_waited_for_ends_the_run(tmp_path: Path) -> None:
    """Nobody was at work, nobody answered, and no process was there at that moment: whoever sweeps next ends it."""

    def script(ask: Ask) -> Line:
        over = "time for this task is over" in str(ask.request.contents)
        return "without an answer" if over else call("ask_input", message="Which?")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[ask_input]) as world:
            run = await world.start("Ask and wait")
            (ask,) = (await world.asked(run)).asks
            await world.reopen(after=timedelta(days=7))
            ended = await world.ended(run)
            assert ended.failure is None, ended.failure
            assert (ended.status, ended.result, ended.asks, ended.waits) == ("completed", "without an answer", (), ())
            assert ended.ended_at and ended.ended_at - START <= timedelta(days=7, minutes=2)
            closed = await world.services.store.doc("ask", ask.id)
            assert closed and not closed.body["open"]
            written = await world.journal(run)
            await world.services.queue.enqueue(run, world.now())
            with pytest.raises(WrongState, match="has completed"):
                await world.answer(run, "too late", ask=ask.id)
            await world.after(HOUR)
            assert await world.journal(run) == written

    skipping(story())


@pytest.mark.proves("P93", "F24")
def test_whoever_plans_when_the_time_is_over_is_answered_at_once_and_concludes(tmp_path: Path) -> None:
    script = [
        call("wait", until="5d"),
        call("plan_create", goal="all", steps=[{"description": "a"}]),
        "half of it",
        "half of it",
    ]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait, plan_create]) as world:
            ended = await world.ended(await world.start("Dig", max_duration=timedelta(days=5)))
            assert (ended.status, ended.result, ended.over_time) == ("completed", "half of it", True)
            assert ended.ended_at == ended.deadline_at and len(await world.tree(ended.id)) == 1

    skipping(story())


@pytest.mark.proves("P93", "F24")
def test_a_run_that_will_not_conclude_is_ended(tmp_path: Path) -> None:
    async def story() -> None:
        def script(ask: Ask) -> Line:
            return ["a little", call("dig", minutes=3)] if ask.tools else "what I have"

        async with World(tmp_path, model=script, tools=[dig]) as world:
            ended = await world.ended(await world.start("Dig", max_duration=HOUR))
            assert ended.failure and ended.failure.reason == "deadline" and "the run's time is over" in ended.failure.message
            assert ended.result in ("what I have", "a little")
            assert ended.ended_at and ended.ended_at - START <= HOUR + 10 * MINUTE

    skipping(story())


@pytest.mark.proves("P93", "F24")
def test_past_the_deadline_nothing_new_of_a_plan_starts(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        over = "time for this task is over" in str(ask.request.contents)
        return "concluded" if over or ask.task.startswith("Plan") else call("wait", until="30m")

    async def story() -> None:
        from auteryn.schema.plan import StepDraft

        plan = [StepDraft(description="first"), StepDraft(description="second", depends_on=(1,))]
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Plan", plan=plan, max_duration=HOUR)
            ended = await world.ended(run)
            assert ended.plan and ended.plan.steps[1].run is None
            assert ended.ended_at and ended.ended_at - START <= HOUR + 10 * MINUTE
            assert len(await world.tree(run)) == 2

    skipping(story())


@pytest.mark.proves("P1", "P2", "P19", "P94", "F12")
def test_seven_days_of_work_are_slices_of_two_hours_each_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auteryn.runtime.engine.INBOX_LOOK", timedelta(seconds=15))  # 300,000 looks would take half a minute

    async def story() -> None:
        def script(ask: Ask) -> Line:
            return "a week's work" if world.now() - START > timedelta(days=6, hours=22) else call("dig", minutes=8)

        async with World(tmp_path, model=script, tools=[dig], sweep_every=HOUR) as world:
            run = await world.start("Dig for a week")
            ended = await world.ended(run)
            assert (ended.status, ended.result) == ("completed", "a week's work")
            starts = [entry.at for entry in await world.journal(run) if isinstance(entry.events[0], e.SliceStarted)]
            assert len(starts) >= 84
            spans = [later - earlier for earlier, later in itertools.pairwise(starts)]
            deep = MODES["deep"]
            assert max(spans) <= deep.slice_time - deep.slice_margin + 8 * MINUTE  # by itself, after the call under way
            left = [event.why for event in await world.events(run) if isinstance(event, e.Left)]
            assert set(left) == {"handed_over"}

    skipping(story())
