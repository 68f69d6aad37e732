"""What the inbox means: messages become facts. Pure; the slice commits the facts and the consumed ids together (L5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from auteryn.agent.prompt import DEADLINE
from auteryn.agent.thread import Thread
from auteryn.errors import Invalid
from auteryn.plan.graph import left_out, reworded
from auteryn.policy.asking import notices, silence, silent, withdrawn
from auteryn.policy.budget import BUDGET_WORDS, RAISE, raise_question, raised
from auteryn.policy.gates import decided
from auteryn.runtime.children import fair_share
from auteryn.schema import event as e
from auteryn.schema import inbox as m
from auteryn.schema.change import Send
from auteryn.schema.fold import after
from auteryn.schema.human import Answer
from auteryn.schema.record import derived_id, to_json
from auteryn.schema.run import ForPerson, Queued, Run, Share

MOST_AT_ONCE, MOST_BYTES = 1_000, 4_000_000
"""Of messages in one commit: Firestore takes 10 MiB, and a slice holds its entry in memory several times over."""
TO_ALL = "(said to the whole run, of which this is a part) "
"""Before an interruption that reaches a step: it may be about another."""


class Intake(Struct):
    """What was read: facts to commit, ids that are done with, messages to others, and what the slice must do itself."""

    events: list[e.AnyEvent] = field(default_factory=list[e.AnyEvent])
    consumed: list[str] = field(default_factory=list[str])
    sends: list[Send] = field(default_factory=list[Send])
    cancel: m.Cancel | None = None
    halted: e.RunFailed | None = None
    paused: bool = False
    """Whether the run is paused once all this is committed."""
    more: bool = False
    """There is more than one commit takes: read again."""
    closed: set[str] = field(default_factory=set[str])
    """Calls that got their answer, or a person's answer, in this very batch."""
    answered: set[str] = field(default_factory=set[str])
    """Questions that got their answer in this batch."""


def take_in(run: Run, thread: Thread, messages: Sequence[m.AnyMessage], now: datetime) -> Intake:
    """Read the inbox at once: a hundred steps that ended together are one fact and one commit. What is more than a commit takes
    is not consumed; but a cancel among it counts, and so does what is taken back or put in other words there."""
    out, ends, paused = Intake(), list[e.StepEnd](), run.status == "paused"
    words = {one.message: one.text for one in messages if isinstance(one, m.Reword)}
    out.events += escalated(run, now)
    batch = _for_one_commit(messages)
    out.more = len(batch) < len(messages)
    for message in batch:
        out.consumed.append(message.id)
        match message:
            case m.Cancel():
                out.cancel = out.cancel or message
            case m.UserMessage():
                _said(run, thread, message, words.get(message.id, message.text), now, out)
            case m.Pause():
                out.events += [] if paused else [e.Paused(by=message.by)]
                paused = True
                out.sends += _to_children(run, message, now)
            case m.Resume():
                out.events += [e.Unpaused(by=message.by)] if paused else []
                paused = False
                out.sends += _to_children(run, message, now)
            case m.Answered():
                _answer(run, message.answer, out)
            case m.Voted():
                _vote(run, message.answer, out)
            case m.StepEnded():
                out.events += _child_ended(run, message, ends)
            case m.ShareAsked():
                _share_asked(run, message, now, out)
            case m.ShareGiven():
                fact = e.ShareChanged(run=run.id, llm_calls=message.llm_calls, credits=message.credits, refused=message.refused)
                out.events.append(fact)
            case m.RetryStep():
                failed = [step.id for step in run.plan.steps if step.status == "failed"] if run.plan else []
                out.events += [e.StepRetried(step=message.step, by=message.by)] if message.step in failed else []
            case m.Rename():
                out.events.append(e.Renamed(title=message.title, by=message.by))
            case m.Reword():
                later = any(said.id == message.message for said in run.queued)
                fact = e.MessageChanged(message=message.message, text=message.text, by=message.by)
                out.events += [fact] if later else []
            case m.ChangeStep():
                out.events.append(_step_changed(run, message, out, now))
            case m.EndSchedule():
                going = any(one.id == message.schedule and one.next_index < one.ticks for one in run.schedules)
                why = f"stopped by {message.by}"
                out.events += [e.ScheduleEnded(schedule=message.schedule, why=why)] if going else []
            case m.Poke():
                pass
            case _:
                assert_never(message)
    out.cancel = out.cancel or next((one for one in messages if isinstance(one, m.Cancel)), None)
    out.events += notices(run, now) if not paused else []
    out.paused = paused
    if ends:
        out.events.append(e.StepsEnded(steps=tuple(ends)))
    if now >= run.deadline_at and not run.over_time and not out.cancel:
        why = "the time of this run is over"
        out.events += [*_interrupted(run, thread, out, why, now), e.Told(text=DEADLINE, why="deadline")]
    return out


