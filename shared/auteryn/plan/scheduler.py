"""Which steps may start, which no longer can, and how far the plan is. Pure functions of the plan."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from auteryn.schema.plan import Plan, Step

ENDED = frozenset({"completed", "failed", "skipped", "cancelled"})


def ready(plan: Plan) -> tuple[Step, ...]:
    """The steps that may start now, in id order; empty when the plan is done, blocked or waits for its planner.

    A step is ready when it is pending and what it depends on satisfies its `join`. (Spec: "Dependency Management".)
    """
    if needs_review(plan):
        return ()
    status = {step.id: step.status for step in plan.steps}
    return tuple(step for step in plan.steps if step.status == "pending" and _verdict(step, status) == "ready")


def blocked(plan: Plan) -> tuple[Step, ...]:
    """Pending steps that can never start any more, because of what failed before them."""
    status: dict[int, str] = {step.id: step.status for step in plan.steps}
    out = list[Step]()
    changed = True
    while changed:
        changed = False
        for step in plan.steps:
            if status[step.id] == "pending" and _verdict(step, status) == "blocked":
                status[step.id] = "skipped"
                out.append(step)
                changed = True
    return tuple(out)


def skip_blocked(plan: Plan) -> Plan:
    """The plan with its blocked steps `skipped`; each names the steps that did not complete."""
    stuck = {step.id for step in blocked(plan)}
    if not stuck:
        return plan
    bad = {step.id for step in plan.steps if step.status in ENDED and step.status != "completed"} | stuck

    def skip(step: Step) -> Step:
        because = ", ".join(str(d) for d in step.depends_on if d in bad)
        return replace(step, status="skipped", error=f"step {because} did not complete")

    return replace(plan, steps=tuple(skip(step) if step.id in stuck else step for step in plan.steps))


def needs_review(plan: Plan) -> tuple[int, ...]:
    """Ended steps whose result the planner wants to see before anything else starts."""
    if not any(step.status == "pending" for step in plan.steps):
        return ()
    return tuple(s.id for s in plan.steps if s.review and s.status in ("completed", "failed") and s.id not in plan.reviewed)


def running(plan: Plan) -> tuple[Step, ...]:
    return tuple(step for step in plan.steps if step.status == "in_progress")


def over(plan: Plan) -> bool:
    """Nothing runs and nothing will: every step has ended."""
    return all(step.status in ENDED for step in plan.steps)


def current_step(plan: Plan) -> int:
    """The spec's `current_step`: the lowest running step, else how many completed (decision 0003)."""
    return next((step.id for step in plan.steps if step.status == "in_progress"), plan.done)


def _verdict(step: Step, status: Mapping[int, str]) -> str:
    """`ready`, `later` or `blocked`, by the step's join. One that depends on nothing is ready."""
    states = [status[d] for d in step.depends_on]
    good = sum(state == "completed" for state in states)
    ended = sum(state in ENDED for state in states)
    match step.join:
        case "best_effort":
            return "ready" if ended == len(states) else "later"
        case "any":
            need = min(1, len(states))
        case "all":
            need = len(states)
        case int() as count:
            need = min(count, len(states))
    if good >= need:
        return "ready"
    return "blocked" if good + len(states) - ended < need else "later"
