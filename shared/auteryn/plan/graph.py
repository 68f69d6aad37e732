"""From drafts to a valid plan. Every refusal names the step or the edge."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from auteryn.errors import Invalid
from auteryn.schema.plan import DROPPED, Plan, Step, StepChange, StepDraft

MOST_STEPS = 2_000


def checked(plan_id: str, drafts: Sequence[StepDraft], *, goal: str = "") -> Plan:
    """A plan of these drafts; raises `Invalid` naming what is wrong.

    Ids are the drafts' own (then all have one, 1…n in any order) or their positions from 1. (Spec: "Create Task Plans",
    "Dependency Management".)
    """
    if not drafts:
        raise Invalid("steps", [], "must hold at least one step")
    if len(drafts) > MOST_STEPS:
        raise Invalid("steps", len(drafts), f"are more than a plan can hold ({MOST_STEPS})")
    ids = _ids(drafts)
    steps = tuple(_step(draft, step_id) for step_id, draft in sorted(zip(ids, drafts, strict=True), key=lambda pair: pair[0]))
    _check_edges(steps)
    return Plan(id=plan_id, goal=goal, steps=steps)


def waves(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """Groups of steps in the order they run, if every step took equally long; the steps of a group run side by side."""
    level: dict[int, int] = {}
    for step in _in_order(plan.steps):
        level[step.id] = 1 + max((level[d] for d in step.depends_on), default=-1)
    return tuple(tuple(sorted(s for s, at in level.items() if at == n)) for n in range(max(level.values()) + 1))


def revised(
    plan: Plan, updates: Sequence[StepDraft], add: Sequence[StepDraft], drop: Sequence[int] = ()
) -> tuple[Plan, tuple[StepChange, ...]]:
    """The plan with later steps changed, added or dropped, and the diff. Steps that started or ended are never touched."""
    steps = _by_id(plan)
    for draft in updates:
        old = _pending(steps, draft.id, "updates")
        steps[old.id] = replace(_step(draft, old.id), attempt=old.attempt)  # the next attempt is a run of its own
    for step_id in drop:
        old = _pending(steps, step_id, "drop")
        steps[old.id] = replace(old, status="skipped", error=DROPPED)
    for draft in add:
        new_id = draft.id or max(steps) + 1
        if new_id != max(steps) + 1:
            raise Invalid("add", new_id, f"must be the next free id {max(steps) + 1}")
        steps[new_id] = _step(draft, new_id)
    ordered = tuple(steps[step_id] for step_id in sorted(steps))
    _check_edges(ordered)
    new = replace(plan, steps=ordered, revision=plan.revision + 1)
    return new, changes(plan, new)


def reworded(plan: Plan, step_id: int, description: str) -> tuple[Plan, tuple[StepChange, ...]]:
    """The plan with a new description for a step that has not begun. Raises `Invalid` for any other step."""
    return revised(plan, [_draft(_pending(_by_id(plan), step_id, "step"), description=description)], ())


def left_out(plan: Plan, step_id: int) -> tuple[Plan, tuple[StepChange, ...]]:
    """The plan without a step that has not begun. Steps that depended on it now depend on what it depended on."""
    gone = _pending(_by_id(plan), step_id, "step")
    heirs = [step for step in plan.steps if step_id in step.depends_on and step.status == "pending"]
    return revised(plan, [_draft(step, without=gone) for step in heirs], (), [step_id])


def _by_id(plan: Plan) -> dict[int, Step]:
    return {step.id: step for step in plan.steps}


def _draft(step: Step, *, description: str | None = None, without: Step | None = None) -> StepDraft:
    """The step as a draft again, with a new description or without one of its dependencies."""
    edges, join = step.depends_on, step.join
    if without:
        edges = tuple(dict.fromkeys((*(one for one in edges if one != without.id), *without.depends_on)))
        join = without.join if step.depends_on == (without.id,) else join
        join = ("all" if not edges else min(join, len(edges))) if isinstance(join, int) else join
    return StepDraft(id=step.id, description=description or step.description, depends_on=edges, join=join, review=step.review)


def changes(old: Plan, new: Plan) -> tuple[StepChange, ...]:
    """The diff of two revisions, one line a changed step."""
    before = _by_id(old)
    return tuple(
        StepChange(id=step.id, old=_seen(was) if was else None, new=_seen(step))
        for step in new.steps
        if (was := before.get(step.id)) != step
    )


def _ids(drafts: Sequence[StepDraft]) -> list[int]:
    given = [draft.id for draft in drafts if draft.id is not None]
    if not given:
        return list(range(1, len(drafts) + 1))
    if len(given) < len(drafts):
        where = next(i for i, draft in enumerate(drafts) if draft.id is None)
        raise Invalid(f"steps[{where}].id", None, "is missing: give every step an id, or none")
    for step_id in given:
        if given.count(step_id) > 1:
            raise Invalid("steps.id", step_id, "is used by two steps")
    if sorted(given) != list(range(1, len(given) + 1)):
        raise Invalid("steps.id", sorted(given), f"must be the numbers 1 to {len(given)} without gaps")
    return given


def _step(draft: StepDraft, step_id: int) -> Step:
    """A pending step. Its edges are checked with the whole plan, by `_check_edges`."""
    if not draft.description.strip():
        raise Invalid(f"step {step_id}.description", draft.description, "must say what to do")
    join, edges = draft.join, len(draft.depends_on)
    if isinstance(join, int) and not 1 <= join <= max(1, edges):
        raise Invalid(f"step {step_id}.join", join, f"must be between 1 and the number of steps it depends on ({edges})")
    depends_on = tuple(dict.fromkeys(draft.depends_on))
    return Step(id=step_id, description=draft.description, depends_on=depends_on, join=join, review=draft.review)


def _check_edges(steps: Sequence[Step]) -> None:
    """Raises `Invalid` for an edge to the step itself or to no step, and for a cycle."""
    known = {step.id for step in steps}
    for step in steps:
        for other in step.depends_on:
            if other == step.id:
                raise Invalid(f"step {step.id}.depends_on", other, "is the step itself")
            if other not in known:
                raise Invalid(f"step {step.id}.depends_on", other, f"is no step of this plan (1 to {max(known)})")
    _refuse_cycle(steps)


def _pending(steps: dict[int, Step], step_id: int | None, field: str) -> Step:
    if step_id is None or step_id not in steps:
        raise Invalid(field, step_id, f"is no step of this plan (1 to {max(steps)})")
    if steps[step_id].status != "pending":
        raise Invalid(field, step_id, f"is {steps[step_id].status}: only steps that have not started can change")
    return steps[step_id]


def _in_order(steps: Sequence[Step]) -> list[Step]:
    """In topological order, by id among equals. Steps that are part of a cycle, or behind one, are left out."""
    left, done, out = {step.id: step for step in steps}, set[int](), list[Step]()
    while ready := [step for step in left.values() if done.issuperset(step.depends_on)]:
        for step in ready:
            del left[step.id]
        out += ready
        done.update(step.id for step in ready)
    return out


def _refuse_cycle(steps: Sequence[Step]) -> None:
    ordered = {step.id for step in _in_order(steps)}
    if len(ordered) == len(steps):
        return
    inside = {step.id: step for step in steps if step.id not in ordered}
    path = [min(inside)]
    while path[-1] not in path[:-1]:
        path.append(next(d for d in inside[path[-1]].depends_on if d in inside))
    cycle = path[path.index(path[-1]) :]
    raise Invalid("steps.depends_on", " → ".join(map(str, cycle)), "is a cycle: no step of it could ever start")


def _seen(step: Step) -> dict[str, object]:
    shown: dict[str, object] = {"description": step.description, "depends_on": list(step.depends_on)}
    return shown | ({"status": step.status} if step.status == "skipped" else {})
