"""What may start, in every plan there can be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auteryn.errors import Invalid
from auteryn.plan.graph import checked, left_out, revised, reworded, waves
from auteryn.plan.scheduler import ENDED, blocked, over, ready, skip_blocked
from auteryn.schema.plan import Plan, Step, StepDraft, StepStatus


@st.composite
def plans(draw: st.DrawFn, reviews: bool = False) -> Plan:
    """Any valid plan of up to 12 steps: edges point backwards, then the ids are shuffled."""
    count = draw(st.integers(1, 12))
    names = draw(st.permutations(range(1, count + 1)))
    drafts = list[StepDraft]()
    for at in range(count):
        edges = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=4)) if at else []
        joins = st.sampled_from(["all", "any", "best_effort"]) | st.integers(1, max(1, len(edges)))
        draft = StepDraft(id=names[at], description=f"s{names[at]}", depends_on=tuple(edges), join=draw(joins))
        drafts.append(replace(draft, review=draw(st.booleans())) if reviews else draft)
    return checked("plan_x", drafts)


def having(plan: Plan, step_id: int, status: StepStatus) -> Plan:
    return replace(plan, steps=tuple(replace(s, status=status) if s.id == step_id else s for s in plan.steps))


def satisfied(step: Step, plan: Plan) -> bool:
    """The join, said in another way than the scheduler says it."""
    done = [plan.step(d).status for d in step.depends_on]
    completed, ended = done.count("completed"), all(status in ENDED for status in done)
    match step.join:
        case "all":
            return completed == len(done)
        case "any":
            return completed >= 1 or not done
        case "best_effort":
            return ended
        case count:
            return completed >= count or (not done and count <= 1)


@given(plans(reviews=True), st.data())
def test_a_step_put_in_other_words_is_the_same_step_and_the_others_are_as_they_were(plan: Plan, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(plan.steps))
    plan = replace(plan, steps=tuple(replace(step, attempt=2) for step in plan.steps))
    new, (change,) = reworded(plan, one.id, "in other words")
    assert new.steps == tuple(replace(step, description="in other words") if step.id == one.id else step for step in plan.steps)
    assert (change.id, new.revision) == (one.id, plan.revision + 1)


@given(plans(), st.data())
def test_a_plan_goes_on_without_a_step_that_is_left_out_and_in_the_same_order(plan: Plan, data: st.DataObject) -> None:
    done = data.draw(st.integers(0, len(plan.steps) - 1))
    for _ in range(done):
        plan = having(plan, ready(plan)[0].id, "completed")
    gone = data.draw(st.sampled_from([step.id for step in plan.steps if step.status == "pending"]))
    before = {step.id: ancestors(plan, step.id) - {gone} for step in plan.steps if step.id != gone}
    plan, diff = left_out(plan, gone)
    assert gone in {change.id for change in diff}
    assert all(ancestors(plan, step) - {gone} == known for step, known in before.items())
    assert {step.status for step in plan.steps if step.id == gone} == {"skipped"}
    while may := ready(plan):
        plan = having(plan, may[0].id, "completed")
    assert {step.status for step in plan.steps if step.id != gone} <= {"completed"}
    assert not blocked(plan)


def ancestors(plan: Plan, step_id: int) -> set[int]:
    direct = set(plan.step(step_id).depends_on)
    return direct.union(*(ancestors(plan, one) for one in direct)) if direct else direct


@pytest.mark.proves("P50", "P51", "P53", "F19")
@given(plans(), st.data())
def test_every_plan_finishes_and_no_step_starts_before_its_join(plan: Plan, data: st.DataObject) -> None:
    started = set[int]()
    for _ in range(5 * len(plan.steps) + 5):
        plan = skip_blocked(plan)
        for step in ready(plan):
            assert step.id not in started and satisfied(step, plan)
            started.add(step.id)
            plan = having(plan, step.id, "in_progress")
        running = [step.id for step in plan.steps if step.status == "in_progress"]
        if not running:
            break
        ends: StepStatus = data.draw(st.sampled_from(["completed", "failed", "cancelled"]))
        plan = having(plan, data.draw(st.sampled_from(running)), ends)
    assert over(plan)


@pytest.mark.proves("P50")
@given(plans())
def test_waves_hold_every_step_once_and_after_what_it_depends_on(plan: Plan) -> None:
    level = {step: number for number, wave in enumerate(waves(plan)) for step in wave}
    assert sorted(level) == [step.id for step in plan.steps]
    assert all(level[other] < level[step.id] for step in plan.steps for other in step.depends_on)


@pytest.mark.proves("P5")
@given(plans(), st.data())
def test_what_is_skipped_says_because_of_what_and_nothing_else_changes(plan: Plan, data: st.DataObject) -> None:
    for step_id in data.draw(st.lists(st.sampled_from([s.id for s in plan.steps]), unique=True)):
        plan = having(plan, step_id, "failed")
    stuck, after = {step.id for step in blocked(plan)}, skip_blocked(plan)
    for old, new in zip(plan.steps, after.steps, strict=True):
        if old.id in stuck:
            because = {int(step) for step in re.findall(r"\d+", new.error or "")}
            assert new.status == "skipped"
            assert because == {one for one in old.depends_on if after.step(one).status in ENDED - {"completed"}} != set()
        else:
            assert new == old
    assert blocked(after) == ()


@pytest.mark.proves("P54")
@given(st.integers(2, 8), st.data())
def test_every_cycle_is_refused_by_naming_it(count: int, data: st.DataObject) -> None:
    drafts = [StepDraft(id=n, description="s", depends_on=((n % count) + 1,)) for n in range(1, count + 1)]
    with pytest.raises(Invalid, match="cycle"):
        checked("plan_x", drafts)


@pytest.mark.proves("P54", "L15")
@pytest.mark.parametrize(
    ("added", "refused"), [([None, None], False), ([3, 4], False), ([4], True), ([2], True), ([3, 3], True)]
)
def test_steps_are_added_under_the_next_free_ids_and_no_others(added: list[int | None], refused: bool) -> None:
    plan = checked("plan_x", [StepDraft(description="a"), StepDraft(description="b")])
    more = [StepDraft(id=step_id, description="more") for step_id in added]
    if refused:
        with pytest.raises(Invalid, match="next free id"):
            revised(plan, (), more)
    else:
        new, diff = revised(plan, (), more)
        assert [step.id for step in new.steps] == [1, 2, 3, 4] and [change.id for change in diff] == [3, 4]
