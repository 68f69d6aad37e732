"""What is kept for an owner's later runs."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.gates import FOREIGN
from auteryn.policy.quotas import MEMORIES, MEMORY_CHARACTERS
from auteryn.schema.change import Doc
from auteryn.schema.record import derived_id
from auteryn.tools.search import rank
from auteryn.tools.tool import Result, ToolContext, tool

KIND = "memory"


@tool(effect="idempotent", group="knowledge", cost=0)
async def memory_save(
    ctx: ToolContext,
    text: Annotated[str, "One fact or preference that will matter in later tasks", Meta(min_length=1)],
    tags: Annotated[list[str], "Words to find it by", Meta(max_length=10)] = [],  # noqa: B006 - never changed
) -> dict[str, Any]:
    """Remember something for this owner's later tasks. The same text is kept once."""
    if len(text) > MEMORY_CHARACTERS:
        raise ToolFailed("too_large", f"text: {len(text):,} characters are more than a memory holds ({MEMORY_CHARACTERS:,})")
    owner, memory = ctx.run.owner, derived_id(KIND, ctx.run.owner, " ".join(text.split()).lower())
    known = await ctx.store.docs(KIND, owner)
    if len(known) >= MEMORIES and all(doc.id != memory for doc in known):
        raise ToolFailed(
            "quota", f"{len(known):,} memories are kept for {owner!r}, the most there may be: the owner can have some forgotten"
        )
    body = {"text": text, "tags": tags, "run": ctx.run.id, "foreign": FOREIGN in ctx.labels}
    await ctx.store.put(Doc(kind=KIND, id=memory, scope=owner, body=body, at=ctx.clock.now()))
    return {"memory": memory}


@tool(effect="read", group="knowledge", private=True, cost=0)
async def memory_search(
    ctx: ToolContext,
    query: Annotated[str, "Words to look for", Meta(min_length=1)],
    limit: Annotated[int, "Most memories", Meta(ge=1, le=50)] = 10,
) -> Result:
    """Look up what was remembered in earlier tasks of this owner."""
    known = {doc.id: doc for doc in await ctx.store.docs(KIND, ctx.run.owner)}
    found = rank(query, {key: f"{doc.body['text']} {' '.join(doc.body['tags'])}" for key, doc in known.items()})
    shown = [{"text": known[key].body["text"], "saved_at": f"{known[key].at:%Y-%m-%d}"} for key in found[:limit]]
    foreign = any(known[key].body.get("foreign", True) for key in found[:limit])
    return Result(output={"memories": shown, "total": len(found)}, labels=(FOREIGN,) if foreign else ())
