"""What a commit says to others, derived from its facts: messages to parent and children, the index of open questions, marks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from auteryn.agent.thread import Thread
from auteryn.policy.asking import withdrawn
from auteryn.runtime.marks import mark
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.change import Doc, Send
from auteryn.schema.human import Answer
from auteryn.schema.run import Run

ASK = "ask"
"""Kind of the index's lines, by the questions' ids; their scope is the owner."""


def sends_of(before: Run, run: Run, events: Sequence[e.AnyEvent], now: datetime) -> tuple[Send, ...]:
    """Messages to parent and children. A child's end goes to its parent in the very commit that ends it, so a join cannot be
    lost (L5).

    A run that ends cancels what is still at work below it: nobody would use its result (L10).
    """
    out = list[Send]()
    if run.terminal:
        by = next((event.by for event in events if isinstance(event, e.RunCancelled)), "auteryn")
        out += [Send(run=child, message=m.Cancel(id=f"cancel-{run.id}", sent_at=now, by=by)) for child in before.shares]
    for event in events:
        match event:
            case e.RunCompleted() | e.RunFailed() | e.RunCancelled() if run.parent:
                out.append(_end(run, now))
            case e.BudgetAsked(short_credits=short) if run.parent:
                asked = m.ShareAsked(
                    id=f"share-{run.id}-{run.limits.llm_calls}-{run.limits.credits}",
                    short_credits=short,
                    sent_at=now,
                    run=run.id,
                    used_calls=run.usage.llm_calls,
                    used_credits=run.usage.credits.total,
                )
                out.append(Send(run=run.parent.run, message=asked))
            case _:
                pass
    return tuple(out)


def documents(before: Run, run: Run, events: Sequence[e.AnyEvent], now: datetime) -> tuple[Doc, ...]:
    """The index lines of questions, so that an answer finds its run and a person all questions; and milestones."""
    out = list(mark(run, now))
    if run.terminal:
        out += [ask_line(ask.id, run.id, run.owner, now, withdrawn(ask.id, now)) for ask in before.asks]
    for event in events:
        match event:
            case e.AskOpened():
                out.append(ask_line(event.ask.id, run.id, run.owner, now))
            case e.AskAnswered():
                out.append(ask_line(event.answer.ask, run.id, run.owner, now, event.answer))
            case _:
                pass
    return tuple(out)


def ask_line(ask: str, run: str, owner: str, at: datetime, answer: Answer | None = None) -> Doc:
    """A question's line in the index of all an owner's questions; with what came of it, it is closed."""
    closed = {"by": answer.by, "how": answer.how} if answer else {}
    return Doc(kind=ASK, id=ask, scope=owner, body={"run": run, "open": answer is None, **closed}, at=at)


def touches_children(events: Sequence[e.AnyEvent]) -> bool:
    """Whether these facts may let something start."""
    return not _STARTERS.isdisjoint(map(type, events))


def children_ended(events: Sequence[e.AnyEvent]) -> bool:
    return not _ENDS.isdisjoint(map(type, events))


def all_wait_after(thread: Thread, facts: Sequence[e.AnyEvent]) -> bool:
    """Whether every open call of the turn is suspended after these facts and nothing starts: then the slice is over."""
    suspended = {fact.call for fact in facts if isinstance(fact, e.CallSuspended)}
    if not suspended:
        return False
    done = suspended | {fact.call for fact in facts if isinstance(fact, e.CallAnswered)}
    waits = all(call.state == "suspended" or call.id in done for call in thread.open_calls)
    return waits and not touches_children(facts)


_ENDS = frozenset[type]({e.StepsEnded, e.TickEnded})
_STARTERS = frozenset[type](
    {e.PlanCreated, e.PlanRevised, e.StepsEnded, e.StepRetried, e.PlanReviewed, e.ScheduleCreated, e.TickEnded}
)


def _end(run: Run, now: datetime) -> Send:
    assert run.parent is not None
    status = "completed" if run.status == "completed" else "cancelled" if run.status == "cancelled" else "failed"
    end = e.StepEnd(
        step=run.parent.key,
        run=run.id,
        attempt=run.parent.attempt,
        status=status,
        result=run.result,
        error=f"{run.failure.reason}: {run.failure.message}" if run.failure else None,
        usage=run.usage,
        artifacts=run.artifacts,
        used_tools=run.used_tools,
    )
    message = m.StepEnded(id=f"ended-{run.id}", sent_at=now, kind_of_child=run.parent.kind, of=run.parent.of, end=end)
    return Send(run=run.parent.run, message=message)
