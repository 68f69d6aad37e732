"""The use cases: results, steering, questions, second tries."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from auteryn.errors import Invalid, NotFound, RateLimited, WrongState
from auteryn.policy.gates import ALLOW_FOR_RUN, DENY
from auteryn.service.asks import Question
from auteryn.service.listing import Wanted
from auteryn.service.new import Budget, NewRun, drafts
from auteryn.testing.clock import SkippingClock, skipping
from auteryn.testing.scripted import ScriptedModel, call, safety
from auteryn.tools.mode import go_deep
from auteryn.tools.tool import tool

MONTH = timedelta(days=30)


@tool(effect="read", timeout=MONTH)
async def rest(ctx, hours: float) -> str:
    """Rest for some hours."""
    await ctx.clock.sleep(timedelta(hours=hours))
    return "rested"


@tool(effect="once", permission="ask1", target=lambda args: args["table"])
async def delete(table: str) -> str:
    """Delete a table."""
    return f"{table} is gone"


def resting(hours: float):
    return lambda ask: "rested" if ask.results else ask.call("rest", hours=hours)


# ---- results -------------------------------------------------------------------------------------------------


@pytest.mark.proves("P34", "P41")
def test_the_result_is_waited_for_and_is_the_same_every_time(opened):
    async def main():
        async with opened(resting(hours=1), tools=[rest]) as desk:
            run = await desk.create(NewRun(input="Rest", mode="deep"))
            with pytest.raises(TimeoutError, match="goes on"):
                await desk.result(run.id, timedelta(minutes=5))
            assert (await desk.get(run.id)).status == "running"
            ends = [await desk.result(run.id) for _ in range(2)]
            assert [end.result for end in ends] == ["rested", "rested"] and ends[0] == ends[1]

    skipping(main())


@pytest.mark.proves("P40")
def test_another_opening_of_the_home_and_thirty_days_later_the_run_is_still_there(opened):
    async def main():
        clock = SkippingClock()
        async with opened("42", clock=clock) as desk:
            run = await desk.create(NewRun(input="What is X?"))
            await desk.result(run.id)
        clock.jump(timedelta(days=30))
        async with opened("other", clock=clock) as desk:
            assert (await desk.result(run.id)).result == "42"
            assert await desk.status_line(run.id) == "Day 1 of 7"

    skipping(main())


@pytest.mark.proves("P40", "L15")
def test_what_is_not_yours_is_not_there(opened):
    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(input="What is X?"))
            await desk.result(run.id)
        async with opened("done", owner="bob") as bob:
            for look in (bob.get, bob.cancel, bob.progress, bob.logs, bob.metrics, bob.artifacts, bob.scratchpad):
                with pytest.raises(NotFound, match=run.id):
                    await look(run.id)
            with pytest.raises(NotFound, match="run_nobody"):
                await bob.get("run_nobody")
            assert (await bob.runs()).runs == ()

    skipping(main())


# ---- steering ------------------------------------------------------------------------------------------------


@pytest.mark.proves("P92", "L10", "P95")
def test_cancel_stops_the_whole_tree_and_repeating_it_changes_nothing(opened):
    async def main():
        model = ScriptedModel(resting(hours=10))
        async with opened(model, tools=[rest]) as desk:
            run = await desk.create(NewRun(steps=drafts([{"description": "a"}, {"description": "b"}])))
            await asyncio.sleep(60)
            calls = model.calls
            assert calls == len((await desk.children(run.id)).runs) == 2
            await desk.cancel(run.id, by="ann")
            end = await desk.result(run.id, timedelta(seconds=5))
            assert end.status == "cancelled"
            assert (await desk.cancel(run.id)).status == "cancelled"
            for child in (await desk.children(run.id)).runs:
                assert (await desk.result(child.id, timedelta(seconds=5))).status == "cancelled"
            await asyncio.sleep(100_000)
            assert model.calls == calls and (await desk.get(run.id)).seq == end.seq

    skipping(main())


@pytest.mark.proves("L10")
def test_what_has_ended_cannot_be_steered_any_more(opened):
    async def main():
        async with opened("done") as desk:
            run = await desk.create(NewRun(input="What is X?"))
            await desk.result(run.id)
            for act in (
                desk.cancel(run.id),
                desk.pause(run.id),
                desk.resume(run.id),
                desk.send(run.id, "hi"),
                desk.retry(run.id),
            ):
                with pytest.raises(WrongState, match="completed"):
                    await act

    skipping(main())


def test_a_paused_run_rests_until_it_is_resumed(opened):
    async def main():
        clock = SkippingClock()
        async with opened(resting(hours=1), tools=[rest], clock=clock) as desk:
            run = await desk.create(NewRun(input="Rest", mode="deep"))
            await clock.sleep(timedelta(minutes=10))
            await desk.pause(run.id)
            await clock.sleep(timedelta(hours=5))
            assert (await desk.get(run.id)).status == "paused"
            assert "paused" in await desk.why_waiting(run.id)
            await desk.resume(run.id)
            assert (await desk.result(run.id)).result == "rested"

    skipping(main())


def test_a_message_reaches_the_agent_once_however_often_it_is_sent(opened):
    heard = list[str]()

    def script(ask):
        heard.append(ask.last)
        return "rested" if len(ask.results.get("rest", [])) >= 2 else ask.call("rest", hours=1)

    async def main():
        clock = SkippingClock()
        async with opened(script, tools=[rest], clock=clock) as desk:
            run = await desk.create(NewRun(input="Rest", mode="deep"))
            await clock.sleep(timedelta(minutes=10))
            await desk.send(run.id, "Look at Bonn, too", message_id="m1")
            await desk.send(run.id, "Look at Bonn, too", message_id="m1")
            with pytest.raises(Invalid, match="say something"):
                await desk.send(run.id, " ")
            with pytest.raises(Invalid, match="steer"):
                await desk.send(run.id, "hi", mode="shout")  # pyright: ignore[reportArgumentType]
            await desk.result(run.id)
            told = [entry for entry in await desk.logs(run.id) if entry.kind == "told"]
            assert len(told) == 1 and "Bonn" in told[0].message

    skipping(main())
    assert sum("Bonn" in text for text in heard) == 1


# ---- second tries --------------------------------------------------------------------------------------------


@pytest.mark.proves("L10")
def test_a_failed_run_stays_failed_and_its_second_try_keeps_what_was_done(opened):
    asked = list[str]()

    def script(ask):
        asked.append(ask.task)
        if ask.task.startswith("two"):
            return safety() if asked.count(ask.task) < 2 else "second"
        return "first" if ask.task.startswith("one") else safety() if "missing" in ask.last else "all of it"

    async def main():
        async with opened(script) as desk:
            steps = drafts([{"description": "one"}, {"description": "two", "depends_on": [1]}])
            run = await desk.create(NewRun(input="Both", steps=steps, files={"in.txt": b"kept"}))
            failed = await desk.result(run.id)
            assert failed.status == "failed" and failed.plan and failed.plan.step(1).status == "completed"
            again = await desk.retry(run.id)
            assert again.id != run.id and (await desk.retry(run.id)).id == again.id
            end = await desk.result(again.id)
            assert (end.status, end.result) == ("completed", "all of it")
            assert [step.result for step in end.plan.steps] == ["first", "second"]
            assert desk._access.engine.files.of(again.id).read("in.txt") == b"kept"
            assert (await desk.get(run.id)) == failed
        assert sum(task.startswith("one") for task in asked) == 1

    skipping(main())


def test_a_failed_step_of_a_live_run_is_done_again_when_asked_for(opened):
    asked = list[str]()

    def script(ask):
        asked.append(ask.task)
        if ask.task.startswith("bad"):
            return safety() if asked.count(ask.task) < 2 else "good"
        return ask.call("rest", hours=1) if ask.task.startswith("slow") and not ask.results else "rested"

    async def main():
        clock = SkippingClock()
        async with opened(script, tools=[rest], clock=clock) as desk:
            run = await desk.create(NewRun(input="Both", steps=drafts([{"description": "bad"}, {"description": "slow"}])))
            await clock.sleep(timedelta(minutes=1))
            assert (await desk.get(run.id)).plan.step(1).status == "failed"
            with pytest.raises(WrongState, match="step 2"):
                await desk.retry(run.id, step=2)
            await desk.retry(run.id, step=1)
            end = await desk.result(run.id)
            assert [step.result for step in end.plan.steps] == ["good", "rested"]

    skipping(main())


def test_a_step_that_is_tried_again_with_another_description_is_a_new_attempt(opened):
    def script(ask):
        if ask.task.startswith("hopeless"):
            return safety()
        return ask.call("rest", hours=1) if ask.task.startswith("slow") and not ask.results else "done"

    async def main():
        clock = SkippingClock()
        async with opened(script, tools=[rest], clock=clock) as desk:
            steps = drafts([{"description": "hopeless"}, {"description": "slow"}])
            run = await desk.create(NewRun(input="Both", steps=steps))
            await clock.sleep(timedelta(minutes=1))
            await desk.pause(run.id)
            await desk.retry(run.id, step=1)
            await clock.sleep(timedelta(minutes=1))
            await desk.change_step(run.id, 1, "easy")
            await desk.resume(run.id)
            end = await desk.result(run.id)
            assert [(step.result, step.attempt) for step in end.plan.steps] == [("done", 2), ("done", 1)]

    skipping(main())


# ---- people --------------------------------------------------------------------------------------------------


@pytest.mark.proves("P60", "P61", "P65")
def test_a_question_waits_for_days_without_a_slice_and_ends_with_its_answer(opened):
    async def main():
        clock = SkippingClock()
        async with opened("never asked", clock=clock) as desk:
            options = ("Yes, proceed", "No, cancel", "Show me the records first")
            run = await desk.ask(Question(message="About to delete 1,000 records. Proceed?", options=options))
            await clock.sleep(timedelta(days=3))
            [ask] = await desk.asks()
            assert (ask.run, ask.options) == (run.id, options)
            assert (await desk.get(run.id)).slice == 0
            assert "asked 3d ago" in await desk.why_waiting(run.id)
            with pytest.raises(Invalid, match="'Yes, proceed', 'No, cancel'"):
                await desk.answer(ask.id, "yes")
            before = clock.now()
            await desk.answer(ask.id, "Show me the records first", by="ann")
            end = await desk.result(run.id)
            assert end.result == "Show me the records first" and clock.now() - before < timedelta(seconds=5)
            assert (await desk.answered(run.id)).by == "ann"
            assert await desk.asks() == [] and (await desk.metrics(run.id))["llm_calls"] == 0
            assert [one.id for one in await desk.asks(run.id, open_only=False)] == [ask.id]

    skipping(main())


def test_of_many_answers_exactly_one_wins_and_the_others_are_told_who(opened):
    async def main():
        async with opened() as desk:
            run = await desk.ask(Question(message="Which?", options=("A", "B")))
            [ask] = await desk.asks(run.id)
            said = await asyncio.gather(
                *(desk.answer(ask.id, "AB"[n % 2], by=f"person {n}") for n in range(20)), return_exceptions=True
            )
            won = [one for one in said if not isinstance(one, BaseException)]
            lost = [one for one in said if isinstance(one, WrongState)]
            assert len(won) == 1 and len(lost) == 19
            assert all(won[0].by in str(one) for one in lost)
            assert (await desk.result(run.id)).result == won[0].value
            with pytest.raises(WrongState, match=won[0].by):
                await desk.answer(ask.id, "A")
            with pytest.raises(NotFound, match="ask_nothing"):
                await desk.answer("ask_nothing", "A")

    skipping(main())


@pytest.mark.proves("L15")
def test_a_question_asked_twice_with_one_key_is_one_question(opened):
    async def main():
        async with opened() as desk:
            first = await desk.ask(Question(message="Which?", options=("A", "B")), key="k")
            assert (await desk.ask(Question(message="Which?", options=("A", "B")), key="k")).id == first.id
            with pytest.raises(WrongState, match="'k' belongs"):
                await desk.ask(Question(message="Which one?", options=("A", "B")), key="k")
            with pytest.raises(Invalid, match="options"):
                await desk.ask(Question(message="Which?"))
            assert [ask.run for ask in await desk.asks()] == [first.id]

    skipping(main())


def test_a_question_nobody_answers_ends_with_its_time(opened):
    async def main():
        async with opened() as desk:
            run = await desk.ask(Question(message="Anybody?", options=("Yes",), max_duration="2d"))
            end = await desk.result(run.id)
            assert (end.status, end.failure.reason) == ("failed", "timeout")
            with pytest.raises(WrongState, match="ask it anew"):
                await desk.retry(run.id)
            assert end.ended_at - end.created_at < timedelta(days=2, hours=1)

    skipping(main())


@pytest.mark.parametrize(("answer", "asked"), [(ALLOW_FOR_RUN, 1), (DENY, 2)])
def test_a_gate_that_is_opened_for_the_run_does_not_ask_again_and_a_refusal_does(opened, answer: str, asked: int):
    async def main():
        def script(ask):
            return "done" if len(ask.results.get("delete", [])) >= 2 else ask.call("delete", table="t")

        async with opened(script, tools=[delete]) as desk:
            run = await desk.create(NewRun(input="Delete it twice", mode="deep"))
            answered = 0
            while not (await desk.get(run.id)).terminal:
                for ask in await desk.asks(run.id):
                    await desk.answer(ask.id, answer)
                    answered += 1
                await asyncio.sleep(1)
            assert answered == asked
            answers = [line for line in await desk.logs(run.id) if line.kind == "ask_answered"]
            assert len(answers) == asked

    skipping(main())


def test_the_questions_of_a_cancelled_run_are_not_open_any_more(opened):
    async def main():
        async with opened(lambda ask: ask.call("delete", table="t"), tools=[delete]) as desk:
            run = await desk.create(NewRun(input="Delete it", mode="deep"))
            await asyncio.sleep(60)
            asks = await desk.asks()
            await desk.cancel(run.id)
            await desk.result(run.id)
            assert await desk.asks() == []
            with pytest.raises(WrongState, match="cancelled"):
                await desk.answer(asks[0].id, DENY)

    skipping(main())


# ---- the rest ------------------------------------------------------------------------------------------------


def test_lists_are_paged_newest_first_and_filtered(opened):
    async def main():
        async with opened("done") as desk:
            made = [(await desk.create(NewRun(input=f"What is {n}?"))).id for n in range(5)]
            for run in made:
                await desk.result(run)
            first = await desk.runs(limit=3)
            rest_of = await desk.runs(limit=3, cursor=first.next)
            assert [run.id for run in (*first.runs, *rest_of.runs)] == made[::-1] and rest_of.next is None
            assert (await desk.runs(Wanted(status=("failed",)))).runs == ()
            with pytest.raises(Invalid, match="limit"):
                await desk.runs(limit=0)

    skipping(main())


def test_a_rate_limit_says_until_when_it_waits(opened):
    async def main():
        clock = SkippingClock()
        async with opened([RateLimited("quota", retry_after=timedelta(hours=1)), "ok"], clock=clock) as desk:
            run = await desk.create(NewRun(input="What is X?"))
            await clock.sleep(timedelta(minutes=1))
            assert await desk.why_waiting(run.id) == (
                "It waits until 2026-01-05 10:00 UTC, when the model is asked again (quota)."
            )

    skipping(main())


def test_tools_are_listed_with_what_they_may_do(opened):
    async def main():
        async with opened(tools=[rest, delete]) as desk:
            assert {(one["name"], one["effect"], one["permission"]) for one in await desk.tools()} == {
                ("rest", "read", "auto"),
                ("delete", "once", "ask1"),
            }

    skipping(main())


@pytest.mark.proves("P12", "P18", "L11")
@pytest.mark.parametrize(("allowed", "most"), [(4, 4), (2_000, 2_000), (None, 5_000)])
def test_the_calls_the_owner_allowed_are_not_more_when_a_fast_run_goes_deep(opened, allowed: int | None, most: int):
    script = [call("go_deep", reason="it is big"), "deep, and done"]

    async def main():
        async with opened(ScriptedModel(lambda ask: script[ask.request.role == "deep"]), tools=[go_deep]) as desk:
            run = await desk.create(NewRun(input="Hello", budget=Budget(llm_calls=allowed)))
            assert (run.mode, run.limits.llm_calls) == ("fast", min(500, most))
            ended = await desk.result(run.id)
            assert (ended.mode, ended.limits.llm_calls, ended.result) == ("deep", most, "deep, and done")

    skipping(main())
