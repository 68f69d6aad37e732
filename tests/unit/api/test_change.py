"""What can be changed of a run under way: its name, what it has not heard, steps to come. And runs that only try."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from auteryn.errors import RateLimited
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.tools.human import ask_approval
from auteryn.tools.tool import tool


def approval(ask: Ask) -> Line:
    return call("ask_approval", message="Go?", options=["Yes", "No"]) if ask.turn == 0 else f"said: {ask.request.contents[-1]}"


async def under_way(office: Any, http: Any) -> str:
    run = (await http.post("/v1/runs", json={"input": "Work", "mode": "deep"})).json()["id"]
    await office.world.asked(run)
    return run


def test_a_run_under_way_gets_another_title_and_an_ended_one_keeps_its_own(opened):
    async def main():
        async with opened(approval, tools=[ask_approval]) as office, await office.client() as http:
            run = await under_way(office, http)
            assert (await http.patch(f"/v1/runs/{run}", json={"title": "  Ten \n competitors "})).status_code == 200
            await office.world.until(run, lambda found: found.title == "Ten competitors")
            assert (await http.get("/v1/runs")).json()["runs"][0]["title"] == "Ten competitors"
            for title in ("", " ", "x" * 201):
                refused = await http.patch(f"/v1/runs/{run}", json={"title": title})
                assert (refused.status_code, refused.json()["field"]) == (422, "title")
            assert (await office.world.asked(run)).status == "waiting"
            await http.post(f"/v1/runs/{run}/cancel")
            await office.world.ended(run)
            assert (await http.patch(f"/v1/runs/{run}", json={"title": "Late"})).status_code == 409

    skipping(main())


@pytest.mark.proves("L5")
def test_what_was_said_and_not_heard_can_be_changed_and_taken_back(opened):
    async def main():
        async with opened(approval, tools=[ask_approval]) as office, await office.client() as http:
            run = await under_way(office, http)
            where = f"/v1/runs/{run}/messages"
            for text in ("first", "second", "third"):
                assert (await http.post(where, json={"text": text, "mode": "queue"})).status_code == 200
            said = await waiting(http, where, 3)
            assert [(one["text"], one["mode"]) for one in said] == [(text, "queue") for text in ("first", "second", "third")]
            assert (await http.patch(f"{where}/{said[0]['id']}", json={"text": "first, in euros"})).status_code == 200
            assert (await http.delete(f"{where}/{said[1]['id']}")).status_code == 200
            assert [one["text"] for one in await waiting(http, where, 2)] == ["first, in euros", "third"]
            refused = await http.patch(f"{where}/{said[0]['id']}", json={"text": " "})
            assert (refused.status_code, refused.json()["field"]) == (422, "text")
            assert (await http.delete(f"{where}/m_unknown")).status_code == 409
            await office.world.until(run, lambda found: len(found.queued) == 2)
            await office.world.answer(run, "Yes")
            await office.world.ended(run)
            told = [event.text for event in await office.world.events(run) if type(event).__name__ == "Told"]
            assert [text.removeprefix("Message from the owner: ") for text in told] == ["first, in euros", "third"]
            assert (await http.delete(f"{where}/{said[0]['id']}")).status_code == 409

    skipping(main())


async def waiting(http: Any, where: str, count: int) -> list[dict[str, Any]]:
    found = (await http.get(where)).json()["messages"]
    assert len(found) == count, found
    return found


@pytest.mark.proves("L5")
def test_what_lies_in_the_inbox_is_heard_as_it_was_changed_or_never(opened):
    async def main():
        go = asyncio.Event()

        @tool(effect="read", timeout=timedelta(days=1))
        async def linger(ctx) -> str:
            """Until somebody says so."""
            await go.wait()
            return "here"

        async with opened([call("linger"), "done"], tools=[linger]) as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"input": "Work", "mode": "deep"})).json()["id"]
            await office.world.until(run, lambda found: found.turns == 1)
            where = f"/v1/runs/{run}/messages"
            for text in ("keep", "drop"):
                await http.post(where, json={"text": text})
            keep, drop = await waiting(http, where, 2)
            assert (keep["mode"], keep["by"]) == ("steer", "ann") and keep["sent_at"]
            await http.patch(f"{where}/{keep['id']}", json={"text": "kept"})
            await http.delete(f"{where}/{drop['id']}")
            assert [one["text"] for one in await waiting(http, where, 1)] == ["kept"]
            go.set()
            await office.world.ended(run)
            told = [event.text for event in await office.world.events(run) if type(event).__name__ == "Told"]
            assert told == ["Message from the owner: kept"]

    skipping(main())


@tool(effect="read", timeout=timedelta(days=1))
async def rest(ctx) -> str:
    """Rest for an hour."""
    await ctx.clock.sleep(timedelta(hours=1))
    return "rested"


def steps(ask: Ask) -> Line:
    return call("rest") if ask.turn == 0 and "look" in ask.task else f"did: {ask.task}"


@pytest.mark.proves("P6")
def test_a_step_that_has_not_begun_is_changed_or_left_out_and_the_plan_goes_on(opened):
    async def main():
        async with opened(steps, tools=[rest]) as office, await office.client() as http:
            plan = [
                {"description": "look around"},
                {"description": "buy it", "depends_on": [1]},
                {"description": "write it down", "depends_on": [2]},
            ]
            run = (await http.post("/v1/runs", json={"steps": plan})).json()["id"]
            await office.world.until(run, lambda found: found.plan.steps[0].status == "in_progress")
            began = await http.patch(f"/v1/runs/{run}/steps/1", json={"description": "too late"})
            assert (began.status_code, began.json()["rule"]) == (
                422,
                "is in_progress: only steps that have not started can change",
            )
            assert (await http.delete(f"/v1/runs/{run}/steps/2")).status_code == 200
            assert (await http.patch(f"/v1/runs/{run}/steps/3", json={"description": "write a poem"})).status_code == 200
            for unknown in ("4", "0", "x", "9" * 30):
                assert (await http.delete(f"/v1/runs/{run}/steps/{unknown}")).status_code == 404
            done = (await office.world.ended(run)).plan
            assert [(step.status, step.depends_on) for step in done.steps] == [
                ("completed", ()),
                ("skipped", (1,)),
                ("completed", (1,)),
            ]
            assert "write a poem" in done.steps[2].result
            assert done.revision == 3
            changed = (await http.get(f"/v1/runs/{run}/revisions")).json()["revisions"]
            assert [(one["revision"], one["note"], [step["id"] for step in one["diff"]]) for one in changed] == [
                (2, "by ann", [2, 3]),
                (3, "by ann", [3]),
            ]
            words = [(one["old"]["description"], one["new"]["description"]) for one in changed[1]["diff"]]
            assert words == [("write it down", "write a poem")]
            assert (await http.get("/v1/runs/run_nobody/revisions")).status_code == 404

    skipping(main())


@pytest.mark.proves("L6")
def test_a_dry_run_makes_no_call_that_changes_something_outside_and_says_what_it_would_have_done(opened):
    ordered = list[str]()

    @tool(effect="once")
    async def order(what: str) -> str:
        """Order something."""
        ordered.append(what)
        return "ordered"

    @tool(effect="read")
    async def price(what: str) -> int:
        """What something costs."""
        return 7

    def script(ask: Ask) -> Line:
        return [call("order", what="a boat"), call("price", what="a boat")] if ask.turn == 0 else str(ask.results)

    async def main():
        async with opened(script, tools=[order, price]) as office, await office.client() as http:
            for effects, bought in (("dry", []), ("free", ["a boat"])):
                run = (await http.post("/v1/runs", json={"input": "Buy", "mode": "deep", "effects": effects})).json()["id"]
                result = (await office.world.ended(run)).result
                assert ordered == bought
                assert ("'would': {'tool': 'order', 'args': {'what': 'a boat'}}" in result) == (effects == "dry"), result
                assert "7" in result

    skipping(main())


def test_who_thinks_with_how_much_in_mind_and_how_long_the_provider_made_it_wait(opened):
    async def main():
        script = [RateLimited("quota", retry_after=timedelta(hours=1)), "done"]
        async with opened(script) as office, await office.client() as http:
            run = (await http.post("/v1/runs", json={"input": "Work", "mode": "deep"})).json()["id"]
            await office.world.until(run, lambda found: found.status == "waiting")
            early = (await http.get(f"/v1/runs/{run}/context")).json()
            assert (early["model"], early["turn"], early["prompt_tokens"]) == ("", 0, 0)
            await office.world.ended(run)
            found = (await http.get(f"/v1/runs/{run}/context")).json()
            assert (found["model"], found["turn"], found["window"]) == ("scripted", 1, 1_048_576)
            assert found["prompt_tokens"] > 0 and found["code"] and found["trace"] == found["trace_url"] == ""
            detail = (await http.get(f"/v1/runs/{run}/credits?detail=true")).json()["detail"]
            assert (detail["rate_limit_waits"], detail["rate_limit_seconds"]) == (1, pytest.approx(3600, abs=60))

    skipping(main())
