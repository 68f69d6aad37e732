"""The way up: a FAST run that turns out to be big goes on as DEEP."""

from __future__ import annotations

from typing import Annotated

from auteryn.policy.modes import DEEP
from auteryn.schema.event import ModeRaised
from auteryn.tools.tool import Result, ToolContext, tool


@tool(effect="idempotent", group="plan", modes=("fast",), cost=0)
async def go_deep(
    ctx: ToolContext, reason: Annotated[str, "One sentence: why this needs research, many steps or long work"]
) -> Result:
    """Go on with this task in DEEP mode: more thinking, plans, all tools, and days of time."""
    return Result(output="going on in DEEP mode", events=(ModeRaised(reason=reason, llm_calls=DEEP.llm_calls),))
