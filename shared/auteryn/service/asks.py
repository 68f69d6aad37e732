"""Questions to people: who asks what, and the one answer that wins."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec.structs import replace

from auteryn.errors import NotFound, WrongState
from auteryn.policy.answers import check_question, checked, remembers
from auteryn.policy.gates import ALLOW
from auteryn.runtime.children import born, title_of
from auteryn.runtime.due import wake_at
from auteryn.schema import event as e
from auteryn.schema.change import Doc
from auteryn.schema.human import Answer, Ask, InputType
from auteryn.schema.inbox import Answered, answer_message_id
from auteryn.schema.record import canonical_json, derived_id, new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import ForPerson, Input, Limits, Run
from auteryn.service.access import ENDED, Access
from auteryn.service.create import refuse_another, store_new
from auteryn.service.new import lifetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUESTION = "question"
"""Label `kind` of a run that is only a question."""


async def asks(access: Access, run_id: str | None = None, *, open_only: bool = True) -> list[Ask]:
    """Questions, oldest first: of all the owner's runs, or of one run and its steps."""
    root = await access.run(run_id) if run_id else None
    found = list[Ask]()
    for doc in await access.services.store.docs("ask", access.owner):
        if open_only and not doc.body["open"]:
            continue
        run = await _run_of(access, doc)
        if run is None or (root and root.id not in (run.id, run.root)):
            continue
        ask = next((ask for ask in run.asks if ask.id == doc.id), None)
        if ask is None and open_only:
            await _close_line(access, run, doc)
        elif ask := ask or await _asked(access, run, doc.id):
            found.append(ask)
    return sorted(found, key=lambda ask: ask.opened_at)


async def answer(access: Access, ask_id: str, value: Any, by: str, *, remember: bool = False) -> Answer:
    """The answer, in the run's inbox: the first one wins. Raises `Invalid` naming what may be answered, `WrongState` for a
    question that is closed, naming who closed it."""
    doc = await access.services.store.doc("ask", ask_id)
    run = await _run_of(access, doc) if doc else None
    if run is None:
        raise NotFound(f"no question {ask_id!r}; `auteryn ls` shows the runs that wait for one")
    ask = next((ask for ask in run.asks if ask.id == ask_id), None)
    if ask is None:
        raise await _closed(access, run, ask_id)
    value = checked(ask, value)
    remember = remembers(ask, value) or (remember and ask.kind == "gate" and value == ALLOW)
    said = Answer(ask=ask_id, value=value, by=by, at=access.now(), remember=remember)
    if not await access.tell(run, Answered(id=answer_message_id(ask_id), sent_at=access.now(), answer=said)):
        raise await _closed(access, run, ask_id)
    return said


async def ask(
    access: Access,
    message: str,
    *,
    kind: Literal["approval", "input"] = "approval",
    options: tuple[str, ...] = (),
    input_type: InputType = "text",
    validation: str | None = None,
    json_schema: dict[str, Any] | None = None,
    context: str = "",
    max_duration: str = "1w",
    key: str | None = None,
) -> Run:
    """A run that is only this question: no model, no slice until the answer comes. Its result is the answer."""
    run_id, now = new_id("run"), access.now()
    span = lifetime(max_duration)
    asked = Ask(
        id=derived_id("ask", run_id),
        run=run_id,
        message=message,
        opened_at=now,
        kind=kind,
        options=options,
        input_type="choice" if kind == "approval" else input_type,
        validation=validation,
        json_schema=json_schema,
        context=context,
        expires_at=now + span,
        on_timeout="deny",
    )
    check_question(asked)
    run = _question_run(access, asked, span)
    line = Doc(kind="ask", id=asked.id, scope=access.owner, body={"run": run.id, "open": True}, at=now)
    await access.services.store.put(line)  # before the run: a line too many is passed over, one too few would hide a question
    task = Input(text=message, extra={"request": _fingerprint(asked)} if key is not None else {})
    newborn = born(run, task, now, e.AskOpened(ask=asked))
    made = await store_new(access, replace(newborn, wake_at=wake_at(newborn.run)), key=key)
    if made.id != run.id:
        await access.services.store.drop("ask", asked.id)
        await refuse_another(access, made, key, task)
    return made


async def answer_of(access: Access, run: Run) -> Answer | None:
    """The answer a question run ended with."""
    return next((found for found in reversed(await _answers(access, run)) if found.how != "withdrawn"), None)


# ---- pieces --------------------------------------------------------------------------------------------------


def _question_run(access: Access, asked: Ask, span: timedelta) -> Run:
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
        waits=(ForPerson(ask=asked.id, until=asked.expires_at),),
        labels={"kind": QUESTION},
    )


def _fingerprint(asked: Ask) -> str:
    """Equal for the same question asked again."""
    return hashlib.sha256(canonical_json(replace(asked, id="", run="", opened_at=EPOCH, expires_at=None))).hexdigest()


async def _run_of(access: Access, doc: Doc) -> Run | None:
    try:
        return await access.run(doc.body["run"])
    except NotFound:
        return None


async def _close_line(access: Access, run: Run, doc: Doc) -> None:
    """The run ended with the question open: its line says so from now on."""
    if run.terminal:
        await access.services.store.put(replace(doc, body={**doc.body, "open": False, "how": "withdrawn"}))


async def _asked(access: Access, run: Run, ask_id: str) -> Ask | None:
    for entry in await access.services.store.journal(run.id):
        for event in entry.events:
            if isinstance(event, e.AskOpened) and event.ask.id == ask_id:
                return event.ask
    return None


async def _answers(access: Access, run: Run) -> list[Answer]:
    journal = await access.services.store.journal(run.id)
    return [event.answer for entry in journal for event in entry.events if isinstance(event, e.AskAnswered)]


async def _closed(access: Access, run: Run, ask_id: str) -> WrongState:
    """Who answered, or why nobody can any more."""
    waiting = [one.answer for one in await access.services.store.inbox(run.id) if isinstance(one, Answered)]
    for found in [*waiting, *await _answers(access, run)]:
        if found.ask == ask_id and found.how == "answered":
            return WrongState(
                f"question {ask_id!r} was answered {found.value!r} by {found.by} at {found.at:%Y-%m-%d %H:%M} UTC"
            )
        if found.ask == ask_id:
            return WrongState(f"question {ask_id!r} is closed: it has {found.how}")
    return WrongState(f"question {ask_id!r} is closed: run {run.id!r} has {ENDED.get(run.status, 'gone on without it')}")
