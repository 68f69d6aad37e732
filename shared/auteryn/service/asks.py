"""Questions to people: who asks what, and the one answer that wins."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from auteryn.errors import Invalid, NotAllowed, NotFound, ToolFailed, WrongState
from auteryn.policy.answers import check_question, checked, remembers
from auteryn.policy.asking import timed, waited_for
from auteryn.policy.durations import moment
from auteryn.policy.gates import ALLOWING, may_answer
from auteryn.runtime.children import birth, title_of
from auteryn.runtime.due import wake_at
from auteryn.runtime.outbox import posts
from auteryn.runtime.outgoing import ASK, ask_line
from auteryn.schema import event as e
from auteryn.schema.change import Doc
from auteryn.schema.human import Answer, Ask, InputType, OnTimeout
from auteryn.schema.inbox import Answered, AnyMessage, Cancel, Voted, answer_message_id
from auteryn.schema.record import Record, canonical_json, derived_id, new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import ENDINGS, QUESTION, Channel, Input, Limits, Options, Run
from auteryn.service.access import Access
from auteryn.service.create import refuse_another, store_new
from auteryn.service.new import lifetime
from auteryn.tools.signature import arguments

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def asks(access: Access, run_id: str | None = None, *, open_only: bool = True) -> list[Ask]:
    """Questions, oldest first: of all the owner's runs, or of one run and its steps."""
    root = await access.run(run_id) if run_id else None
    found = list[Ask]()
    async for doc, run in askers(access, open_only=open_only):
        if root and root.id not in (run.id, run.root):
            continue
        ask = next((ask for ask in run.asks if ask.id == doc.id), None)
        if ask is None and not open_only:
            ask = await _asked(access, run, doc.id)
        if ask is not None:
            found.append(ask)
    return sorted(found, key=lambda ask: ask.opened_at)


async def askers(access: Access, *, open_only: bool = True) -> AsyncGenerator[tuple[Doc, Run]]:
    """Each index line of the owner's questions, with its run as it is now. A line may say "open" of a question the run does not
    know yet, or no longer has."""
    for doc in await access.services.store.docs(ASK, access.owner):
        if doc.body["open"] or not open_only:
            run = await _run_of(access, doc)
            if run is not None:
                yield doc, run


class Question(Record):
    """A question that is a run of its own; its result is the answer."""

    message: str
    kind: Literal["approval", "input"] = "approval"
    options: tuple[str, ...] = ()
    input_type: InputType = "text"
    validation: str | None = None
    json_schema: dict[str, Any] | None = None
    context: str = ""
    timeout: str | None = None
    """Such as `24h`; left out: as long as the question lives."""
    on_timeout: OnTimeout = "deny"
    default: str | None = None
    approvers: tuple[str, ...] = ()
    """Who may answer: names or addresses; empty: whoever may steer the owner's runs."""
    escalate_to: tuple[str, ...] = ()
    """Whose turn comes next, one after the other, each time that `timeout` has passed."""
    quorum: Annotated[int, Meta(ge=1, le=20)] = 1
    """How many different people must say the same."""
    notify: tuple[Channel, ...] = ()
    """Who hears that it is open."""
    max_duration: str = "1w"


class Said(Record):
    """What a person says to a question."""

    value: Any
    remember: bool = False
    """For a gate: the same answer for this tool and target for the rest of the run."""
    until: datetime | None = None
    """With `remember`: when a permission ends before the run does."""
    args: dict[str, Any] | None = None
    """For a gate that is opened: other arguments than those that were shown."""


async def answer(access: Access, ask_id: str, said: Said, by: str, *, again: bool = False) -> Answer:
    """Put the answer into the run's inbox; the first one wins. Raises `Invalid` naming what may be answered, `NotAllowed` for
    somebody who is no approver, `WrongState` for a question that is closed, naming who closed it. `again`: if the same person
    has given exactly this answer before, return that one instead of refusing it as too late."""
    try:
        run, ask = await open_ask(access, ask_id)
        given = _given(access, ask, said, by)
        first = await access.engine.tell(run, _message(ask, given))
        return await _told(access, run.id, ask, given, first=first)
    except WrongState:
        if again and (before := await said_before(access, ask_id, said, by)):
            return before
        raise


async def question(access: Access, ask_id: str) -> Ask:
    """The question, open or not; raises `NotFound`."""
    run = await _asking(access, ask_id)
    found = next((ask for ask in run.asks if ask.id == ask_id), None) or await _asked(access, run, ask_id)
    if found is None:
        raise NotFound(f"no question {ask_id!r}")
    return found


