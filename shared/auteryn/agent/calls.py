"""The calls of one turn: gates, intents, parallel work, one answer each (L6, L7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from auteryn.agent.attempt import Work, attempted, kept, outcome_unknown
from auteryn.agent.gate import CHANGED, fingerprint_now, foregone, gated, named
from auteryn.agent.mind import Commit, Facts, Mind
from auteryn.agent.output import answered, failed
from auteryn.agent.speak import consult
from auteryn.agent.taint import labels, learn_of_tree, read_by, verdict, warn_tree
from auteryn.agent.thread import OpenCall
from auteryn.agent.waits import settled
from auteryn.errors import ToolFailed
from auteryn.schema import event as e
from auteryn.schema.record import derived_id, plain, to_json
from auteryn.tools.signature import arguments
from auteryn.tools.tool import Pause, Result, ToolContext


async def answer_calls(mind: Mind) -> AsyncGenerator[Facts, None]:
    """Bring every open call as far as it can go now, and yield what to commit. What is open afterwards waits.

    Calls run side by side; each answer is committed as it comes, so a crash repeats only what has no answer yet.
    """
    if facts := [fact for call in mind.thread.open_calls for fact in settled(mind, call)]:
        yield tuple(facts)
    if any(call.state == "proposed" for call in mind.thread.open_calls):
        await learn_of_tree(mind)
    prepared = [_prepared(mind, call) for call in mind.thread.open_calls if call.state != "suspended"]
    work = [one for one in prepared if isinstance(one, Work)]
    if held_back := [fact for one in prepared if not isinstance(one, Work) for fact in one]:
        yield tuple(held_back)
    if intents := tuple(e.CallStarted(call=one.call.id, tool=one.tool.name) for one in work if one.needs_intent):
        yield intents
    if len(work) == 1 and not work[0].tool.calls_tools:
        yield await _run(mind, work[0], mind.commit)
    elif work:
        async for facts in _side_by_side(mind, work):
            yield facts


def _prepared(mind: Mind, call: OpenCall) -> Work | list[e.AnyEvent]:
    """The call ready to run, or the facts that answer or suspend it at once."""
    try:
        tool = mind.registry.get(call.name)
        args = arguments(tool, call.args)
    except ToolFailed as error:  # after an interruption also a tool that the process before this one had
        return [failed(call, outcome_unknown(error) if call.begun else error)]
    if call.state == "allowed" and call.allowed != fingerprint_now(mind, tool, args):
        return [failed(call, ToolFailed("denied", CHANGED))]
    if call.state == "proposed":
        judged = tool.judged(args, mind.files, mind.run)
        match verdict(mind, tool, judged):
            case "ask":
                return gated(mind, call, tool, args, judged)
            case "refuse":
                return [failed(call, ToolFailed("denied", f"a person refused {named(tool, judged)} for the rest of this run"))]
            case "dry":
                return [answered(call, foregone(mind, tool, args, judged))]
            case "open":
                pass
    return Work(call, tool, args)


async def _side_by_side(mind: Mind, work: list[Work]) -> AsyncGenerator[Facts, None]:
    lanes: dict[str, list[int]] = {}
    for at, one in enumerate(work):
        lanes.setdefault(one.lane, []).append(at)
    ended = [asyncio.Event() for _ in work]
    done: asyncio.Queue[_Ready] = asyncio.Queue()

    async def commit(*facts: e.AnyEvent, over: bool = False) -> None:
        committed = asyncio.get_running_loop().create_future()
        await done.put(_Ready(facts, committed, over))
        await committed

    async def drive(lane: list[int]) -> None:
        for at in lane:  # each sees what the one before it has changed in the run
            for before in ended[:at] if work[at].after_those_before else ():
                await before.wait()
            await commit(*await _run(mind, work[at], commit), over=True)
            ended[at].set()

    tasks = [asyncio.create_task(drive(lane)) for lane in lanes.values()]
    try:
        left = len(work)
        while left:
            ready = [await _first(done, tasks)]
            while not done.empty():  # what came at the same moment shares a commit
                ready.append(done.get_nowait())
            left -= sum(one.over for one in ready)
            yield tuple(fact for one in ready for fact in one.facts)
            for one in ready:
                if not one.committed.cancelled():  # its time was over meanwhile
                    one.committed.set_result(None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Ready(NamedTuple):
    """Facts to commit, and who waits to see them committed: a call under way, or its lane when the call is over."""

    facts: Facts
    committed: asyncio.Future[None]
    over: bool


async def _first(done: asyncio.Queue[_Ready], tasks: list[asyncio.Task[None]]) -> _Ready:
    """The next facts; an error of the engine itself in any lane is raised here instead of waiting for ever."""
    getter = asyncio.create_task(done.get())
    try:
        while True:
            await asyncio.wait([getter, *(t for t in tasks if not t.done())], return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
            for task in tasks:
                if task.done() and (error := task.exception()):
                    raise error
    finally:
        getter.cancel()


async def _run(mind: Mind, one: Work, commit: Commit) -> Facts:
    """Run one call to its answer or its pause. Raises only what ends the slice."""
    context = _context(mind, one.call, facts := list[e.AnyEvent](), commit)
    if one.tool.calls_tools:
        context.call_tool = partial(_inner, mind, one.call, commit)
    began = time.monotonic()
    try:
        await warn_tree(mind, one.tool)
        outcome, attempts = await attempted(mind, one, context)
    except ToolFailed as error:
        return (*_logged(context), *facts, failed(one.call, error, ms=_ms(began), labels=labels(mind, one.tool)))
    match outcome:
        case Pause():
            return (
                *_logged(context),
                *facts,
                *outcome.events,
                e.CallSuspended(call=one.call.id, tool=one.tool.name, wait=outcome.wait),
            )
        case Result():
            result = outcome
        case _:
            result = Result(output=outcome)
    output = plain(result.output)
    shown, cut = (output, False) if one.inner else await kept(mind, output, one.call.id)
    answer = e.CallAnswered(
        call=one.call.id,
        tool=one.tool.name,
        output=shown,
        cut=cut,
        ms=_ms(began),
        attempts=attempts,
        credits=one.tool.cost if result.credits is None else result.credits,
        images=result.images,
        labels=labels(mind, one.tool, result.labels),
        reached=result.reached,
    )
    if one.tool.name == "note_write":
        mind.notes = None
    return (*_logged(context), *facts, *result.events, answer)


INNER_BYTES = 1 << 20
"""Most that one call within a call may give back."""


async def _inner(mind: Mind, outer: OpenCall, commit: Commit, number: int, name: str, args: dict[str, Any]) -> Any:
    """The n-th call that a call makes: like one of the model's own, with its own ledger row (L6, L7).

    What has an answer is answered with it, after a crash too. What a person would have to allow is refused: a script cannot
    wait for people, the model can.
    """
    call = OpenCall(derived_id("call", outer.id, number), name, args, None)
    known = outer.inner.get(call.id)
    if known is not None and known.tool != name:
        raise ToolFailed("failed", f"call {number} was of {known.tool} before the interruption and is of {name} now")
    if known is None or known.answer is None:
        call.begun = known is not None
        answer = await _inner_answer(mind, outer, commit, call)
        await commit(*answer)
        (said,) = (fact for fact in answer if isinstance(fact, e.CallAnswered))
    else:
        said = known.answer
    if said.error is not None:
        raise ToolFailed(said.error, str(said.output))
    return said.output


async def _inner_answer(mind: Mind, outer: OpenCall, commit: Commit, call: OpenCall) -> Facts:
    reached: tuple[str, ...] = ()
    try:
        tool = mind.registry.get(call.name)
        one = Work(call, tool, arguments(tool, call.args))
        one.inner = True
        judged = tool.judged(one.args, mind.files, mind.run)
        reached = judged.recipients
        if tool.calls_tools:
            raise ToolFailed("unsupported", f"{tool.name} cannot be called from within another call")
        allowed = verdict(mind, tool, judged)
        if allowed == "dry":
            return (answered(call, foregone(mind, tool, one.args, judged)),)
        if allowed != "open" and not one.resumed:
            raise ToolFailed("denied", f"{named(tool, judged)} must be allowed by a person: call it directly")
        if one.needs_intent:
            await commit(e.CallStarted(call=call.id, tool=tool.name, within=outer.id))
        facts = await _run(mind, one, commit)
    except ToolFailed as error:
        facts = (failed(call, outcome_unknown(error) if call.begun else error),)
    if any(isinstance(fact, e.CallAnswered) and len(to_json(fact.output)) > INNER_BYTES for fact in facts):
        facts = (failed(call, ToolFailed("too_large", "the output is larger than a script takes: save it to a file")),)
    if any(isinstance(fact, e.CallSuspended) for fact in facts):
        facts = (failed(call, ToolFailed("unsupported", f"{call.name} waits, and a script cannot: call it directly")),)
    return tuple(
        replace(fact, within=outer.id, reached=fact.reached or reached if fact.error is None else ())
        if isinstance(fact, e.CallAnswered)
        else fact
        for fact in facts
    )


def _context(mind: Mind, call: OpenCall, facts: list[e.AnyEvent], commit: Commit) -> ToolContext:
    return ToolContext(
        run=mind.run,
        call=call.id,
        files=mind.files,
        store=mind.services.store,
        blobs=mind.services.blobs,
        clock=mind.services.clock,
        registry=mind.registry,
        anchor=mind.run.anchor_at,
        answers=mind.thread.answers,
        shown=set(mind.thread.found),
        egress=mind.egress,
        sitting=mind.sitting,
        consult=partial(consult, mind, call.id, facts, commit),
        labels=frozenset(read_by(mind)),
    )


def _logged(context: ToolContext) -> tuple[e.Logged, ...]:
    said, context.files.said = context.files.said, []
    lines = [e.Logged(level=level, message=message) for level, message in context.logged]
    return (*lines, *(e.Logged(level="warning", message=one) for one in said))


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
