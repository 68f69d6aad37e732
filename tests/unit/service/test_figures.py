"""Progress, status, metrics and credits: the spec's examples, to the letter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auteryn.errors import RateLimited
from auteryn.policy.credits import cost_label, price_of, whole, whole_total
from auteryn.schema.fold import add_usage
from auteryn.schema.message import Tokens
from auteryn.schema.run import Credits, Usage
from auteryn.service.listing import Wanted
from auteryn.service.new import NewRun, drafts
from auteryn.service.progress import credit_usage, metrics, status_line
from auteryn.testing.clock import SkippingClock, skipping

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)

SIX = drafts([{"description": f"step {n}", "depends_on": [n - 1] if n > 1 else []} for n in range(1, 7)])


def until(number: int, results: dict[int, str] | None = None):
    """A model whose steps before `number` are done at once; that step waits two days for the provider."""

    def script(ask):
        for n in range(1, 7):
            if ask.task.startswith(f"step {n}"):
                waits = n == number and ask.attempt == 0
                return RateLimited("slow down", retry_after=timedelta(days=2)) if waits else (results or {}).get(n, "ok")
        return "all done"

    return script


@pytest.mark.proves("P55")
def test_the_progress_is_the_specs_json_exactly(opened):
    async def main():
        clock = SkippingClock()
        async with opened(until(2, {1: "Found 3 competitors"}), clock=clock) as desk:
            run = await desk.create(NewRun(input="Research competitors", steps=SIX))
            await clock.sleep(timedelta(minutes=1))
            progress = await desk.progress(run.id)
            assert progress.pop("plan_id").startswith("plan_")
            assert json.loads(json.dumps(progress)) == {
                "status": "in_progress",
                "current_step": 2,
                "total_steps": 6,
                "steps": [
                    {"id": 1, "status": "completed", "result": "Found 3 competitors"},
                    {"id": 2, "status": "in_progress", "result": None},
                    *({"id": n, "status": "pending", "result": None} for n in (3, 4, 5, 6)),
                ],
            }

    skipping(main())


@pytest.mark.proves("P33", "P40")
def test_the_day_stands_still_when_the_run_has_ended_and_the_last_day_is_the_last(opened):
    async def main():
        clock = SkippingClock()
        async with opened(until(4), clock=clock) as desk:
            run = await desk.create(NewRun(input="Research competitors", steps=SIX))
            await desk.result(run.id)
            ended = (await desk.standing(run.id)).detail
            assert ended == "Day 3 of 7, Step 6/6 complete"
            await clock.sleep(timedelta(days=30))
            assert (await desk.standing(run.id)).detail == ended
            over = replace(run, status="running", over_time=True)
            assert status_line(over, over.deadline_at + timedelta(minutes=5)).startswith("Day 7 of 7")

    skipping(main())


@pytest.mark.proves("P33", "P42")
def test_after_26_hours_with_three_of_six_steps_done_it_says_so(opened):
    async def main():
        clock = SkippingClock()
        async with opened(until(4), clock=clock) as desk:
            run = await desk.create(NewRun(input="Research competitors", steps=SIX))
            await clock.sleep(timedelta(hours=26))
            standing = await desk.standing(run.id)
            assert (standing.status, standing.detail) == ("running", "Day 2 of 7, Step 3/6 complete")
            assert (standing.state, standing.day, standing.days, standing.step) == ("waiting", 2, 7, 3)
            assert standing.why.startswith(
                "It waits for step 4. Step 4 waits until 2026-01-07 09:00 UTC, when the model is asked again"
            )
            step = (await desk.get(run.id)).plan.step(4).run
            assert "until 2026-01-07 09:00 UTC" in await desk.why_waiting(step)
            end = await desk.result(run.id)
            assert end.status == "completed"
            assert await desk.status_line(run.id) == "Day 3 of 7, Step 6/6 complete"

    skipping(main())


@pytest.mark.proves("P86", "P88")
def test_the_figures_are_the_specs_and_the_credits_add_up(opened):
    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(input="What is X?"))
            end = await desk.result(run.id)
        usage = Usage(
            llm_calls=156,
            tool_calls=89,
            tokens=Tokens(prompt=100_000, output=20_000, thoughts=5_000),
            credits=Credits(llm=300_000, tools=100_000, storage=50_000),
        )
        started = replace(end, started_at=NOW, ended_at=NOW + timedelta(hours=2, minutes=15, seconds=30))
        assert metrics(started, usage, NOW) == {
            "duration": "2h 15m 30s",
            "llm_calls": 156,
            "tool_calls": 89,
            "tokens_used": 125_000,
            "credits_consumed": 450,
        }
        assert credit_usage(usage) == {
            "total_credits": 450,
            "breakdown": {"llm_calls": 300, "tool_calls": 100, "storage": 50},
        }

    skipping(main())


@pytest.mark.proves("P86")
def test_the_counts_are_those_of_the_journals_steps_under_way_included(opened):
    async def main():
        clock = SkippingClock()
        async with opened(until(4), clock=clock) as desk:
            run = await desk.create(NewRun(input="Research competitors", steps=SIX))
            await clock.sleep(timedelta(hours=1))
            live = await desk.metrics(run.id)
            children = (await desk.children(run.id)).runs
            counted = Usage()
            for child in children:
                counted = add_usage(counted, (await desk.get(child.id)).usage)
            assert len(children) == 4 and live["llm_calls"] == counted.llm_calls > 3
            [listed] = (await desk.runs(Wanted(least_credits=counted.credits.total / 1000))).runs
            assert listed.usage == await desk.usage(await desk.get(run.id)) == counted
            await desk.result(run.id)
            whole_run = await desk.metrics(run.id)
            assert whole_run["llm_calls"] == (await desk.get(run.id)).usage.llm_calls > live["llm_calls"]
            credits = await desk.credits(run.id)
            assert credits["total_credits"] == whole_run["credits_consumed"] == sum(credits["breakdown"].values()) > 0

    skipping(main())


@pytest.mark.proves("P88")
@given(st.tuples(*[st.integers(0, 10**9)] * 3))
def test_whole_credits_always_add_up_and_no_part_is_off_by_one_credit(parts: tuple[int, int, int]):
    credits = Credits(llm=parts[0], tools=parts[1], storage=parts[2])
    shown = whole(credits)
    assert sum(shown) == whole_total(credits)
    assert abs(sum(shown) * 1000 - credits.total) <= 500
    assert all(abs(one * 1000 - part) < 1000 for one, part in zip(shown, parts, strict=True))


@pytest.mark.proves("P87")
def test_deep_costs_more_than_fast_for_the_same_tokens_and_every_call_costs_something():
    tokens = Tokens(prompt=10_000, output=1_000, thoughts=500)
    fast = price_of("gemini-3-flash-preview", tokens, NOW)
    deep = price_of("gemini-3.1-pro-preview", tokens, NOW)
    assert fast == 9_500  # 10k at 0.50 and 1.5k at 3.00 dollars a million: 0.0095 dollars, 9.5 credits
    assert deep > fast
    assert price_of("gemini-3-flash-preview", Tokens(prompt=1), NOW) == 1
    assert [
        cost_label("fast", timedelta(minutes=1)),
        cost_label("deep", timedelta(hours=3)),
        cost_label("deep", timedelta(days=3)),
    ] == [
        "low",
        "medium",
        "high",
    ]


def test_without_a_plan_there_are_no_steps(opened):
    async def main():
        async with opened() as desk:
            run = await desk.create(NewRun(input="What is X?"))
            standing, shown = await desk.standing(run.id), await desk.progress(run.id)
            assert (standing.step, standing.steps) == (0, 0)
            assert (shown["plan_id"], shown["current_step"], shown["total_steps"], shown["steps"]) == (None, 0, 0, [])

    skipping(main())
