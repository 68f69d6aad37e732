"""The way up: a FAST run that turns out to be big goes on as DEEP."""

from __future__ import annotations

from typing import Annotated

from auteryn.errors import ToolFailed
from auteryn.policy.modes import DEEP
from auteryn.schema.event import ModeRaised
from auteryn.tools.tool import Result, ToolContext, tool


@tool(effect="idempotent", group="plan", modes=("fast",), cost=0)
async def go_deep(
    ctx: ToolContext, reason: Annotated[str, "One sentence: why this needs research, many steps or long work"]
) -> Result:
    """Go on with this task in DEEP mode: more thinking, plans, all tools, and days of time."""
    if ctx.run.mode == "deep" or ctx.run.parent:
        raise ToolFailed("denied", "this run has its mode already, and goes on in it")
    calls = min(ctx.run.options.llm_calls or DEEP.llm_calls, DEEP.llm_calls)
    return Result(output="going on in DEEP mode", events=(ModeRaised(reason=reason, llm_calls=calls),))
