"""A mark that is set before something leaves: a repeat of the same call finds it and knows that it may be a repeat."""

from __future__ import annotations

from datetime import datetime

from auteryn.schema.change import Doc
from auteryn.tools.tool import ToolContext

SENDING = "sending"
"""Kind of the marks' documents."""


async def earlier_try(ctx: ToolContext) -> datetime | None:
    """Set the mark; or when an earlier try of this very call set it: it may have reached the other side since then."""
    mark = Doc(kind=SENDING, id=ctx.key, scope=ctx.run.root, body=None, at=ctx.clock.now())
    if await ctx.store.put(mark, if_absent=True):
        return None
    earlier = await ctx.store.doc(SENDING, ctx.key)
    return earlier.at if earlier else mark.at


async def not_sent(ctx: ToolContext) -> None:
    """Take the mark away: it is certain that nothing has happened."""
    await ctx.store.drop(SENDING, ctx.key)
