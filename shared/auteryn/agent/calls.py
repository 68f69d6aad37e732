"""The calls of one turn: gates, intents, parallel work, one answer each (L6, L7)."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, assert_never

from msgspec.structs import replace

from auteryn.agent.mind import Facts, Mind
from auteryn.agent.output import capped, told_in_part
from auteryn.agent.prompt import plan_report
from auteryn.agent.speak import consult
from auteryn.agent.taint import labels, learn_of_tree, read_by, tainted, verdict, warn_tree
from auteryn.agent.thread import OpenCall
from auteryn.errors import DiskFull, Retryable, ToolFailed
from auteryn.plan.scheduler import needs_review, over, running
from auteryn.policy.asking import asked_of, waited_for
from auteryn.policy.gates import ALLOWING, GATE_OPTIONS, TAINTED_OPTIONS, fingerprint
from auteryn.policy.limits import TOOL_RETRIES, last_moment
from auteryn.policy.retry import backoff
from auteryn.schema import event as e
from auteryn.schema.human import Answer, Subject
from auteryn.schema.record import as_text, derived_id, plain, to_json
from auteryn.schema.run import ForBudget, ForPerson, ForRateLimit, ForSteps, UntilTime
from auteryn.tools.away import all_back, bring_back, make_room
from auteryn.tools.hidden import PutAway
from auteryn.tools.jail import out_of_space
from auteryn.tools.signature import arguments
from auteryn.tools.tool import Judged, Pause, Result, Tool, ToolContext

Commit = Callable[..., Awaitable[None]]
"""Facts → when they are committed."""


async def answer_calls(mind: Mind) -> AsyncGenerator[Facts, None]:
    """Bring every open call as far as it can go now, and yield what to commit. What is open afterwards waits.

    Calls run side by side; each answer is committed as it comes, so a crash repeats only what has no answer yet.
    """
    if facts := [fact for call in mind.thread.open_calls for fact in settled(mind, call)]:
        yield tuple(facts)
    if any(call.state == "proposed" for call in mind.thread.open_calls):
        await learn_of_tree(mind)
    work = list[_Work]()
    refused = list[e.AnyEvent]()
    for call in mind.thread.open_calls:
        if call.state != "suspended":
            step = _prepared(mind, call)
            refused += step if isinstance(step, list) else []
            work += [step] if isinstance(step, _Work) else []
    if refused:
        yield tuple(refused)
    if intents := tuple(e.CallStarted(call=one.call.id, tool=one.tool.name) for one in work if one.needs_intent):
        yield intents
    if len(work) == 1 and not work[0].tool.calls_tools:
        yield await _run(mind, work[0])
    elif work:
        async for facts in _side_by_side(mind, work):
            yield facts


class _Work:
    """A call that may run now."""

    __slots__ = ("args", "call", "inner", "resumed", "tool")

    def __init__(self, call: OpenCall, tool: Tool, args: dict[str, Any]) -> None:
        self.call, self.tool, self.args = call, tool, args
        self.inner = False
        """Another call made it: its output goes there, whole."""
        self.resumed = call.begun
        """An earlier slice began it and left no answer."""

    @property
    def needs_intent(self) -> bool:
        return self.tool.effect in ("keyed", "once") and not self.resumed

    @property
    def lane(self) -> str:
        """Calls of one lane run one after the other."""
        key = self.tool.serial(self.args) if self.tool.serial else None
        return f"{self.tool.group} {key}" if key else self.call.id


# ---- before a call runs ---------------------------------------------------------------------------------------


def _prepared(mind: Mind, call: OpenCall) -> _Work | list[e.AnyEvent]:
    """The call ready to run, or the facts that answer or suspend it at once."""
    try:
        tool = mind.registry.get(call.name)
        args = arguments(tool, call.args)
    except ToolFailed as error:
        return [_failed(call, error)]
    if call.state == "allowed" and call.allowed != _fingerprint(mind, tool, args):
        return [_failed(call, ToolFailed("denied", CHANGED))]
    if call.state == "proposed":
        judged = tool.judged(args, mind.files, mind.run)
        match verdict(mind, tool, judged):
            case "ask":
                return _gated(mind, call, tool, args, judged)
            case "refuse":
                return [
                    _failed(call, ToolFailed("denied", f"a person refused {_named(tool, judged)} for the rest of this run"))
                ]
            case "dry":
                return [_answered(call, _foregone(mind, tool, args, judged))]
            case "open":
                pass
    return _Work(call, tool, args)


CHANGED = "what this call would do now is not what was allowed; repeat the call to ask again"


def _gated(mind: Mind, call: OpenCall, tool: Tool, args: dict[str, Any], judged: Judged) -> list[e.AnyEvent]:
    """The question before the call, bound to exactly what is shown."""
    shown = Subject(
        tool=tool.name,
        args=args,
        sha256=_fingerprint(mind, tool, args),
        target=judged.target,
        preview=_preview(mind, tool, args),
    )
    ask = asked_of(
        mind.run,
        mind.now(),
        id=derived_id("ask", call.id),
        call=call.id,
        kind="gate",
        message=f"Allow {_named(tool, judged)}?",
        options=TAINTED_OPTIONS if judged.sends and tainted(mind) else GATE_OPTIONS,
        subject=shown,
    )
    return [e.AskOpened(ask=ask), e.CallSuspended(call=call.id, tool=tool.name, wait=waited_for(ask))]


def _foregone(mind: Mind, tool: Tool, args: dict[str, Any], judged: Judged) -> dict[str, Any]:
    """The answer of a call that a dry run does not make."""
    would = {"tool": tool.name, "target": judged.target, "args": args, "preview": _preview(mind, tool, args)}
    return {"dry_run": "this was not done; go on as if it had been", "would": {name: one for name, one in would.items() if one}}


def _named(tool: Tool, judged: Judged) -> str:
    return f"{tool.name} ({judged.target})" if judged.target else tool.name


def _preview(mind: Mind, tool: Tool, args: dict[str, Any]) -> str:
    if tool.preview:
        return tool.preview(args, mind.files)
    return tool.judged(args, mind.files, mind.run).preview


def _fingerprint(mind: Mind, tool: Tool, args: dict[str, Any]) -> str:
    """Of what the call would do now: checked where it is made, not where it was asked (L14)."""
    return fingerprint(tool.name, args, _preview(mind, tool, args))


# ---- when a wait is over ----------------------------------------------------------------------------------------


def waits_over(mind: Mind, news: Sequence[e.AnyEvent]) -> list[e.AnyEvent]:
    """The facts that end waits for a time or a person, given `news` that is to be committed together with them.

    Of waits for steps nothing is said here: `mind.run` does not know yet what has become of the plan. Nor of any, once the run
    is out of time.
    """
    if mind.now() >= last_moment(mind.run):
        return []
    said = {fact.answer.ask: fact.answer for fact in news if isinstance(fact, e.AskAnswered)}
    closed = {fact.call for fact in news if isinstance(fact, e.CallAnswered)}
    waiting = [call for call in mind.thread.open_calls if call.id not in closed and not isinstance(call.wait, ForSteps)]
    return [fact for call in waiting for fact in settled(mind, call, said)]


def settled(mind: Mind, call: OpenCall, said: Mapping[str, Answer] = MappingProxyType({})) -> list[e.AnyEvent]:
    """The facts that end a suspended call's wait, if it is over. `said`: answers the conversation does not know yet, by ask."""
    match call.wait:
        case UntilTime() as wait:
            if mind.now() < wait.at:
                return []
            if wait.again:
                return [e.CallWoken(call=call.id)]
            return [_answered(call, {"woke_at": wait.at.isoformat(), "reason": wait.reason})]
        case ForPerson() as wait:
            return _person_said(mind, call, wait, said.get(wait.ask) or mind.thread.answers.get(wait.ask))
        case ForSteps():
            return _plan_said(mind, call)
        case ForBudget() | ForRateLimit() | None:
            return []
        case _:
            assert_never(call.wait)


