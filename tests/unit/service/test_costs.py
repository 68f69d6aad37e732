"""What a run costs: before, meanwhile, afterwards, and for what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from auteryn.errors import RateLimited, Unavailable
from auteryn.policy.budget import GO_ON, GO_ON_FAST, STOP
from auteryn.schema import event as e
from auteryn.schema.fold import after
from auteryn.schema.record import new_id
from auteryn.service.estimate import quantile
from auteryn.service.fork import Fork
from auteryn.service.new import Budget, NewRun, drafts
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import Say, call
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.tool import tool

STEPS = drafts([{"description": "step one"}, {"description": "step two", "depends_on": [1]}])


@tool(effect="read", cost=2_500)
async def search(query: str) -> str:
    """Search."""
    return "the same as ever"


@tool(effect="read", cost=160_000)
async def buy() -> str:
    """Buy something dear."""
    return "bought"


def total(lines) -> int:
    return round(sum(line["credits"] for line in lines) * 1000)


@pytest.mark.proves("P88")
def test_every_breakdown_adds_up_to_what_the_run_has_cost(opened):
    def script(ask):
        if ask.task.startswith("step"):
            return call("search", query=ask.task) if ask.turn == 0 else "found"
        if ask.turn == 0:
            return call("file_write", path="out.csv", content="a,b\n" * 20_000)
        return call("artifact_publish", path="out.csv", title="Table") if ask.turn == 1 else "done"

    async def main():
        async with opened(script, tools=[search, file_write, artifact_publish]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=STEPS))
            end = await desk.result(run.id)
            usage = await desk.credits(run.id, detail=True)
            detail, spent = usage.pop("detail"), end.usage.credits.total
            assert usage == await desk.credits(run.id) and usage["total_credits"] == sum(usage["breakdown"].values())
            for what in ("steps", "tools", "models", "causes"):
                assert total(detail[what]) == spent == round(detail["credits"] * 1000), what
            calls = sum(line["llm_calls"] for line in detail["models"])
            assert calls == end.usage.llm_calls and sum(line["tool_calls"] for line in detail["tools"]) == end.usage.tool_calls
            assert {line["name"] for line in detail["steps"]} == {"the run itself", "step 1", "step 2"}
            by_tool = {line["name"]: line["credits"] for line in detail["tools"]}
            assert by_tool["search"] == 5.0 and by_tool["storage"] > 0 and by_tool["the model"] == end.usage.credits.llm / 1000
            assert [line["name"] for line in detail["causes"]] == ["useful"] and detail["waived"] == 0

    skipping(main())


@pytest.mark.proves("P88")
def test_retries_and_loops_are_told_apart_from_useful_work(opened):
    tries = iter([1, 2])

    def script(ask):
        if ask.task.startswith("step one"):
            return (
                Say(finish="safety")
                if ask.turn == 1 and next(tries, 0) == 1
                else call("search", query="x")
                if ask.turn == 0
                else "ok"
            )
        if ask.task.startswith("step two"):
            return call("search", query="round and round") if ask.turn < 5 else "out of it"
        return "done"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[search]) as desk:
            run = await desk.create(
                NewRun(
                    input="Do it",
                    steps=drafts(
                        [
                            {"description": "step one"},
                            {"description": "step two"},
                            {"description": "step three", "depends_on": [1, 2], "join": "best_effort"},
                        ]
                    ),
                )
            )
            await clock.sleep(timedelta(minutes=1))
            end = await desk.get(run.id)
            if not end.terminal:
                await desk.retry(run.id, 1)
            await desk.result(run.id)
            detail = (await desk.credits(run.id, detail=True))["detail"]
            causes = {line["name"]: line for line in detail["causes"]}
            assert causes["loop"]["credits"] >= 3 * 2.5 and causes["loop"]["tool_calls"] == 3
            assert sum(line["credits"] for line in detail["causes"]) == pytest.approx(detail["credits"])

    skipping(main())


@pytest.mark.proves("P88")
def test_what_the_platform_spoils_is_not_charged(opened):
    """Outages cost nothing; the whole of a run that the platform itself made useless is given back."""

    async def main():
        clock = SkippingClock()
        outages = [Unavailable("down"), RateLimited("slow", retry_after=timedelta(hours=1)), call("search", query="x"), "done"]
        async with opened(outages, clock=clock, tools=[search]) as desk:
            run = await desk.create(NewRun(input="Do it", mode="deep"))
            end = await desk.result(run.id)
            detail = (await desk.credits(run.id, detail=True))["detail"]
            causes = {line["name"]: line for line in detail["causes"]}
            assert causes["platform fault"]["credits"] == 0 and causes["platform fault"]["llm_calls"] >= 1
            assert causes["useful"]["credits"] * 1000 == end.usage.credits.total
            before = replace(end, status="running", ended_at=None)
            fact = e.RunFailed(reason="poison", message="x")
            poisoned = e.Entry(seq=end.seq + 1, at=clock.now(), slice=9, commit=new_id("c"), events=(fact,))
            spoiled = after(before, poisoned)
            assert spoiled.usage.credits.total == 0 and spoiled.usage.waived == end.usage.credits.total > 0
            assert spoiled.usage.llm_calls == end.usage.llm_calls, "what was called was called"

    skipping(main())


@pytest.mark.proves("P82", "P87")
def test_an_estimate_is_made_of_this_homes_own_runs_once_there_are_some(opened):
    async def main():
        async with opened([call("search", query="x"), "done"], tools=[search]) as desk:
            first = await desk.estimate("Research the market for bicycles", "deep")
            assert (
                first.own_runs == 0 and 0 < first.credits_p50 < first.credits_p90 and first.llm_calls_p50 < first.llm_calls_p90
            )
            assert (await desk.estimate("What is a bicycle?")).credits_p90 < first.credits_p50
            planned = await desk.estimate("Research the market", "auto", 12)
            assert planned.mode == "deep" and planned.credits_p50 > first.credits_p50
            assert (await desk.estimate("Watch it for 5 days", "deep")).label == "high"
            ends = [
                await desk.result((await desk.create(NewRun(input="Research bicycles", mode="deep"))).id) for _ in range(12)
            ]
            learned = await desk.estimate("Research bicycles", "deep")
            assert learned.own_runs == 12
            assert learned.credits_p50 == ends[0].usage.credits.total / 1000 and learned.llm_calls_p50 == 2
            assert learned.credits_p90 <= first.credits_p90
            assert len((await desk.runs()).runs) == 12, "an estimate starts nothing"
            await desk.result((await desk.fork(ends[0].id, Fork())).id)
            assert await desk.estimate("Research bicycles", "deep") == learned, "a fork has paid for a part of the work only"

    skipping(main())


def test_a_forecast_follows_the_run_and_says_whether_the_budget_will_do(opened):
    def script(ask):
        if ask.task.startswith("step 3") and ask.attempt == 0:
            return RateLimited("later", retry_after=timedelta(days=1))
        return "ok"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock) as desk:
            steps = drafts([{"description": f"step {n}", "depends_on": [n - 1] if n > 1 else []} for n in range(1, 6)])
            run = await desk.create(NewRun(input="Do it", steps=steps, budget=Budget(credits=5_000)))
            await clock.sleep(timedelta(hours=1))
            early = await desk.forecast(run.id)
            assert early.steps_left == 3 and early.spent < early.credits_p50 <= early.credits_p90
            assert early.within_budget == "yes" and early.budget == 5_000 and 0 < early.budget_used < 0.01
            end = await desk.result(run.id)
            late = await desk.forecast(run.id)
            assert late.spent == late.credits_p50 == late.credits_p90 == end.usage.credits.total / 1000
            poor = replace(end, status="running", limits=replace(end.limits, credits=1_000))
            from auteryn.service.estimate import forecast

            assert (await forecast(desk._access, poor, end.usage)).within_budget == "no"

    skipping(main())


def test_a_quantile_is_the_value_below_which_that_much_weight_lies():
    samples = [(10.0, 1.0), (30.0, 1.0), (20.0, 2.0)]
    assert [quantile(samples, share) for share in (0.01, 0.25, 0.5, 0.75, 0.9, 1.0)] == [10, 10, 20, 20, 30, 30]


# ---- near the end of a budget ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "answer", "status", "roles"),
    [
        ("go_on", None, "completed", ["deep", "deep"]),
        ("fast", None, "completed", ["deep", "fast"]),
        ("stop", None, "failed", ["deep", "deep"]),
        ("ask", GO_ON, "completed", ["deep", "deep"]),
        ("ask", GO_ON_FAST, "completed", ["deep", "fast"]),
        ("ask", STOP, "failed", ["deep", "deep"]),
    ],
)
@pytest.mark.proves("L11")
def test_at_four_fifths_of_the_budget_the_owners_choice_is_done(opened, policy, answer, status, roles):
    asked = list[tuple[str, str]]()

    def script(ask):
        asked.append((ask.request.role, ask.request.tool_mode))
        return call("buy") if len(asked) == 1 else "all there is"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[buy]) as desk:
            new = NewRun(input="Buy it", mode="deep", budget=Budget(credits=200), at_budget=policy)
            run = await desk.create(new)
            await clock.sleep(timedelta(minutes=1))
            if answer:
                [ask] = await desk.asks(run.id)
                assert ask.kind == "budget" and "81 % of the budget" in ask.message and len(asked) == 1
                assert "to answer '81 %" in await desk.why_waiting(run.id)
                await desk.answer(ask.id, answer)
            end = await desk.result(run.id)
            journal = await desk._access.services.store.journal(run.id)
            reached = [event for entry in journal for event in entry.events if isinstance(event, e.BudgetReached)]
            assert [(one.limit, one.policy) for one in reached] == [(200_000, policy)]
            assert end.status == status and end.result == "all there is"
            assert [role for role, _ in asked] == roles
            rewritten = any(isinstance(event, e.Compacted) for entry in journal for event in entry.events)
            assert rewritten == (roles[-1] == "fast"), "signatures of one model are nothing to another, and only then"
            if status == "failed":
                assert end.failure.reason == "credit_limit" and "decided to stop" in end.failure.message
                assert asked[-1][1] == "none", "the last turn has no tools"

    skipping(main())


@pytest.mark.proves("L11")
@pytest.mark.parametrize(("answer", "second", "status"), [(GO_ON, "completed", "completed"), (STOP, "pending", "failed")])
def test_no_step_begins_while_the_question_about_the_budget_is_open(opened, answer, second, status):
    """The first step spends far more than its share; the second could begin, and does not before somebody has said so."""

    @tool(effect="read", cost=800_000)
    async def feast() -> str:
        """Buy a lot."""
        return "bought"

    def script(ask):
        if ask.task.startswith("step one"):
            return call("feast") if ask.turn == 0 else "bought"
        return "done"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[feast]) as desk:
            plan = drafts([{"description": "step one"}, {"description": "step two", "depends_on": [1], "join": "best_effort"}])
            run = await desk.create(NewRun(input="Buy", steps=plan, budget=Budget(credits=1_000), at_budget="ask"))
            await clock.sleep(timedelta(hours=5))
            waiting = await desk.get(run.id)
            assert [ask.kind for ask in waiting.asks] == ["budget"] and waiting.plan.step(2).status == "pending"
            await desk.answer(waiting.asks[0].id, answer)
            end = await desk.result(run.id)
            assert (end.plan.step(2).status, end.status) == (second, status)

    skipping(main())