async def open_ask(access: Access, ask_id: str) -> tuple[Run, Ask]:
    """The open question and its run; raises `NotFound`, or `WrongState` naming who closed it."""
    run = await _asking(access, ask_id)
    ask = next((ask for ask in run.asks if ask.id == ask_id), None)
    if ask is None:
        raise await _closed(access, run, ask_id)
    return run, ask


async def ask(access: Access, wanted: Question, *, key: str | None = None) -> Run:
    """A run that is only this question: no model, no slice until the answer comes. Its result is the answer."""
    run_id, now = new_id("run"), access.now()
    span = lifetime(wanted.max_duration)
    asked = Ask(
        id=derived_id("ask", run_id),
        run=run_id,
        message=wanted.message,
        opened_at=now,
        kind=wanted.kind,
        options=wanted.options,
        input_type="choice" if wanted.kind == "approval" else wanted.input_type,
        validation=wanted.validation,
        json_schema=wanted.json_schema,
        context=wanted.context,
        timeout=span if wanted.timeout is None else lifetime(wanted.timeout, "timeout"),
        on_timeout=wanted.on_timeout,
        default=wanted.default,
        approvers=wanted.approvers,
        escalate_to=wanted.escalate_to,
        quorum=wanted.quorum,
    )
    asked = timed(asked, now + span)
    check_question(asked)
    run = _question_run(access, asked, span, wanted.notify)
    line = ask_line(asked.id, run.id, access.owner, now)
    await access.services.store.put(line)  # before the run: a line too many is passed over, one too few would hide a question
    task = Input(text=wanted.message, extra={"request": _fingerprint(asked)} if key is not None else {})
    newborn = birth(run, task, now, e.AskOpened(ask=asked))
    told = await posts(access.engine, None, newborn.run, newborn.entry.events, now)
    for post in told:
        await access.services.store.put(post)
    made = await store_new(access, replace(newborn, wake_at=wake_at(newborn.run)), key=key)
    if made.id != run.id:
        for doc in (line, *told):
            await access.services.store.drop(doc.kind, doc.id)
        await refuse_another(access, made, key, task)
        return made
    for post in told:
        await access.engine.hint(access.services.queue.enqueue(post.id, now))
    return made


async def answer_of(access: Access, run: Run) -> Answer | None:
    """The answer a question run ended with."""
    return next((found for found in reversed(await _answers(access, run)) if found.how != "withdrawn"), None)


async def said_before(access: Access, ask_id: str, said: Said, by: str) -> Answer | None:
    """The very answer this person has given: still in the inbox, as a vote, or as one of those who agreed."""
    run, ask = await _asking(access, ask_id), await question(access, ask_id)
    given = _given(access, replace(ask, approvers=()), said, by)
    waiting = [one.answer for one in await _in_time(access, run, ask_id) if isinstance(one, Answered | Voted)]
    facts = e.facts(await access.services.store.journal(run.id))
    for found in [*waiting, *(fact.answer for fact in facts if isinstance(fact, e.AskVoted | e.AskAnswered))]:
        if by in found.by.split(", ") and replace(found, at=given.at, by=by) == given:
            return found
    return None


# ---- pieces --------------------------------------------------------------------------------------------------


async def _asking(access: Access, ask_id: str) -> Run:
    """The run that asks, or once asked."""
    doc = await access.services.store.doc(ASK, ask_id)
    run = await _run_of(access, doc) if doc else None
    if run is None:
        raise NotFound(f"no question {ask_id!r}; `auteryn ls` shows the runs that wait for one")
    return run


def _given(access: Access, ask: Ask, said: Said, by: str) -> Answer:
    """The answer as it is stored; raises `NotAllowed` and `Invalid`."""
    if not may_answer(ask, by):
        raise NotAllowed(f"question {ask.id!r} is for {', '.join(ask.approvers)} to answer, not for {by!r}")
    value = checked(ask, said.value)
    args = _changed(access, ask, value, said.args)
    if said.until is not None and not (said.remember or remembers(ask, value)):
        raise Invalid("until", said.until, "belongs to an answer that is remembered")
    if said.until is not None and said.until.tzinfo is None:
        raise Invalid("until", said.until, "must say its time zone, such as '2026-01-31T09:00:00Z'")
    remember = args is None and ask.kind == "gate" and (remembers(ask, value) or said.remember)
    return Answer(ask=ask.id, value=value, by=by, at=access.now(), remember=remember, until=said.until, args=args)