def _person_said(mind: Mind, call: OpenCall, wait: ForPerson, answer: Answer | None) -> list[e.AnyEvent]:
    if answer is None:
        return []
    if wait.again:
        return [e.CallWoken(call=call.id)]
    if answer.ask in mind.thread.gates:
        return [_gate_said(mind, call, answer)]
    if answer.how == "expired":
        return [_answered(call, {"answer": answer.value, "note": "nobody answered in time"})]
    return [_answered(call, {"answer": answer.value, "by": answer.by})]


def _gate_said(mind: Mind, call: OpenCall, answer: Answer) -> e.AnyEvent:
    """Allowed are the very arguments that were shown, or those the person put in their place; nothing else."""
    if answer.value not in ALLOWING:
        return _failed(call, ToolFailed("denied", f"{answer.by} did not allow this call; do not repeat it"))
    try:
        tool = mind.registry.get(call.name)
        now = _fingerprint(mind, tool, arguments(tool, call.args if answer.args is None else answer.args))
    except ToolFailed as error:
        return _failed(call, error)
    if answer.args is None and now != mind.thread.gates[answer.ask]:
        return _failed(call, ToolFailed("denied", CHANGED))
    return e.CallAllowed(call=call.id, sha256=now, by=answer.by, args=answer.args)


