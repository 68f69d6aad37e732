"""Plans from inside a run: checked, committed with the wait, changed only where nothing has started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auteryn.plan.graph import waves
from auteryn.plan.scheduler import ready
from auteryn.schema.event import PlanCreated, PlanRevised, StepEnd, StepsEnded, StepsStarted, StepStart
from auteryn.schema.run import ForSteps, Parent, Share
from auteryn.tools.plan import plan_create, plan_update
from auteryn.tools.tool import Pause, Result
from unit.tools.room import Room

FIVE: list[dict[str, Any]] = [
    {"description": "Find competitors"},
    {"description": "Analyse pricing", "depends_on": [1]},
    {"description": "Compare features", "depends_on": [2]},
    {"description": "Write report", "depends_on": [3]},
    {"description": "Make charts", "depends_on": [3, 4]},
]


def planned(room: Room, steps: list[dict[str, Any]] = FIVE) -> None:
    room.commit(room.call(plan_create, goal="Know the market", steps=steps))


def ended(room: Room, *steps: int) -> None:
    """These steps have run and completed."""
    starts = tuple(StepStart(step=s, run=f"run_s{s}", attempt=1, share=Share(llm_calls=1)) for s in steps)
    ends = tuple(StepEnd(step=s, run=f"run_s{s}", attempt=1, status="completed", result="done") for s in steps)
    room.commit(Result(output=None, events=(StepsStarted(steps=starts), StepsEnded(steps=ends))))


@pytest.mark.tool("plan_create", "happy")
@pytest.mark.proves("P49", "P52")
def test_a_plan_is_committed_with_the_wait_for_it(room: Room) -> None:
    outcome = room.call(plan_create, "call_x", goal="Know the market", steps=FIVE)
    assert isinstance(outcome, Pause) and outcome.wait == ForSteps(call="call_x")
    (fact,) = outcome.events
    assert isinstance(fact, PlanCreated) and fact.call == "call_x" and fact.plan.id.startswith("plan_")
    assert [step.id for step in fact.plan.steps] == [1, 2, 3, 4, 5] and fact.plan.goal == "Know the market"


@pytest.mark.proves("P53")
def test_the_order_follows_the_dependencies(room: Room) -> None:
    planned(room)
    assert room.run.plan
    assert waves(room.run.plan) == ((1,), (2,), (3,), (4,), (5,))
    assert [step.id for step in ready(room.run.plan)] == [1]


@pytest.mark.proves("P52")
def test_steps_may_bring_their_own_ids_in_any_order(room: Room) -> None:
    planned(room, [{"id": 2, "description": "b", "depends_on": [1]}, {"id": 1, "description": "a"}])
    assert room.run.plan and [step.description for step in room.run.plan.steps] == ["a", "b"]


@pytest.mark.tool("plan_create", "failure")
@pytest.mark.proves("P54", "L15")
@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([{"description": "a", "depends_on": [2]}, {"description": "b", "depends_on": [1]}], "1 → 2 → 1"),
        ([{"description": "a", "depends_on": [7]}], "7 is no step of this plan"),
        ([{"description": "a", "depends_on": [1]}], "is the step itself"),
        ([{"id": 1, "description": "a"}, {"id": 1, "description": "b"}], "used by two steps"),
        ([{"id": 1, "description": "a"}, {"description": "b"}], "steps[1].id"),
        ([{"description": " "}], "must say what to do"),
        ([{"description": "a", "join": 3}], "join: 3"),
        ([{"description": "a", "after": 1}], "after"),
        ([], "steps"),
    ],
)
def test_a_bad_plan_is_refused_naming_what_is_wrong(room: Room, steps: list[dict[str, Any]], told: str) -> None:
    failed = room.refusal(plan_create, goal="g", steps=steps)
    assert failed.kind == "invalid" and told in str(failed)


@pytest.mark.proves("L6")
def test_a_repeated_call_is_the_same_plan(room: Room) -> None:
    first, second = (room.call(plan_create, "call_x", goal="g", steps=FIVE) for _ in range(2))
    assert first == second
    room.commit(first)
    assert room.call(plan_create, "call_x", goal="g", steps=FIVE) == Pause(wait=ForSteps(call="call_x"))


def test_a_second_plan_waits_until_the_first_is_over(room: Room) -> None:
    planned(room, FIVE[:1])
    assert room.refusal(plan_create, goal="g", steps=FIVE).kind == "conflict"
    ended(room, 1)
    assert isinstance(room.call(plan_create, goal="g", steps=FIVE), Pause)


def test_a_step_makes_no_plan(room: Room, as_run: Callable[..., None]) -> None:
    as_run(parent=Parent(run="run_0", root="run_0", kind="step", key=1))
    for failed in (room.refusal(plan_create, goal="g", steps=FIVE), room.refusal(plan_update)):
        assert failed.kind == "denied" and "do the work here" in str(failed)


@pytest.mark.tool("plan_update", "happy")
def test_later_steps_change_and_the_diff_says_how(room: Room) -> None:
    planned(room)
    ended(room, 1)
    outcome = room.call(
        plan_update,
        "call_y",
        updates=[{"id": 2, "description": "Analyse pricing of ten"}],
        add=[{"description": "Send it", "depends_on": [4]}],
        drop=[5],
        note="no charts wanted",
    )
    assert isinstance(outcome, Pause) and outcome.wait == ForSteps(call="call_y")
    (fact,) = outcome.events
    assert isinstance(fact, PlanRevised) and fact.note == "no charts wanted" and fact.plan.revision == 2
    assert [change.id for change in fact.diff] == [2, 5, 6]
    room.commit(outcome)
    assert room.run.plan and room.run.plan.step(2).depends_on == (1,) and room.run.plan.step(5).status == "skipped"


def test_without_changes_the_plan_goes_on(room: Room) -> None:
    planned(room, FIVE[:2])
    ended(room, 1)
    assert room.call(plan_update, "call_y", note="fine") == Pause(wait=ForSteps(call="call_y"))


def test_an_update_that_leaves_nothing_to_do_is_answered_at_once(room: Room) -> None:
    planned(room, FIVE[:2])
    ended(room, 1)
    outcome = room.call(plan_update, drop=[2])
    assert isinstance(outcome, Result) and outcome.output["steps"] == {"1": "completed", "2": "skipped"}
    room.commit(outcome)
    assert isinstance(room.call(plan_update), Result)


@pytest.mark.tool("plan_update", "failure")
@pytest.mark.proves("P54")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"updates": [{"id": 1, "description": "x"}]}, "only steps that have not started"),
        ({"updates": [{"id": 9, "description": "x"}]}, "9 is no step"),
        ({"updates": [{"id": 2, "depends_on": [5]}]}, "is a cycle"),
        ({"drop": [1]}, "only steps that have not started"),
        ({"add": [{"description": "x", "depends_on": [9]}]}, "9 is no step"),
    ],
)
def test_a_bad_update_changes_nothing(room: Room, change: dict[str, Any], told: str) -> None:
    planned(room)
    ended(room, 1)
    failed = room.refusal(plan_update, **change)
    assert failed.kind == ("conflict" if "started" in told else "invalid") and told in str(failed)


def test_there_is_nothing_to_update_without_a_plan(room: Room) -> None:
    assert room.refusal(plan_update).kind == "not_found"
