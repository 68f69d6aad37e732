"""Why it waits, in one sentence; and how its machinery stands."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from auteryn.policy.limits import LEASE
from auteryn.schema.run import Channel
from auteryn.service.new import NewRun, drafts
from auteryn.testing.clock import START, SkippingClock, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import call
from auteryn.tools.human import ask_approval
from auteryn.tools.time import wait

HOUR = timedelta(hours=1)
QUESTION = call("ask_approval", message="Go?", options=["Yes", "No"], timeout="2d")


def test_a_question_says_whose_turn_it_is_since_when_the_next_reminder_and_what_silence_means(opened):
    async def main():
        clock = SkippingClock()
        async with opened([QUESTION, "done"], clock=clock, tools=[ask_approval]) as desk:
            told = (Channel(kind="webhook", to="nowhere"),)
            run = await desk.create(NewRun(input="Ask", mode="deep", notify=told))
            await clock.sleep(HOUR)
            [ask] = await desk.asks(run.id)
            assert await desk.why_waiting(run.id) == (
                f"It waits for a person to answer 'Go?' ({ask.id}), asked 1h ago, reminded again at 2026-01-06 09:00 UTC; "
                "without an answer by 2026-01-07 09:00 UTC, it counts as refused."
            )
            assert (await desk.standing(run.id)).why == (await desk.health(run.id)).why == await desk.why_waiting(run.id)

    skipping(main())


def test_a_run_that_waits_for_steps_says_what_the_steps_wait_for(opened):
    def script(ask):
        if ask.task.startswith("ask"):
            return QUESTION if ask.turn == 0 else "asked"
        return "ok"

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[ask_approval]) as desk:
            run = await desk.create(NewRun(input="Do it", steps=drafts([{"description": "do"}, {"description": "ask"}])))
            await clock.sleep(HOUR)
            why = await desk.why_waiting(run.id)
            assert why.startswith("It waits for step 2. Step 2 waits for a person to answer 'Go?' (ask_")
            assert why.count(".") == 2

    skipping(main())


def test_who_waits_for_its_own_steps_is_told_from_who_waits_for_a_person_or_a_clock(opened):
    def script(ask):
        if ask.turn:
            return "ok"
        return {"ask": QUESTION, "sleep": call("wait", until="5h")}.get(given(ask), "ok")

    async def main():
        clock = SkippingClock()
        async with opened(script, clock=clock, tools=[ask_approval, wait]) as desk:
            steps = await desk.create(NewRun(input="Do it", steps=drafts([{"description": "sleep"}, {"description": "ask"}])))
            others = [await desk.create(NewRun(input=task, mode="deep")) for task in ("ask", "sleep", "do")]
            await clock.sleep(HOUR)
            standing = [await desk.standing(run.id) for run in (steps, *others)]
            assert [one.waits_on for one in standing] == ["steps", "person", "time", ""]

    skipping(main())


@pytest.mark.proves("L4")
def test_a_slice_that_died_is_seen_and_the_sweepers_help_is_counted(opened):
    async def main():
        clock = SkippingClock()
        async with opened([call("wait", until="1h"), "done"], clock=clock, tools=[wait]) as desk:
            store, queue = desk._access.services.store, desk._access.services.queue
            run = await desk.create(NewRun(input="Rest", mode="deep"))
            await clock.sleep(timedelta(minutes=1))
            resting = await desk.health(run.id)
            assert (resting.leased, resting.due, resting.next_wake, resting.swept) == (False, "later", START + HOUR, 0)
            assert resting.last_commit_at == START and resting.inbox == () and resting.slice == 1
            lease = await store.take_lease(run.id, holder="dead", now=clock.now(), until=clock.now() + LEASE)
            assert lease and (await desk.health(run.id)).holder == "dead" and (await desk.health(run.id)).leased
            await desk.send(run.id, "Hello")
            [line] = (await desk.health(run.id)).inbox
            assert line.kind == "user_message"
            await store.give_back(lease)
            await queue.enqueue(run.id, clock.now())
            await desk.result(run.id)
            await clock.sleep(timedelta(minutes=2))
            ended = await desk.health(run.id)
            assert (ended.due, ended.next_wake, ended.leased, ended.inbox) == ("nothing", None, False, ())

    skipping(main())


@pytest.mark.proves("L4")
def test_a_lost_wake_is_found_by_the_sweeper_and_that_is_said(opened):
    async def main():
        clock = SkippingClock()
        async with opened([call("wait", until="1h"), "done"], clock=clock, tools=[wait]) as desk:
            queue = desk._access.services.queue
            real = queue.enqueue

            async def lost(run: str, at) -> None:
                return None

            queue.enqueue = lost
            run = await desk.create(NewRun(input="Rest", mode="deep"))
            await asyncio.sleep(120)
            queue.enqueue = real
            found = await desk.health(run.id)
            assert found.swept >= 1 and found.swept_at and found.slice == 1
            assert (await desk.result(run.id)).status == "completed"

    skipping(main())
