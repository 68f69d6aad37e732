"""Helpers for a task that falls into parts: each is a run of its own, and the answer comes when all have ended.

They are steps of a plan, so they last as plans do: a helper has its own journal, gets a fair share of the run's calls and
credits, ends with the run when that is cancelled, and is never started twice. A helper starts no helpers.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from auteryn.tools.plan import NewStep, one_plan, plan_create
from auteryn.tools.tool import Pause, ToolContext, tool

MOST_HELPERS = 20


@tool(effect="idempotent", group="plan", cost=0, serial=one_plan)
async def agent_spawn(
    ctx: ToolContext,
    tasks: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=20_000)]],
        Meta(min_length=1, max_length=MOST_HELPERS),
        "One text a helper: what to do and what to report. Helpers work side by side and know only this and the goal",
    ],
    goal: Annotated[str, "What every helper must know"] = "",
) -> Pause:
    """Give independent parts of the task to helpers and get their reports. One call for all of them."""
    paused: Pause = await plan_create.fn(ctx, goal=goal, steps=[NewStep(description=task) for task in tasks])
    return paused