def _plan_said(mind: Mind, call: OpenCall) -> list[e.AnyEvent]:
    """A plan call is answered when every step has ended, or when nothing runs and the planner is to look."""
    plan = mind.run.plan
    if plan is None:
        return [_failed(call, ToolFailed("not_found", "this run has no plan"))]
    review = needs_review(plan)
    if over(plan):
        return [_answered(call, plan_report(plan))]
    if (review or mind.run.concluding) and not running(plan):
        return [_answered(call, plan_report(plan))]  # reviewed when the planner has answered it, not before
    return []


# ---- running ----------------------------------------------------------------------------------------------------


async def _side_by_side(mind: Mind, work: list[_Work]) -> AsyncGenerator[Facts, None]:
    lanes: dict[str, list[_Work]] = {}
    for one in work:
        lanes.setdefault(one.lane, []).append(one)
    done: asyncio.Queue[_Ready] = asyncio.Queue()

    async def commit(*facts: e.AnyEvent) -> None:
        committed = asyncio.get_running_loop().create_future()
        await done.put(_Ready(facts, committed))
        await committed

    async def drive(lane: list[_Work]) -> None:
        for one in lane:
            await done.put(_Ready(await _run(mind, one, commit)))

    tasks = [asyncio.create_task(drive(lane)) for lane in lanes.values()]
    try:
        left = len(work)
        while left:
            ready = [await _first(done, tasks)]
            while not done.empty():  # what came at the same moment shares a commit
                ready.append(done.get_nowait())
            left -= sum(one.committed is None for one in ready)
            yield tuple(fact for one in ready for fact in one.facts)
            for one in ready:
                if one.committed is not None:
                    one.committed.set_result(None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Ready(NamedTuple):
    """Facts to commit: a call's answer, or with `committed` what a call under way waits to see committed."""

    facts: Facts
    committed: asyncio.Future[None] | None = None


async def _uncommitted(*facts: e.AnyEvent) -> None:
    raise AssertionError("only a tool that calls tools commits while it runs")


async def _first(done: asyncio.Queue[_Ready], tasks: list[asyncio.Task[None]]) -> _Ready:
    """The next facts; an error of the engine itself in any lane is raised here instead of waiting for ever."""
    getter = asyncio.create_task(done.get())
    await asyncio.wait([getter, *(t for t in tasks if not t.done())], return_when=asyncio.FIRST_COMPLETED)
    while not getter.done():
        for task in tasks:
            if task.done() and (error := task.exception()):
                getter.cancel()
                raise error
        await asyncio.wait([getter, *(t for t in tasks if not t.done())], return_when=asyncio.FIRST_COMPLETED)
    return getter.result()


async def _run(mind: Mind, one: _Work, commit: Commit = _uncommitted) -> Facts:
    """Run one call to its answer or its pause. Raises only what ends the slice."""
    context = _context(mind, one.call, facts := list[e.AnyEvent]())
    if one.tool.calls_tools:
        context.call_tool = partial(_inner, mind, one.call, commit)
    began = time.monotonic()
    try:
        await warn_tree(mind, one.tool)
        outcome, attempts = await _attempted(mind, one, context)
    except ToolFailed as error:
        return (*_logged(context), *facts, _failed(one.call, error, ms=_ms(began), labels=labels(mind, one.tool)))
    except asyncio.CancelledError:
        mind.consulting.pop(one.call.id, None)  # sent, and nothing will come of it
        raise
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
    shown, cut = (output, False) if one.inner else await _capped(mind, output, one.call.id)
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
        one = _Work(call, tool, arguments(tool, call.args))
        one.inner = True
        judged = tool.judged(one.args, mind.files, mind.run)
        reached = judged.recipients
        if tool.calls_tools:
            raise ToolFailed("unsupported", f"{tool.name} cannot be called from within another call")
        allowed = verdict(mind, tool, judged)
        if allowed == "dry":
            return (_answered(call, _foregone(mind, tool, one.args, judged)),)
        if allowed != "open" and not one.resumed:
            raise ToolFailed("denied", f"{_named(tool, judged)} must be allowed by a person: call it directly")
        if one.needs_intent:
            await commit(e.CallStarted(call=call.id, tool=tool.name, within=outer.id))
        facts = await _run(mind, one)
    except ToolFailed as error:
        facts = (_failed(call, error),)
    if any(isinstance(fact, e.CallAnswered) and len(to_json(fact.output)) > INNER_BYTES for fact in facts):
        facts = (_failed(call, ToolFailed("too_large", "the output is larger than a script takes: save it to a file")),)
    if any(isinstance(fact, e.CallSuspended) for fact in facts):
        facts = (_failed(call, ToolFailed("unsupported", f"{call.name} waits, and a script cannot: call it directly")),)
    return tuple(
        replace(fact, within=outer.id, reached=reached if fact.error is None else ())
        if isinstance(fact, e.CallAnswered)
        else fact
        for fact in facts
    )


async def _attempted(mind: Mind, one: _Work, context: ToolContext) -> tuple[Any, int]:
    """The tool's outcome, after retries of what may be retried (L6)."""
    if one.resumed and one.tool.effect == "once":
        return await _probed(mind, one, context), 1
    for attempt in range(1, TOOL_RETRIES + 2):
        try:
            return await _with_room(mind, one, context), attempt
        except ToolFailed as error:
            if not error.retryable or attempt > TOOL_RETRIES or one.tool.effect == "once" or not mind.run.options.auto_retry:
                raise
            await mind.services.clock.sleep(error.retry_after or backoff(attempt))
    raise AssertionError("unreachable: the last attempt raises")


async def _with_room(mind: Mind, one: _Work, context: ToolContext) -> Any:
    """Whichever way a tool writes: where the disk is full, what can go goes, and the call is made again if it may be (L6)."""
    try:
        if one.tool.effect == "once":
            await all_back(mind.files, mind.services.blobs)
        try:
            return await _with_files(mind, one, context)
        except DiskFull:
            made = await _room_made(mind)
            if one.tool.effect == "once" or not made:
                raise
            return await _with_files(mind, one, context)
    except DiskFull as error:
        raise ToolFailed("quota", str(error)) from error


async def _with_files(mind: Mind, one: _Work, context: ToolContext) -> Any:
    """A file that was put away comes back when the call asks for it, and the call is made again."""
    while True:
        try:
            return await _within_time(one, context)
        except PutAway as away:
            if one.tool.effect == "once":
                raise
            await bring_back(mind.files, mind.services.blobs, away.path)


async def _room_made(mind: Mind) -> bool:
    return await make_room(mind.files, mind.services.blobs, mind.run.artifacts)


async def _capped(mind: Mind, output: Any, call: str) -> tuple[Any, bool]:
    """What was done is told, be the disk as full as it may."""
    try:
        return capped(output, call, mind.files)
    except DiskFull:
        await _room_made(mind)
    try:
        return capped(output, call, mind.files)
    except (DiskFull, ToolFailed) as error:
        return told_in_part(output, str(error)), True


async def _probed(mind: Mind, one: _Work, context: ToolContext) -> Any:
    """An earlier slice may have done it: ask the target if it can be asked, never do it blindly again."""
    if one.tool.probe is not None:
        found = await one.tool.probe(context, **one.args)
        if found is not None:
            return found
        return await _with_room(mind, one, context)
    raise ToolFailed(
        "ambiguous",
        "outcome unknown: this call was under way when the work was interrupted, and it may have taken effect. "
        "It was not repeated. Find out before you do it again, or say so in the result.",
    )


async def _within_time(one: _Work, context: ToolContext) -> Any:
    tool = one.tool
    given = {"ctx": context, **one.args} if tool.takes_context else one.args
    try:
        async with asyncio.timeout(tool.timeout.total_seconds()):
            if inspect.iscoroutinefunction(tool.fn):
                return await tool.fn(**given)
            return await asyncio.to_thread(tool.fn, **given)
    except TimeoutError as error:
        raise ToolFailed(
            "timeout", f"{tool.name} took longer than {tool.timeout.total_seconds():g} s and was stopped"
        ) from error
    except DiskFull:
        raise
    except Retryable as error:
        raise ToolFailed("unavailable", str(error), retryable=True, retry_after=error.retry_after) from error
    except (ToolFailed, asyncio.CancelledError):
        raise
    except Exception as error:
        if out_of_space(error):
            raise DiskFull(f"no space was left on the disk while {tool.name} was at work") from error
        raise ToolFailed("failed", f"{tool.name} failed: {type(error).__name__}: {error}") from error


def _context(mind: Mind, call: OpenCall, facts: list[e.AnyEvent]) -> ToolContext:
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
        consult=partial(consult, mind, call.id, facts),
        labels=frozenset(read_by(mind)),
    )


def _answered(call: OpenCall, output: Any) -> e.CallAnswered:
    return e.CallAnswered(call=call.id, tool=call.name, output=output)


def _failed(call: OpenCall, error: ToolFailed, *, ms: int = 0, labels: tuple[str, ...] = ()) -> e.CallAnswered:
    return e.CallAnswered(call=call.id, tool=call.name, output=as_text(str(error)), error=error.kind, ms=ms, labels=labels)


def _logged(context: ToolContext) -> tuple[e.Logged, ...]:
    said, context.files.said = context.files.said, []
    lines = [e.Logged(level=level, message=message) for level, message in context.logged]
    return (*lines, *(e.Logged(level="warning", message=one) for one in said))


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
