"""A mark that is set before something leaves: a repeat of the same call finds it and knows that it may be a repeat."""

from __future__ import annotations

from auteryn.schema.change import Doc
from auteryn.tools.tool import ToolContext

SENDING = "sending"
"""Kind of the marks' documents."""


async def first_time(ctx: ToolContext) -> bool:
    """Set the mark; False if an earlier try of this very call set it: it may have reached the other side."""
    mark = Doc(kind=SENDING, id=ctx.key, scope=ctx.run.root, body=None, at=ctx.clock.now())
    return await ctx.store.put(mark, if_absent=True)


async def not_sent(ctx: ToolContext) -> None:
    """Take the mark away: it is certain that nothing has happened."""
    await ctx.store.drop(SENDING, ctx.key)
