"""The one place where the model is called, and every request counted before it is sent (L11)."""

from __future__ import annotations

import time

from auteryn.agent.mind import Mind
from auteryn.errors import Exhausted
from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Reply


async def ask_model(mind: Mind, wanted: ModelRequest) -> Reply:
    """One answer; every request it takes is counted against the reservation before it is sent (L11)."""

    def spend(count: int) -> None:
        if count > mind.calls_left or mind.run.usage.llm_calls + mind.sent + count > mind.run.reserved_calls:
            raise Exhausted("llm_call_limit", f"run {mind.run.id!r} has used its {mind.run.limits.llm_calls} model calls")
        mind.sent += count

    return await mind.services.model.generate(wanted, on_delta=mind.on_delta, spend=spend)


def answered(mind: Mind, reply: Reply, began: float) -> e.ModelAnswered:
    return e.ModelAnswered(
        turn=mind.run.turns + 1,
        model=reply.model,
        content=reply.content,
        tokens=reply.tokens,
        attempts=reply.attempts,
        credits=mind.settings.price(reply.model, reply.tokens, mind.now()),
        thoughts=reply.thoughts if mind.run.options.include_thoughts else "",
        finish=reply.finish,
        ms=round((time.monotonic() - began) * 1000),
    )
