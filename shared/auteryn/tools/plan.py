"""Planning from inside a run: the plan is made, and the run waits, without a process, until it is over or needs its planner."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.plan.graph import checked, revised
from auteryn.plan.scheduler import needs_review, over
from auteryn.schema.event import PlanCreated, PlanReviewed, PlanRevised
from auteryn.schema.plan import Join, Plan, StepDraft
from auteryn.schema.record import derived_id
from auteryn.schema.run import ForSteps, Run
from auteryn.tools.tool import Pause, Result, ToolContext, tool

Start = Annotated[
    Literal["all", "any", "best_effort"] | int,
    Meta(description="Start when all, any or this many of depends_on completed; best_effort: when all ended, however"),
]


class NewStep(msgspec.Struct, forbid_unknown_fields=True):
    description: Annotated[
        str, Meta(description="What to do and what to hand over. Whoever does it sees the goal and the results it depends on")
    ]
    depends_on: Annotated[list[int], Meta(description="Steps whose results it needs; without any it starts at once")] = []
    id: Annotated[int, Meta(description="Its number; without one, its place in the list from 1")] | None = None
    join: Start = "all"
    review: Annotated[bool, Meta(description="You look at its result before later steps start")] = False


class ChangedStep(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[int, Meta(description="A step that has not started")]
    description: str | None = None
    depends_on: list[int] | None = None
    join: Start | None = None
    review: bool | None = None


def one_plan(args: dict[str, Any]) -> str:
    """A run has one plan: what changes it runs one after the other, also where the model calls for all at once."""
    return "plan"


@tool(effect="idempotent", group="plan", cost=0, serial=one_plan)
async def plan_create(
    ctx: ToolContext,
    goal: Annotated[str, "What all steps together achieve, and what every step must know"],
    steps: Annotated[list[NewStep], "Steps; those that do not depend on each other run side by side", Meta(min_length=1)],
) -> Pause:
    """Split the task into steps and carry them out. The answer comes when all have ended, or one marked `review` has."""
    plan_id = derived_id("plan", ctx.call)
    _refuse_in_step(ctx.run)
    if ctx.run.plan and ctx.run.plan.id == plan_id:
        return Pause(wait=ForSteps(call=ctx.call))
    if ctx.run.plan and not over(ctx.run.plan):
        raise ToolFailed(
            "conflict", "this run has a plan that is under way: change it with plan_update, or end its steps first"
        )
    try:
        plan = checked(plan_id, [_draft(step) for step in steps], goal=goal)
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    return Pause(wait=ForSteps(call=ctx.call), events=(PlanCreated(plan=plan, call=ctx.call),))


@tool(effect="idempotent", group="plan", cost=0, serial=one_plan)
async def plan_update(
    ctx: ToolContext,
    updates: Annotated[list[ChangedStep], "Steps to change; what is not given stays"] = [],  # noqa: B006 - never changed
    add: Annotated[list[NewStep], "Steps to add at the end"] = [],  # noqa: B006
    drop: Annotated[list[int], "Steps to leave out"] = [],  # noqa: B006
    note: Annotated[str, "Why"] = "",
) -> Pause | Result:
    """Change what has not started yet, then go on with the plan. Without changes it just goes on."""
    _refuse_in_step(ctx.run)
    old = ctx.run.plan
    if old is None:
        raise ToolFailed("not_found", "this run has no plan: make one with plan_create")
    wait = ForSteps(call=ctx.call)
    if not (updates or add or drop):
        return Result(output=_stand(old)) if over(old) else Pause(wait=wait, events=_reviewed(old))
    _refuse_started(old, [*(one.id for one in updates), *drop])
    try:
        new, diff = revised(old, [_change(old, one) for one in updates], [_draft(one) for one in add], drop)
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    fact = PlanRevised(plan=new, diff=diff, note=note)
    return Result(output=_stand(new), events=(fact,)) if over(new) else Pause(wait=wait, events=(fact, *_reviewed(new)))


def _reviewed(plan: Plan) -> tuple[PlanReviewed, ...]:
    """The planner has answered what it wanted to see: later steps may start."""
    seen = needs_review(plan)
    return (PlanReviewed(steps=seen),) if seen else ()


def _refuse_started(plan: Plan, steps: list[int]) -> None:
    """A plan goes on while its planner thinks: what it wants to change may have started meanwhile."""
    late = {step.id: step.status for step in plan.steps if step.id in steps and step.status != "pending"}
    if late:
        told = ", ".join(f"{step} is {status}" for step, status in late.items())
        raise ToolFailed(
            "conflict", f"only steps that have not started can change: step {told}. Add a step for what is still to do"
        )


def _refuse_in_step(run: Run) -> None:
    if run.parent and run.parent.kind == "step":
        raise ToolFailed(
            "denied",
            "this run is a step of a plan and makes no plan of its own: do the work here, or say in the result what is missing",
        )


def _draft(step: NewStep) -> StepDraft:
    return StepDraft(
        description=step.description, depends_on=tuple(step.depends_on), id=step.id, join=step.join, review=step.review
    )


def _change(plan: Plan, change: ChangedStep) -> StepDraft:
    """The step as it would be; `revised` refuses what cannot change."""
    if not 1 <= change.id <= len(plan.steps):
        raise Invalid("updates", change.id, f"is no step of this plan (1 to {len(plan.steps)})")
    was = plan.step(change.id)
    join: Join = was.join if change.join is None else change.join
    return StepDraft(
        id=change.id,
        description=was.description if change.description is None else change.description,
        depends_on=was.depends_on if change.depends_on is None else tuple(change.depends_on),
        join=join,
        review=was.review if change.review is None else change.review,
    )


def _stand(plan: Plan) -> dict[str, Any]:
    return {"plan": plan.id, "revision": plan.revision, "steps": {step.id: step.status for step in plan.steps}}
