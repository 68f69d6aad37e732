"""Shares of the run's caps: given, asked for, given back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auteryn.policy.budget import GO_ON, RAISE, STOP
from auteryn.policy.credits import price_of
from auteryn.schema.human import People
from auteryn.schema.message import Reply, Tokens
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import ForBudget, Options
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given, lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.time import schedule


def reads(pages: int, then: str = "read") -> object:
    def script(ask: Ask) -> Line:
        if given(ask) == "Plan":
            return "concluded"
        return then if ask.turn >= pages or not ask.tools else call("lookup", what=f"page {ask.turn}")

    return script


@pytest.mark.proves("L11")
@pytest.mark.parametrize("cap", [8, 13, 20, 40, 100])
def test_whatever_the_cap_is_the_tree_stays_below_and_comes_to_an_end(tmp_path: Path, cap: int) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads(9), tools=[lookup]) as world:  # type: ignore[arg-type]
            plan = [StepDraft(description=f"part {n}") for n in range(3)] + [
                StepDraft(description="join", depends_on=(1, 2, 3), join="best_effort")
            ]
            run = await world.start("Plan", plan=plan, llm_calls=cap)
            ended = await world.ended(run)
            assert world.model.calls <= cap  # type: ignore[attr-defined]
            assert ended.usage.llm_calls == world.model.calls  # type: ignore[attr-defined]
            assert ended.status == "completed" and ended.result == "concluded"
            assert all(one.terminal for one in await world.tree(run))

    skipping(story())


@pytest.mark.proves("L11")
def test_more_steps_than_calls_fail_by_name_and_the_run_concludes(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads(0), tools=[lookup]) as world:  # type: ignore[arg-type]
            run = await world.start("Plan", plan=[f"part {n}" for n in range(30)], llm_calls=12)
            ended = await world.ended(run)
            assert ended.plan and world.model.calls <= 12  # type: ignore[attr-defined]
            assert {step.status for step in ended.plan.steps} <= {"completed", "failed"}
            assert ended.status == "completed"

    skipping(story())


@pytest.mark.proves("L11")
def test_parallel_steps_never_overspend_the_credits_of_the_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads(60), tools=[lookup]) as world:  # type: ignore[arg-type]
            run = await world.start("Plan", plan=[f"part {n}" for n in range(5)], credits=120_000)
            ended = await world.ended(run)
            assert ended.usage.credits.total <= 120_000
            assert ended.plan and all("credit_limit" in (step.error or "") for step in ended.plan.steps)

    skipping(story())


def wordy(ask: Ask) -> Line:
    """It never ends by itself, and says as much as it may."""
    most = ask.request.max_output_tokens or 1_000
    said = "w" * 4 * (min(most, 1_000) - 10)
    return said if ask.request.tool_mode == "none" else [said, call("lookup", what=f"page {ask.turn}")]


@pytest.mark.proves("L11")
@pytest.mark.parametrize("steps", [0, 4])
@pytest.mark.parametrize("credits", [100, 3_000, 20_000, 60_000, 130_000])
def test_not_even_the_last_words_of_a_run_and_its_steps_cost_more_than_is_left(
    tmp_path: Path, credits: int, steps: int
) -> None:
    async def story() -> None:
        async with World(tmp_path, model=wordy, tools=[lookup]) as world:
            plan = [f"part {n}" for n in range(steps)]
            ended = await world.ended(await world.start("Plan", plan=plan, credits=credits))
            assert ended.failure and ended.failure.reason == "credit_limit"
            assert ended.usage.credits.total <= credits
            assert world.model.calls == ended.usage.llm_calls  # type: ignore[attr-defined]
            assert bool(ended.usage.llm_calls) == (credits >= 20_000)

    skipping(story())


@pytest.mark.proves("L11")
@pytest.mark.parametrize("options", [Options(), Options(at_budget="ask")], ids=["go on", "ask"])
def test_a_budget_too_small_for_one_turn_says_what_a_turn_needs_and_that_much_pays_one(
    tmp_path: Path, options: Options
) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["done"], tools=[lookup]) as world:
            run = await world.start("Look", credits=100, options=options)
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "credit_limit" and not ended.usage.llm_calls
            said = re.search(r"0\.1 credits is too small for a single turn, .* to need ([\d.]+)\.", ended.failure.message)
            assert said and "Start it again with a larger budget" in ended.failure.message
            enough = round(float(said[1]) * 1_000)
            again = await world.ended(await world.start("Look", credits=enough, options=options))
            assert again.result == "done"

    skipping(story())


@pytest.mark.proves("L11")
def test_a_step_whose_share_is_too_small_for_one_turn_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["done"], tools=[lookup]) as world:
            run = await world.start("Plan", plan=["part 1", "part 2"], credits=3_000)
            ended = await world.ended(run)
            assert ended.plan and ended.failure and "of 3 credits is too small for a single turn" in ended.failure.message
            for step in ended.plan.steps:
                assert "is too small for a single turn" in (step.error or "") and "fewer steps" in (step.error or "")

    skipping(story())


ASKED = Options(at_budget="ask")


@pytest.mark.proves("L11")
def test_a_step_out_of_credits_waits_while_the_owner_is_asked_and_goes_on_with_a_raised_budget(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads(30), tools=[lookup]) as world:  # type: ignore[arg-type]
            run = await world.start("Plan", plan=["part 1", "part 2"], credits=90_000, options=ASKED)
            for _ in range(8):
                if (asked := await world.asked(run)).terminal:
                    break
                assert all(ask.kind == "budget" for ask in asked.asks)
                steps = [one for one in await world.tree(run) if one.parent and not one.terminal]
                assert all(isinstance(wait, ForBudget) for one in steps for wait in one.waits)
                await world.answer(run, RAISE if RAISE in asked.asks[0].options else GO_ON)
                await world.until(
                    run, lambda found, seen=asked.asks[0].id: found.terminal or seen not in [a.id for a in found.asks]
                )
            ended = await world.ended(run)
            assert ended.status == "completed" and ended.plan
            assert [(step.status, step.result) for step in ended.plan.steps] == [("completed", "read")] * 2
            assert ended.limits.credits and 90_000 < ended.usage.credits.total <= ended.limits.credits

    skipping(story())


@pytest.mark.proves("P65", "L4")
@pytest.mark.parametrize("task", ["Read", "Look"])
def test_while_a_question_about_the_budget_is_open_nothing_begins_and_no_slice_is_started(tmp_path: Path, task: str) -> None:
    """Whatever else would be due meanwhile: a tick, or the time people have, where silence means to go on waiting."""

    def script(ask: Ask) -> Line:
        if given(ask) == "Look":
            every_day = call("schedule", every="1d", instruction="Read", until="6d")
            return every_day if ask.turn == 0 else "watched" if "has ended" in ask.last else "set"
        return call("lookup", what=f"{ask.turn} " * 2_000) if ask.turn < (6 if task == "Look" else 90) else "read"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup, schedule]) as world:
            options = Options(at_budget="ask", people=People(timeout=timedelta(hours=3)))
            run = await world.start(task, credits=60_000, options=options)
            asked = await world.asked(run)
            over = world.now() + timedelta(days=3)
            still = await world.until(run, lambda _: world.now() >= over)
            assert (still.seq, still.slice) == (asked.seq, asked.slice) and [one.kind for one in still.asks] == ["budget"]
            await world.answer(run, STOP)
            assert (await world.ended(run)).failure

    skipping(story())


@pytest.mark.proves("P93", "L11")
@pytest.mark.parametrize("plan", [(), ("part 1", "part 2")], ids=["alone", "with steps"])
def test_a_question_about_the_budget_that_nobody_answers_does_not_cost_the_conclusion(
    tmp_path: Path, plan: tuple[str, ...]
) -> None:
    def script(ask: Ask) -> Line:
        over = "time for this task is over" in str(ask.request.contents) or not ask.tools
        return "concluded" if over or (plan and given(ask) == "Read") else call("lookup", what=f"page {ask.turn}")

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            run = await world.start("Read", plan=plan, credits=90_000, options=ASKED, max_duration=timedelta(days=2))
            (ask,) = (await world.asked(run)).asks
            ended = await world.ended(run)
            assert ask.kind == "budget" and (ended.result, ended.asks) == ("concluded", ()), ended.failure
            assert ended.ended_at and ended.ended_at - ended.deadline_at <= timedelta(minutes=1)
            assert ended.usage.credits.total <= 90_000
            steps = [one for one in await world.tree(run) if one.parent]
            assert [one.result for one in steps] == ["concluded"] * len(plan)

    skipping(story())


@pytest.mark.proves("L11")
def test_a_step_whose_owner_says_stop_ends_with_what_it_has(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads(60), tools=[lookup]) as world:  # type: ignore[arg-type]
            run = await world.start("Plan", plan=["part 1", "part 2"], credits=60_000, options=ASKED)
            await world.asked(run)
            await world.answer(run, STOP)
            ended = await world.ended(run)
            assert ended.usage.credits.total <= 60_000 == ended.limits.credits
            assert ended.plan and all("credit_limit" in (step.error or "") for step in ended.plan.steps)

    skipping(story())


@pytest.mark.proves("L11")
def test_an_answer_that_had_to_be_asked_for_again_costs_what_both_cost(tmp_path: Path) -> None:
    broken = Tokens(prompt=100_000, output=1_000)

    async def cost(home: Path, wasted: Tokens) -> int:
        said = Reply(
            model="gemini-3-flash-preview",
            content={"role": "model", "parts": [{"text": "Done."}]},
            finish="stop",
            text="Done.",
            tokens=Tokens(prompt=90_000, output=10),
            wasted=wasted,
            attempts=2,
        )
        async with World(home, model=[said]) as world:
            return (await world.ended(await world.start("Say it"))).usage.credits.total

    async def story() -> tuple[int, int]:
        return await cost(tmp_path / "once", Tokens()), await cost(tmp_path / "twice", broken)

    once, twice = skipping(story())
    assert twice - once == price_of("gemini-3-flash-preview", broken, datetime.now(UTC)) > 0