def _changed(access: Access, ask: Ask, value: Any, args: dict[str, Any] | None) -> dict[str, Any] | None:
    """The changed arguments, as the tool takes them; raises `Invalid` where they do not fit, or no call could run with them."""
    if args is None:
        return None
    if ask.kind != "gate" or ask.subject is None or value not in ALLOWING:
        raise Invalid("args", args, "may be changed only where a call is allowed")
    try:
        return arguments(access.engine.registry.get(ask.subject.tool), args)
    except ToolFailed as error:
        raise Invalid("args", args, f"do not fit {ask.subject.tool}: {error}") from error


def _message(ask: Ask, given: Answer) -> Answered | Voted:
    if ask.quorum > 1:
        round_ = "|".join(ask.approvers)
        return Voted(id=derived_id("vote", ask.id, given.by, round_), sent_at=given.at, answer=given)
    return Answered(id=answer_message_id(ask.id), sent_at=given.at, answer=given)


async def _told(access: Access, run_id: str, ask: Ask, given: Answer, *, first: bool) -> Answer:
    """The answer, if it is the one that counts. Of answer, expiry and cancel exactly one wins; the others are told which."""
    run = await access.run(run_id)
    if not first:
        raise await _closed(access, run, ask.id)
    inbox = await access.services.store.inbox(run.id)
    mine = next((at for at, one in enumerate(inbox) if isinstance(one, Answered | Voted) and one.answer == given), None)
    if any(isinstance(one, Cancel) for one in inbox[: mine if mine is not None else None]):
        raise WrongState(f"question {ask.id!r} is closed: run {run.id!r} is being cancelled")
    still_open = any(one.id == ask.id for one in run.asks)
    if not still_open and given.by not in (await _winner(access, run, ask.id)).split(", "):
        raise await _closed(access, run, ask.id)
    return given


async def _winner(access: Access, run: Run, ask_id: str) -> str:
    return next((found.by for found in await _answers(access, run) if found.ask == ask_id and found.how == "answered"), "")


def _question_run(access: Access, asked: Ask, span: timedelta, notify: tuple[Channel, ...]) -> Run:
    return Run(
        id=asked.run,
        title=title_of(asked.message),
        mode="fast",
        routing=Decision(mode="fast", stage="forced", confidence=1.0, sure=True, reason="a question needs no model"),
        created_at=asked.opened_at,
        deadline_at=asked.opened_at + span,
        limits=Limits(llm_calls=1),
        owner=access.owner,
        status="waiting",
        waits=(waited_for(asked),),
        labels={"kind": QUESTION},
        options=Options(notify=notify),
    )


def _fingerprint(asked: Ask) -> str:
    """Equal for the same question asked again."""
    return hashlib.sha256(canonical_json(replace(asked, id="", run="", opened_at=EPOCH, expires_at=None))).hexdigest()


async def _run_of(access: Access, doc: Doc) -> Run | None:
    try:
        return await access.run(doc.body["run"])
    except NotFound:
        return None


async def _asked(access: Access, run: Run, ask_id: str) -> Ask | None:
    facts = e.facts(await access.services.store.journal(run.id))
    return next((fact.ask for fact in facts if isinstance(fact, e.AskOpened) and fact.ask.id == ask_id), None)


async def _answers(access: Access, run: Run) -> list[Answer]:
    facts = e.facts(await access.services.store.journal(run.id))
    return [fact.answer for fact in facts if isinstance(fact, e.AskAnswered)]


async def _in_time(access: Access, run: Run, ask_id: str) -> list[AnyMessage]:
    """What lies in the inbox and can still answer this question: before a cancel, and while it is open."""
    if all(one.id != ask_id for one in run.asks):
        return []
    return list(takewhile(lambda one: not isinstance(one, Cancel), await access.services.store.inbox(run.id)))


async def _closed(access: Access, run: Run, ask_id: str) -> WrongState:
    """Who answered, or why nobody can any more."""
    if any(isinstance(one, Cancel) for one in await access.services.store.inbox(run.id)):
        return WrongState(f"question {ask_id!r} is closed: run {run.id!r} is being cancelled")
    waiting = [one.answer for one in await _in_time(access, run, ask_id) if isinstance(one, Answered)]
    for found in [*waiting, *await _answers(access, run)]:
        if found.ask == ask_id and found.how == "answered":
            return WrongState(f"question {ask_id!r} was answered {found.value!r} by {found.by} at {moment(found.at)}")
        if found.ask == ask_id:
            return WrongState(f"question {ask_id!r} is closed: it has {found.how}")
    return WrongState(f"question {ask_id!r} is closed: run {run.id!r} has {ENDINGS.get(run.status, 'gone on without it')}")
