"""When a call's wait is over, and how the call is answered then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

from auteryn.agent.gate import CHANGED, fingerprint_now
from auteryn.agent.mind import Mind
from auteryn.agent.output import answered, failed
from auteryn.agent.prompt import plan_report
from auteryn.agent.thread import OpenCall
from auteryn.errors import ToolFailed
from auteryn.plan.scheduler import needs_review, over, running
from auteryn.policy.gates import ALLOWING
from auteryn.policy.limits import last_moment
from auteryn.schema import event as e
from auteryn.schema.human import Answer
from auteryn.schema.run import ForBudget, ForPerson, ForRateLimit, ForSteps, UntilTime
from auteryn.tools.signature import arguments


def waits_over(mind: Mind, news: Sequence[e.AnyEvent]) -> list[e.AnyEvent]:
    """The facts that end waits for a time or a person, given `news` that is to be committed together with them.

    Waits for steps are left out: `mind.run` does not know yet how the plan stands. So is everything once the run is out of
    time.
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
            return [answered(call, {"woke_at": wait.at.isoformat(), "reason": wait.reason})]
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
        return [answered(call, {"answer": answer.value, "note": "nobody answered in time"})]
    return [answered(call, {"answer": answer.value, "by": answer.by})]


def _gate_said(mind: Mind, call: OpenCall, answer: Answer) -> e.AnyEvent:
    """The call is allowed with exactly the arguments that were shown, or with those the person put in their place."""
    if answer.value not in ALLOWING:
        return failed(call, ToolFailed("denied", f"{answer.by} did not allow this call; do not repeat it"))
    try:
        tool = mind.registry.get(call.name)
        now = fingerprint_now(mind, tool, arguments(tool, call.args if answer.args is None else answer.args))
    except ToolFailed as error:
        return failed(call, error)
    if answer.args is None and now != mind.thread.gates[answer.ask]:
        return failed(call, ToolFailed("denied", CHANGED))
    return e.CallAllowed(call=call.id, sha256=now, by=answer.by, args=answer.args)


def _plan_said(mind: Mind, call: OpenCall) -> list[e.AnyEvent]:
    """A plan call is answered when every step has ended, or when nothing runs and the planner is to look. What it has looked at
    is reviewed when it has said something to it, not before."""
    plan = mind.run.plan
    if plan is None:
        return [failed(call, ToolFailed("not_found", "this run has no plan"))]
    stands_still = (needs_review(plan) or mind.run.closing) and not running(plan)
    return [answered(call, plan_report(plan))] if over(plan) or stands_still else []
