"""The one place where the model is called. Every request is counted before it is sent (L11)."""

from __future__ import annotations

import time

from auteryn.agent.mind import Mind
from auteryn.agent.pictures import with_pictures
from auteryn.errors import Exhausted
from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Reply


async def ask_model(mind: Mind, wanted: ModelRequest, call: str = "") -> Reply:
    """One answer. Raises `Exhausted` before a request that the reservation does not cover. `call`: the tool call that asks."""

    def spend(count: int) -> None:
        if count > mind.calls_left or mind.run.usage.llm_calls + mind.sent + count > mind.run.reserved_calls:
            raise Exhausted("llm_call_limit", f"run {mind.run.id!r} has used its {mind.run.limits.llm_calls} model calls")
        mind.sent += count
        if call:
            mind.consulting[call] = mind.consulting.get(call, 0) + count

    shows = bool(call) or mind.thread.pictures
    request = await with_pictures(wanted, mind.services.blobs) if shows else wanted
    return await mind.services.model.generate(request, on_delta=None if call else mind.on_delta, spend=spend)


async def consult(mind: Mind, call: str, facts: list[e.AnyEvent], wanted: ModelRequest) -> Reply:
    """One answer for a tool: counted and paid like any other, but no turn of the conversation. Its fact is added to `facts`."""
    reply = await ask_model(mind, wanted, call)
    credits = paid(mind, reply)
    facts.append(e.ModelConsulted(call=call, model=reply.model, tokens=reply.tokens, attempts=reply.attempts, credits=credits))
    return reply


def unusable(mind: Mind, reply: Reply, why: str) -> e.ModelFailed:
    """The fact of an answer that was paid for and cannot be used."""
    return e.ModelFailed(
        attempts=reply.attempts,
        reason=reply.finish,
        message=why,
        model=reply.model,
        tokens=reply.tokens,
        credits=paid(mind, reply),
    )


def paid(mind: Mind, reply: Reply) -> int:
    """Thousandths of a credit for the answer and whatever had to be asked for again before it."""
    now, price = mind.now(), mind.settings.price
    return price(reply.model, reply.tokens, now) + (price(reply.model, reply.wasted, now) if reply.wasted.total else 0)


def answered(mind: Mind, reply: Reply, began: float) -> e.ModelAnswered:
    return e.ModelAnswered(
        turn=mind.run.turns + 1,
        model=reply.model,
        content=reply.content,
        tokens=reply.tokens,
        attempts=reply.attempts,
        credits=paid(mind, reply),
        thoughts=reply.thoughts if mind.run.options.include_thoughts else "",
        finish=reply.finish,
        ms=round((time.monotonic() - began) * 1000),
    )
