"""How far a run is, in the product's words. Pure functions of the run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from auteryn.plan.scheduler import current_step, running
from auteryn.policy.credits import whole, whole_total
from auteryn.policy.durations import shown
from auteryn.schema.record import Record
from auteryn.schema.run import Run, Usage
from auteryn.service.why import WaitsOn, waits_on, why_waiting

DAY = timedelta(days=1)


class Standing(Record):
    """Where a run stands, in few words."""

    status: str
    """pending, running, completed, failed or cancelled."""
    state: str
    """The engine's own word: beside those, waiting and paused."""
    detail: str
    """Such as "Day 2 of 7, Step 3/6 complete"."""
    why: str
    """One sentence: why nothing happens now, or that something does."""
    waits_on: WaitsOn
    """What it waits for first, in one word: a person, its steps under way, only time, or budget; empty unless it waits."""
    day: int
    days: int
    step: int
    """Completed steps."""
    steps: int


def standing(run: Run, now: datetime) -> Standing:
    day, days = day_of(run, now)
    return Standing(
        status=run.outer_status,
        state=run.status,
        detail=status_line(run, now),
        why=why_waiting(run, now),
        waits_on=waits_on(run),
        day=day,
        days=days,
        step=run.plan.done if run.plan else 0,
        steps=len(run.plan.steps) if run.plan else 0,
    )


def progress(run: Run) -> dict[str, Any]:
    """The spec's payload, exactly ("Track Progress"). Without a plan there are no steps and no plan id."""
    plan = run.plan
    return {
        "plan_id": plan.id if plan else None,
        "status": "completed" if run.status == "completed" else run.status if run.terminal else "in_progress",
        "current_step": current_step(plan) if plan else 0,
        "total_steps": len(plan.steps) if plan else 0,
        "steps": [{"id": s.id, "status": s.status, "result": s.result} for s in plan.steps] if plan else [],
    }


def progress_event(run: Run, result: str | None) -> dict[str, Any]:
    """The payload of `task_progress`: the same, what runs and what is done, and the newest result."""
    plan = run.plan
    return {
        **progress(run),
        "completed_steps": plan.done if plan else 0,
        "running_steps": [step.id for step in running(plan)] if plan else [],
        "result": result,
    }


def day_of(run: Run, now: datetime) -> tuple[int, int]:
    """(day, days) of the run's life: the third day of seven is (3, 7). It stands still when the run has ended."""
    days = max(1, -(-(run.deadline_at - run.created_at) // DAY))
    day = 1 + ((run.ended_at or now) - run.created_at) // DAY
    return max(1, min(day, days)), days


def status_line(run: Run, now: datetime) -> str:
    """Such as "Day 2 of 7, Step 3/6 complete"; the steps are left out where there is no plan."""
    day, days = day_of(run, now)
    line = f"Day {day} of {days}"
    return f"{line}, Step {run.plan.done}/{len(run.plan.steps)} complete" if run.plan else line


# ---- figures -------------------------------------------------------------------------------------------------


def metrics(run: Run, usage: Usage, now: datetime) -> dict[str, Any]:
    """The spec's five figures ("Performance Metrics"), over all slices, steps and retries."""
    return {
        "duration": shown((run.ended_at or now) - (run.started_at or run.created_at)) if run.started_at else "0s",
        "llm_calls": usage.llm_calls,
        "tool_calls": usage.tool_calls,
        "tokens_used": usage.tokens.total,
        "credits_consumed": whole_total(usage.credits),
    }


def credit_usage(usage: Usage) -> dict[str, Any]:
    """The spec's credit usage ("Monitor Credit Usage"): whole credits that add up to `credits_consumed`."""
    llm, tools, storage = whole(usage.credits)
    return {"total_credits": llm + tools + storage, "breakdown": {"llm_calls": llm, "tool_calls": tools, "storage": storage}}
