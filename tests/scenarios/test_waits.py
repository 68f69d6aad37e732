"""While a run waits it has no process, and what it waits for wakes it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from auteryn.errors import ModelRefused, RateLimited, ToolFailed, Unavailable
from auteryn.schema import event as e
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import ForPerson, ForRateLimit, ForSteps, Options, UntilTime
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval, ask_input
from auteryn.tools.plan import plan_create
from auteryn.tools.time import wait
from auteryn.tools.tool import Effect, ToolContext, tool

HOUR = timedelta(hours=1)


@pytest.mark.proves("P42", "P65", "L4")
def test_a_timer_wakes_the_run_and_no_slice_runs_meanwhile(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("wait", until="6h"), "rested"], tools=[wait]) as world:
            run = await world.start("Rest")
            waiting = await world.waiting(run)
            assert [type(one) for one in waiting.waits] == [UntilTime]
            assert await world.services.store.lease(run) is None and not world.host.engine.live
            ended = await world.ended(run)
            assert (ended.result, world.now()) == ("rested", START + 6 * HOUR)
            assert ended.slice == 2 and ended.usage.active_ms == 0

    skipping(story())


@pytest.mark.proves("P42", "P1")
def test_waits_survive_that_nobody_hosts_the_folder_when_they_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[call("wait", until="6h"), "rested"], tools=[wait]) as world:
            run = await world.start("Rest")
            await world.waiting(run)
            await world.reopen(after=2 * 24 * HOUR)
            assert (await world.ended(run)).result == "rested"
            assert world.now() - START < 2 * 24 * HOUR + timedelta(minutes=1)

    skipping(story())


@pytest.mark.proves("P60", "P65")
def test_three_days_for_an_answer_are_no_slice_and_the_answer_wakes_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        question = call("ask_input", message="Which colour?")
        async with World(tmp_path, model=[question, "blue it is"], tools=[ask_input]) as world:
            run = await world.start("Ask")
            asked = await world.asked(run)
            assert [type(one) for one in asked.waits] == [ForPerson]
            await world.after(3 * 24 * HOUR)
            assert (await world.run(run)).slice == asked.slice
            assert await world.answer(run, "blue")
            before = world.now()
            assert (await world.ended(run)).result == "blue it is"
            assert world.now() - before <= timedelta(seconds=5)

    skipping(story())


@pytest.mark.proves("P51")
def test_a_run_that_waits_for_its_steps_has_no_slice(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return "done" if ask.turn or not ask.task.startswith("long") else call("wait", until="3h")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Plan", plan=["long a", "long b"])
            parent = await world.waiting(run)
            assert [type(one) for one in parent.waits] == [ForSteps]
            ended = await world.ended(run)
            assert ended.status == "completed" and ended.slice <= 3 and world.now() == START + 3 * HOUR

    skipping(story())


@pytest.mark.proves("P45", "F31")
def test_a_429_of_an_hour_is_slept_through_without_a_slice(tmp_path: Path) -> None:
    async def story() -> None:
        slow_down = RateLimited("quota", retry_after=HOUR)
        async with World(tmp_path, model=[slow_down, "at last"]) as world:
            run = await world.start("Hurry")
            waiting = await world.waiting(run)
            assert [type(one) for one in waiting.waits] == [ForRateLimit]
            await world.after(HOUR - timedelta(minutes=1))
            assert (await world.run(run)).slice == 1
            ended = await world.ended(run)
            assert (ended.result, ended.slice, world.now()) == ("at last", 2, START + HOUR)
            assert ended.usage.llm_calls == 2

    skipping(story())


@pytest.mark.proves("P45", "F31", "L11")
def test_a_used_up_day_is_asked_for_less_and_less_often_though_it_says_soon(tmp_path: Path) -> None:
    async def story() -> None:
        used_up = [RateLimited("quota of the day", retry_after=timedelta(seconds=40), per_day=True) for _ in range(60)]
        async with World(tmp_path, model=[*used_up, "a new day"]) as world:
            run = await world.start("Hurry", mode="deep")
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls) == ("a new day", 61)
            assert world.now() - START >= timedelta(hours=9)

    skipping(story())


@pytest.mark.proves("P5", "F31")
def test_outages_are_waited_out_longer_each_time(tmp_path: Path) -> None:
    async def story() -> None:
        down = [Unavailable("503") for _ in range(15)]
        async with World(tmp_path, model=[*down, "up again"]) as world:
            run = await world.start("Hello")
            ended = await world.ended(run)
            assert ended.result == "up again"
            assert ended.usage.llm_calls == 16
            waits = [event.waits[0] for event in await world.events(run) if isinstance(event, e.Left)]
            spans = [one.at for one in waits if isinstance(one, ForRateLimit)]
            assert len(spans) == 3 and spans[2] - spans[1] > spans[1] - spans[0]

    skipping(story())


@pytest.mark.proves("P48")
def test_without_auto_retry_the_first_outage_ends_the_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[Unavailable("503"), "up again"]) as world:
            run = await world.start("Hello", options=Options(auto_retry=False))
            ended = await world.ended(run)
            assert ended.status == "failed" and ended.failure and ended.failure.reason == "error"
            assert ended.usage.llm_calls == 1

    skipping(story())


@pytest.mark.proves("P48")
@pytest.mark.parametrize(("auto_retry", "tries", "waits"), [(True, 3, True), (False, 1, False)])
def test_what_was_said_of_retries_holds_for_tools_and_in_steps_too(
    tmp_path: Path, auto_retry: bool, tries: int, waits: bool
) -> None:
    tried = list[str]()

    @tool(effect="read")
    async def shaky(ctx: ToolContext) -> str:
        """Works at the third try."""
        tried.append(ctx.run.id)
        if len(tried) < 3:
            raise ToolFailed("unavailable", "not now", retryable=True)
        return "at last"

    def script(ask: Ask) -> Line:
        if given(ask) == "call":
            return call("shaky") if ask.turn == 0 else str(ask.new_results)
        if given(ask) == "think" and ask.attempt == 0:
            raise Unavailable("503")
        return "thought"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[shaky]) as world:
            run = await world.start("Plan", plan=["call", "think"], options=Options(auto_retry=auto_retry))
            plan = (await world.ended(run)).plan
            assert plan and len(tried) == tries
            assert ("at last" in (plan.step(1).result or "")) == waits
            assert (plan.step(2).status, plan.step(2).result) == (("completed", "thought") if waits else ("failed", None))

    skipping(story())


@pytest.mark.proves("P27", "P28")
@pytest.mark.parametrize("wanted", [True, False])
def test_the_thoughts_of_steps_are_kept_where_those_of_the_run_are_and_nowhere_else(tmp_path: Path, wanted: bool) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[Say(text="done", thoughts="Let me break this down...")]) as world:
            run = await world.start("Plan", plan=["one"], options=Options(include_thoughts=wanted))
            await world.ended(run)
            for one in await world.tree(run):
                thoughts = [event.thoughts for event in await world.events(one.id) if isinstance(event, e.ModelAnswered)]
                assert thoughts == ["Let me break this down..." if wanted else ""]

    skipping(story())


@pytest.mark.proves("L11", "P51")
def test_a_step_waits_for_budget_and_goes_on_with_what_it_is_given(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if ask.task.startswith("long"):
            return "long done" if ask.turn >= 5 else call("wait", until="1m")
        return "done"

    async def story() -> None:
        plan = [StepDraft(description="long"), StepDraft(description="short", depends_on=(1,))]
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run = await world.start("Plan", plan=plan, llm_calls=10)
            ended = await world.ended(run)
            assert ended.status == "completed" and ended.usage.llm_calls == 8
            step = (await world.tree(run))[1]
            assert "BudgetAsked" in await world.outline(step.id)

    skipping(story())


@pytest.mark.proves("P65")
def test_silence_is_an_answer_only_when_its_time_is_over(tmp_path: Path) -> None:
    async def story() -> None:
        question = call("ask_approval", message="Go?", options=["Yes", "No"], timeout="24h", on_timeout="default", default="No")
        async with World(tmp_path, model=[question, "nobody was there"], tools=[ask_approval]) as world:
            run = await world.start("Ask")
            await world.asked(run)
            ended = await world.ended(run)
            assert ended.result == "nobody was there" and world.now() == START + 24 * HOUR
            answers = [event.answer for event in await world.events(run) if isinstance(event, e.AskAnswered)]
            assert [(one.how, one.value) for one in answers] == [("expired", "No")]

    skipping(story())


@pytest.mark.proves("F31")
def test_a_key_that_is_revoked_under_way_is_waited_for(tmp_path: Path) -> None:
    """What was done so far is kept, no slice sits there meanwhile; the status says what is wrong."""

    async def story() -> None:
        revoked = [ModelRefused("no_key", "the key was not accepted (403)") for _ in range(3)]
        async with World(tmp_path, model=[call("wait", until="1h"), *revoked, "done"], tools=[wait]) as world:
            run = await world.start("Look, later")
            waiting = await world.until(run, lambda found: any(isinstance(one, ForRateLimit) for one in found.waits))
            assert "not accepted" in repr(waiting.waits)
            ended = await world.ended(run)
            assert (ended.result, ended.usage.llm_calls) == ("done", 5)
            assert world.now() - START >= timedelta(minutes=63, seconds=30)

    skipping(story())


@pytest.mark.proves("F31")
def test_a_step_whose_first_words_meet_a_revoked_key_waits_for_it_too(tmp_path: Path) -> None:
    async def story() -> None:
        refused = iter(range(2))

        def script(ask: Ask) -> Line:
            if "Look at the prices" in ask.task:
                return (
                    ModelRefused("no_key", "the key was not accepted (403)") if next(refused, None) is not None else "they fell"
                )
            return (call("plan_create", goal="Prices", steps=[{"description": "Look at the prices"}]), "told")[ask.turn]

        async with World(tmp_path, model=script, tools=[plan_create]) as world:
            ended = await world.ended(await world.start("Report", mode="deep"))
            assert ended.plan
            assert (ended.result, [step.status for step in ended.plan.steps]) == ("told", ["completed"])

    skipping(story())


@pytest.mark.proves("P5")
def test_a_key_that_never_worked_is_said_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=[ModelRefused("no_key", "the key was not accepted (403)")]) as world:
            ended = await world.ended(await world.start("Hello"))
            assert ended.failure and ended.failure.reason == "model_refused"
            assert world.now() - START < timedelta(minutes=1)

    skipping(story())


@pytest.mark.proves("P48", "L6")
@pytest.mark.parametrize(
    ("effect", "transient", "pauses"),
    [
        ("read", True, [7, 7, 7]),
        ("idempotent", True, [7, 7, 7]),
        ("keyed", True, [7, 7, 7]),
        ("once", True, []),
        ("read", False, []),
    ],
)
def test_a_call_that_failed_in_passing_is_made_again_unless_it_may_have_taken_effect(
    tmp_path: Path, effect: Effect, transient: bool, pauses: list[int]
) -> None:
    made = list[tuple[str, datetime]]()

    @tool(effect=effect)
    async def service(ctx: ToolContext) -> str:
        """Ask a service."""
        made.append((ctx.call, ctx.clock.now()))
        raise ToolFailed("unavailable", "try again", retryable=transient, retry_after=timedelta(seconds=7))

    async def story() -> None:
        async with World(tmp_path, model=[call("service"), "done"], tools=[service]) as world:
            run = await world.ended(await world.start("Ask"))
            events = await world.events(run.id)
            (answer,) = [event for event in events if isinstance(event, e.CallAnswered)]
            assert [later - at for (_, at), (_, later) in pairwise(made)] == [timedelta(seconds=one) for one in pauses]
            assert {key for key, _ in made} == {answer.call} and (answer.error, run.result) == ("unavailable", "done")
            intents = [event for event in events if isinstance(event, e.CallStarted)]
            assert len(intents) == (effect in ("keyed", "once"))

    skipping(story())


@pytest.mark.proves("P48")
def test_the_pauses_of_a_tool_that_names_none_grow_and_what_succeeds_is_not_made_again(tmp_path: Path) -> None:
    made = list[datetime]()

    @tool(effect="read")
    async def service(ctx: ToolContext) -> str:
        """Ask a service."""
        made.append(ctx.clock.now())
        if len(made) < 4:
            raise ToolFailed("unavailable", "try again", retryable=True)
        return "here"

    async def story() -> None:
        async with World(tmp_path, model=[call("service"), "done"], tools=[service]) as world:
            run = await world.ended(await world.start("Ask"))
            (answer,) = [event for event in await world.events(run.id) if isinstance(event, e.CallAnswered)]
            assert (answer.output, answer.error, answer.attempts) == ("here", None, 4)
            assert [(later - at).total_seconds() for at, later in pairwise(made)] == [1, 2, 4]

    skipping(story())


@pytest.mark.proves("P5")
def test_a_tool_that_is_to_be_asked_in_hours_is_not_waited_for_by_a_process(tmp_path: Path) -> None:
    asked = list[datetime]()

    @tool(effect="read")
    async def service(ctx: ToolContext) -> str:
        """Ask a service."""
        asked.append(ctx.clock.now())
        raise ToolFailed("rate_limited", "too many requests", retryable=True, retry_after=timedelta(hours=2))

    async def story() -> None:
        async with World(tmp_path, model=[call("service"), "done"], tools=[service]) as world:
            run = await world.ended(await world.start("Ask"))
            (answer,) = [event for event in await world.events(run.id) if isinstance(event, e.CallAnswered)]
            assert len(asked) == 1 and answer.error == "rate_limited" and "in 7200 s: use wait" in answer.output
            assert world.now() - asked[0] < timedelta(hours=1)

    skipping(story())


@pytest.mark.proves("L6")
def test_of_a_call_that_took_too_long_and_cannot_be_repeated_it_is_said_that_it_may_have_happened(tmp_path: Path) -> None:
    @tool(effect="once", timeout=timedelta(seconds=0.01))
    async def pay(ctx: ToolContext) -> str:
        """Pay."""
        await asyncio.Event().wait()
        return "paid"

    async def story() -> None:
        async with World(tmp_path, model=[call("pay"), "done"], tools=[pay]) as world:
            run = await world.ended(await world.start("Pay"))
            (answer,) = [event for event in await world.events(run.id) if isinstance(event, e.CallAnswered)]
            assert answer.error == "timeout" and "may have taken effect" in answer.output

    skipping(story())