def _for_one_commit(messages: Sequence[m.AnyMessage]) -> Sequence[m.AnyMessage]:
    """The first ones, at least one."""
    left = MOST_BYTES
    for place, message in enumerate(messages):
        left -= len(to_json(message))
        if place and (left < 0 or place == MOST_AT_ONCE):
            return messages[:place]
    return messages


def expired(run: Run, now: datetime) -> list[m.Answered]:
    """Answers by silence for the asks whose time is over. They compete with a person's answer for one message id."""
    found = (silence(ask, now, run.deadline_at) for ask in run.asks if silent(ask, now))
    return [m.Answered(id=m.answer_message_id(one.ask), sent_at=now, answer=one) for one in found if isinstance(one, Answer)]


def escalated(run: Run, now: datetime) -> list[e.AskEscalated]:
    """The questions whose next approver's turn it is."""
    found = (silence(ask, now, run.deadline_at) for ask in run.asks if silent(ask, now))
    return [one for one in found if isinstance(one, e.AskEscalated)]


def _said(run: Run, thread: Thread, message: m.UserMessage, text: str | None, now: datetime, out: Intake) -> None:
    """`text`: what the message says by now; None: it was taken back before anybody heard it."""
    if text is None:
        return
    if message.mode == "queue":
        out.events.append(e.MessageQueued(message=Queued(id=message.id, text=text, by=message.by)))
        return
    why, at_work = "interrupted by a message from the owner", message.mode == "interrupt"
    out.events += _interrupted(run, thread, out, why, message.sent_at, at_work=at_work)
    out.events.append(e.Told(text=f"Message from the owner: {text}", why="message", message=message.id, by=message.by))
    if at_work:
        out.sends += _to_children(run, message, now, text=text if run.parent else TO_ALL + text)


def _interrupted(run: Run, thread: Thread, out: Intake, why: str, now: datetime, *, at_work: bool = False) -> list[e.AnyEvent]:
    """Answers for every suspended call, so that the agent hears what comes. Steps go on and are reported when they end. The
    question whether to go on needs no answer any more; nor, when the time is over, does the one about the budget.

    `at_work`: for every other call as well, unless it may have taken effect (L6).
    """
    facts = list[e.AnyEvent]()
    for ask in run.asks:
        over = ask.kind == "budget" and now >= run.deadline_at
        if (over or ask.id == thread.stuck_ask) and ask.id not in out.answered:
            out.answered.add(ask.id)
            facts.append(e.AskAnswered(answer=(answer := withdrawn(ask.id, now))))
            if over:
                _budget_answered(run, answer, out)
    for call in thread.open_calls:
        waits = call.state == "suspended"
        settled = at_work and not call.begun and all(one.answer for one in call.inner.values())
        if call.id in out.closed or not (waits or settled):
            continue
        out.closed.add(call.id)
        if isinstance(call.wait, ForPerson):
            facts.append(e.AskAnswered(answer=withdrawn(call.wait.ask, now)))
        facts.append(e.CallAnswered(call=call.id, tool=call.name, output={"status": "interrupted", "why": why}))
    return facts


def _answer(run: Run, answer: Answer, out: Intake) -> None:
    """The one answer of a question. After a cancel nothing is answered any more; whoever comes later is told so."""
    ask = next((ask for ask in run.asks if ask.id == answer.ask), None)
    if ask is None or out.cancel or ask.id in out.answered or ask.call in out.closed:
        return
    out.events.append(e.AskAnswered(answer=answer))
    out.answered.add(ask.id)
    if ask.call:
        out.closed.add(ask.call)
    if ask.kind == "budget":
        out.events.append(e.BudgetDecided(how=BUDGET_WORDS.get(str(answer.value), "stop"), by=answer.by))
        _budget_answered(run, answer, out)
    if answer.how == "expired" and ask.on_timeout == "halt":
        out.halted = e.RunFailed(reason="halted", message=f"nobody answered {ask.message!r} in time")


def _vote(run: Run, vote: Answer, out: Intake) -> None:
    """One vote of several. Each person counts once; the vote that makes the quorum is the answer, in the name of all who
    agreed."""
    ask = next((ask for ask in run.asks if ask.id == vote.ask), None)
    if ask is None or out.cancel or ask.id in out.answered:
        return
    cast = tuple(one.answer for one in out.events if isinstance(one, e.AskVoted) and one.answer.ask == ask.id)
    ask = replace(ask, votes=(*ask.votes, *cast))
    if any(one.by == vote.by for one in ask.votes):
        return
    if not decided(ask, vote.value):
        out.events.append(e.AskVoted(answer=vote))
        return
    agreed = [one.by for one in ask.votes if one.value == vote.value]
    _answer(run, replace(vote, by=", ".join([*agreed, vote.by])), out)


