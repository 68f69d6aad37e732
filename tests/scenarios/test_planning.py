"""DEEP plans by itself, FAST answers; thoughts stand beside what came of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.run import Options
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, Say, call
from auteryn.testing.world import World
from auteryn.tools.builtin import builtin_tools
from auteryn.tools.calculate import calculate
from auteryn.tools.plan import plan_create

STEPS = [{"description": "look"}, {"description": "look elsewhere"}, {"description": "compare", "depends_on": [1, 2]}]


@pytest.mark.proves("P3", "P4")
def test_a_prompt_without_steps_gets_a_plan_that_is_stored_before_its_first_step(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if ask.task != "Compare the offers":
            return f"{ask.task}: done"
        return call("plan_create", goal="offers", steps=STEPS) if ask.turn == 0 else "compared"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[plan_create]) as world:
            run = await world.ended(await world.start("Compare the offers"))
            names = await world.outline(run.id)
            assert run.status == "completed" and run.plan is not None
            assert [step.status for step in run.plan.steps] == ["completed"] * 3
            assert names.index("PlanCreated") < names.index("StepsStarted")

    skipping(story())


@pytest.mark.proves("P29")
def test_deep_is_told_to_plan_and_can_fast_is_not_and_cannot(tmp_path: Path) -> None:
    seen: dict[str, ModelRequest] = {}

    def script(ask: Ask) -> Line:
        seen[ask.request.role] = ask.request
        return "done"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=builtin_tools()) as world:
            for mode in ("fast", "deep"):
                await world.ended(await world.start("Do it", mode=mode))

    skipping(story())
    declared = {role: {tool.name for tool in request.tools} for role, request in seen.items()}
    assert "plan_create" in seen["deep"].system and "plan_create" in declared["deep"]
    assert "plan_create" not in seen["fast"].system and "plan_create" not in declared["fast"]
    assert seen["fast"].thinking_tokens == 1_024 and seen["deep"].thinking_tokens == 16_384


@pytest.mark.proves("P44", "P27")
@pytest.mark.parametrize("wanted", [True, False])
def test_thoughts_stand_beside_decision_and_outcome_of_their_turn(tmp_path: Path, wanted: bool) -> None:
    script = [Say(calls=[call("calculate", expression="6*7")], thoughts="I should multiply."), "42"]

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[calculate]) as world:
            run = await world.start("What is 6*7?", options=Options(include_thoughts=wanted))
            await world.ended(run)
            turns = [fact for fact in await world.events(run) if isinstance(fact, e.ModelAnswered | e.CallAnswered)]
            assert isinstance(turns[0], e.ModelAnswered) and isinstance(turns[1], e.CallAnswered)
            assert turns[0].thoughts == ("I should multiply." if wanted else "")
            assert turns[1].tool == "calculate" and "42" in str(turns[1].output)
            if not wanted:
                assert all("multiply" not in str(fact) for fact in await world.events(run))

    skipping(story())
