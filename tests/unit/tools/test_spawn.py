"""Helpers work side by side within the run's budget, report once, and end with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auteryn.schema import event as e
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World
from auteryn.tools.spawn import agent_spawn
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

TASKS = ["Look at Acme", "Look at Bolt", "Look at Cord"]


def script(ask: Ask) -> Line:
    if ask.task.startswith("Look at"):
        assert "agent_spawn" not in [one.name for one in ask.request.tools]
        return f"{ask.task[8:12]} costs 9."
    if ask.turn == 0:
        return call("agent_spawn", tasks=TASKS, goal="Compare prices")
    (report,) = ask.results["agent_spawn"]
    return "; ".join(step["result"] for step in report["output"]["steps"])


@pytest.mark.tool("agent_spawn", "happy")
@pytest.mark.proves("P50", "L11")
def test_helpers_report_and_each_has_a_share_of_the_budget(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[agent_spawn]) as world:
            run = await world.start("Compare three vendors")
            ended = await world.ended(run)
            assert ended.result == "Acme costs 9.; Bolt costs 9.; Cord costs 9."
            facts = await world.events(run)
            (started,) = [fact for fact in facts if isinstance(fact, e.StepsStarted)]
            assert len(started.steps) == 3 and sum(one.share.llm_calls for one in started.steps) < ended.limits.llm_calls
            told = [fact for fact in facts if isinstance(fact, e.Told) and fact.why == "report"]
            assert not told and ended.usage.llm_calls == 5

    skipping(story())


def test_two_calls_in_one_turn_lose_no_task(tmp_path: Path) -> None:
    def twice(ask: Ask) -> Line:
        if ask.task.startswith("Look at"):
            return "seen"
        if ask.turn == 0:
            return Say(calls=[call("agent_spawn", tasks=TASKS[:1]), call("agent_spawn", tasks=TASKS[1:])])
        if ask.turn == 1:
            report, refused = ask.results["agent_spawn"]
            assert [step["description"] for step in report["output"]["steps"]] == TASKS[:1]
            assert "under way" in refused["error"]
            return call("agent_spawn", tasks=TASKS[1:])
        return "all seen"

    async def story() -> None:
        async with World(tmp_path, model=twice, tools=[agent_spawn]) as world:
            run = await world.ended(await world.start("Compare three vendors"))
            assert run.result == "all seen"
            plans = [fact.plan for fact in await world.events(run.id) if isinstance(fact, e.PlanCreated)]
            assert [step.description for plan in plans for step in plan.steps] == TASKS

    skipping(story())


@pytest.mark.proves("L10")
def test_a_cancelled_run_takes_its_helpers_with_it(tmp_path: Path) -> None:
    def endless(ask: Ask) -> Line:
        return call("wait", until="6h", reason="later") if ask.task.startswith("Look at") else script(ask)

    async def story() -> None:
        async with World(tmp_path, model=endless, builtin=True) as world:
            run = await world.start("Compare three vendors")
            await world.until(run, lambda found: found.plan is not None and all(step.run for step in found.plan.steps))
            plan = (await world.run(run)).plan
            assert plan is not None
            await world.cancel(run)
            assert (await world.ended(run)).status == "cancelled"
            for step in plan.steps:
                assert (await world.ended(step.run or "")).status == "cancelled"

    skipping(story())


@pytest.mark.tool("agent_spawn", "failure")
def test_a_helper_gets_no_helpers_and_a_plan_under_way_is_not_replaced(room: Room) -> None:
    from msgspec.structs import replace

    from auteryn.schema.run import Parent

    paused = room.call(agent_spawn, **as_a_judge_calls(agent_spawn, tasks=TASKS))
    room.commit(paused)
    assert room.refusal(agent_spawn, tasks=TASKS).kind == "conflict"
    room.run = replace(room.run, plan=None, parent=Parent(run="run_0", root="run_0", kind="step", key=1))
    assert room.refusal(agent_spawn, tasks=TASKS).kind == "denied" and room.refusal(agent_spawn, tasks=[]).kind == "invalid"
