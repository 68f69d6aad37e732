"""The one place where the model is called. Every request is counted before it is sent (L11)."""

from __future__ import annotations

import time

from msgspec.structs import replace

from auteryn.agent.mind import Commit, Mind
from auteryn.agent.pictures import with_pictures
from auteryn.errors import Exhausted
from auteryn.ports.model import ModelRequest
from auteryn.schema import event as e
from auteryn.schema.message import Reply


async def ask_model(mind: Mind, wanted: ModelRequest, *, aloud: bool = True) -> Reply:
    """One answer; whoever watches sees it come if it is said `aloud`. Raises `Exhausted` before a request that the
    reservation does not cover.

    What brought nothing is a fact before the next request is sent: at most one is ever unknown to the journal. The reply's
    `attempts` are those that no fact has counted.
    """
    told = 0

    async def spend(count: int, why: str) -> None:
        nonlocal told
        if mind.sent:
            told += mind.sent
            await mind.commit(fruitless(mind, "no_answer", why))
        if count > mind.calls_left or mind.run.usage.llm_calls + count > mind.run.reserved_calls:
            raise _exhausted(mind)
        mind.sent += count

    request = await with_pictures(wanted, mind.services.blobs) if mind.thread.pictures else wanted
    reply = await mind.services.model.generate(request, on_delta=mind.on_delta if aloud else None, spend=spend)
    return replace(reply, attempts=max(mind.sent, reply.attempts - told)) if told else reply


async def consult(mind: Mind, call: str, facts: list[e.AnyEvent], commit: Commit, wanted: ModelRequest) -> Reply:
    """One answer for a tool: counted and paid like any other, but no turn of the conversation. Its fact is added to `facts`.
    Each request is a fact before it is sent: many may be under way at once, and a crash must not have to guess."""
    told = 0

    async def spend(count: int, _: str) -> None:
        nonlocal told
        async with mind.counting:
            if count > mind.calls_left:
                raise _exhausted(mind)
            await commit(e.ModelAsked(call=call, attempts=count))
        told += count

    reply = await mind.services.model.generate(await with_pictures(wanted, mind.services.blobs), spend=spend)
    credits, uncounted = paid(mind, reply), max(0, reply.attempts - told)
    facts.append(e.ModelConsulted(call=call, model=reply.model, tokens=reply.tokens, attempts=uncounted, credits=credits))
    return reply


def _exhausted(mind: Mind) -> Exhausted:
    return Exhausted("llm_call_limit", f"run {mind.run.id!r} has used its {mind.run.limits.llm_calls} model calls")


def fruitless(mind: Mind, reason: str, message: str) -> e.ModelFailed:
    """The fact that what was sent since the last commit brought no usable answer."""
    return e.ModelFailed(attempts=mind.sent, reason=reason, message=message)


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