def _child_ended(run: Run, message: m.StepEnded, ends: list[e.StepEnd]) -> list[e.AnyEvent]:
    """A child's end counts once, and only for the attempt that is under way."""
    end = message.end
    if message.kind_of_child == "tick":
        schedule = next((s for s in run.schedules if s.id == message.of and end.run in s.running), None)
        return [e.TickEnded(schedule=schedule.id, end=end)] if schedule else []
    plan = run.plan
    if plan and plan.id == message.of and end.step <= len(plan.steps):
        step = plan.step(end.step)
        if step.run == end.run and step.status == "in_progress":
            ends.append(end)
    return []


def _step_changed(run: Run, message: m.ChangeStep, out: Intake, now: datetime) -> e.AnyEvent:
    """The plan with one step changed or left out, on top of earlier changes in this batch. A step that has begun stays."""
    entry = e.Entry(seq=run.seq + 1, at=now, slice=run.slice, commit="", events=tuple(out.events))
    plan = after(run, entry).plan
    try:
        if plan is None:
            raise Invalid("step", message.step, "belongs to no plan")
        new, diff = (
            left_out(plan, message.step) if message.description is None else reworded(plan, message.step, message.description)
        )
    except Invalid as error:
        return e.Logged(level="warning", message=f"what {message.by} said of step {message.step} came too late: {error}")
    return e.PlanRevised(plan=new, diff=diff, note=f"by {message.by}")


def _share_asked(run: Run, message: m.ShareAsked, now: datetime, out: Intake) -> None:
    """A child asked for more: give a fair part of what is free, at least what it lacks; else ask the owner, or say no."""
    share = run.shares.get(message.run)
    if share is None:
        return
    given = [one for one in out.events if isinstance(one, e.ShareChanged) and one.run in run.shares]  # to others, a moment ago
    held = {**run.shares, **{one.run: Share(llm_calls=one.llm_calls, credits=one.credits) for one in given}}
    more = fair_share(replace(run, shares=held), len(held), at_least=message.short_credits)
    enough = (more.credits or 0) >= message.short_credits if message.short_credits else more.llm_calls >= 1
    change = _more(message.run, share, more if enough else Share(llm_calls=0))  # what is refused is no larger than it was
    if enough:
        out.events.append(change)
    elif message.short_credits and (ask := raise_question(run, now, message.short_credits)):
        opened = (*run.asks, *(one.ask for one in out.events if isinstance(one, e.AskOpened)))
        out.events += [] if any(one.id == ask.id for one in opened) else [e.AskOpened(ask=ask)]
        return
    out.sends.append(_given(message.run, change, now, message.id, refused=not enough))


def _budget_answered(run: Run, answer: Answer, out: Intake) -> None:
    """Tell the waiting children: they go on with a part of the raised budget, or end with what they have."""
    stop, new = BUDGET_WORDS.get(str(answer.value), "stop") == "stop", Share(llm_calls=0)
    if answer.value == RAISE and run.limits.credits is not None:
        limits = replace(run.limits, credits=raised(run.limits.credits))
        out.events.append(e.ShareChanged(run=run.id, llm_calls=limits.llm_calls, credits=limits.credits))
        new = replace(fair_share(replace(run, limits=limits), len(run.shares)), llm_calls=0)
    elif not stop:
        return
    for child, share in run.shares.items():
        change = _more(child, share, new)
        out.events += [] if stop else [change]
        out.sends.append(_given(child, change, answer.at, answer.ask, refused=stop))


def _more(child: str, share: Share, more: Share) -> e.ShareChanged:
    credits = None if share.credits is None else share.credits + (more.credits or 0)
    return e.ShareChanged(run=child, llm_calls=share.llm_calls + more.llm_calls, credits=credits)


def _given(child: str, change: e.ShareChanged, now: datetime, why: str, *, refused: bool) -> Send:
    given = m.ShareGiven(
        id=derived_id("share", child, why), sent_at=now, llm_calls=change.llm_calls, credits=change.credits, refused=refused
    )
    return Send(run=child, message=given)


def _to_children(run: Run, message: m.Pause | m.Resume | m.UserMessage, now: datetime, **changed: str) -> list[Send]:
    """The same to every step and tick under way."""
    down = replace(message, id=f"{message.id}-down", sent_at=now, **changed)
    return [Send(run=child, message=down) for child in run.shares]
