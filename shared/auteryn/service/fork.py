"""Fork a run: a new run with the past of an old one, up to any event, and a future of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from typing import Any, get_args

from msgspec.structs import replace

from auteryn.errors import Invalid, WrongState
from auteryn.policy.asking import withdrawn
from auteryn.schema import event as e
from auteryn.schema.change import Newborn
from auteryn.schema.fold import after, born
from auteryn.schema.record import Record, canonical_json, derived_id, new_id
from auteryn.schema.run import Effects, ForPerson, Run, Wait
from auteryn.service.access import Access
from auteryn.service.create import copy_notes, drop_copies, heir, refuse_another, store_new
from auteryn.service.cursor import read_cursor
from auteryn.service.new import LONGEST_INPUT
from auteryn.service.spend import check_spend

_ENDS = (e.RunCompleted, e.RunFailed, e.RunCancelled)


class Fork(Record):
    """Where to fork, and what is different from there on."""

    after: str | int | None = None
    """Id of an event of the run, or number of a journal entry: everything up to it is kept. None: all but its last answer."""
    input: str | None = None
    """The task as it should have been; the results so far stay."""
    message: str | None = None
    """Said to the agent before it goes on."""
    effects: Effects = "ask"
    """`ask`: calls that change something outside wait until a person allows them, so that nothing is sent twice."""
    key: str | None = None
    """Idempotency key."""


async def fork(access: Access, run_id: str, wanted: Fork) -> Run:
    """The new run. What was recorded costs it nothing; files are copied as they are now, notes as they were then."""
    old = await access.run(run_id)
    if old.parent:
        raise WrongState(f"run {run_id!r} belongs to {old.parent.root!r}: fork that run")
    if old.is_question:
        raise WrongState(f"run {run_id!r} was only a question: ask it anew")
    if wanted.effects not in get_args(Effects):
        raise Invalid("effects", wanted.effects, f"is none of {', '.join(get_args(Effects))}")
    for field, text in (("input", wanted.input), ("message", wanted.message)):
        if text is not None and (not text.strip() or len(text) > LONGEST_INPUT):
            raise Invalid(field, text, f"must say something, in at most {LONGEST_INPUT:,} characters")
    entries = await access.services.store.journal(old.id)
    kept = _kept(entries, _cut(old, entries, wanted.after))
    newborn = _forked(access, old, kept, wanted)
    new = newborn.run
    task = e.beginning(newborn.entry).input
    await check_spend(access, task.extra.get("request", ""))
    await access.engine.files.copied(old.id, new.id, access.now())
    await copy_notes(access, old, new.id, until=kept[-1].at)
    made = await store_new(access, newborn, key=wanted.key)
    if made.id != new.id:
        await drop_copies(access, new.id)
        await refuse_another(access, made, wanted.key, task)
    return made


# ---- where ---------------------------------------------------------------------------------------------------


def _cut(run: Run, entries: Sequence[e.Entry], wanted: str | int | None) -> int:
    """The number of the last entry that is kept."""
    match wanted:
        case int():
            cut = wanted
        case str():
            position = read_cursor(run.id, wanted)
            if position is None:
                raise Invalid("after", wanted, f"is no id of an event of run {run.id!r}")
            cut = position.seq + (position.index > 0)
        case None:
            cut = _before_the_last_answer(entries) if run.terminal else len(entries)
    if not 1 <= cut <= len(entries):
        raise Invalid("after", wanted, f"must lie in the run's journal, which has the entries 1 to {len(entries)}")
    return cut


def _before_the_last_answer(entries: Sequence[e.Entry]) -> int:
    """What led to the end, without the final text: that is written anew."""
    last = max((one.seq for one in entries if any(isinstance(event, e.ModelAnswered) for event in one.events)), default=2)
    return max(1, last - 1)


def _kept(entries: Sequence[e.Entry], cut: int) -> list[e.Entry]:
    """The past, without an end: a forked run goes on."""
    kept = list(entries[:cut])
    kept[-1] = replace(kept[-1], events=tuple(event for event in kept[-1].events if not isinstance(event, _ENDS)))
    return kept


# ---- whose past it is now --------------------------------------------------------------------------------------


def _forked(access: Access, old: Run, kept: list[e.Entry], wanted: Fork) -> Newborn:
    now, new_one = access.now(), new_id("run")
    names = _names(old.id, new_one, kept)
    entries = [
        replace(one, commit=derived_id("c", new_one, one.commit), events=tuple(_renamed(event, names) for event in one.events))
        for one in kept
    ]
    created = e.beginning(entries[0])
    run = replace(
        created.run,
        created_at=now,
        deadline_at=now + (old.deadline_at - old.created_at),
        options=replace(created.run.options, effects=wanted.effects),
        labels=heir(old, "fork_of"),
    )
    task = replace(created.input, text=wanted.input or created.input.text, extra=_asked(old, wanted))
    entries[0] = replace(entries[0], events=(e.RunCreated(run=run, input=task), *entries[0].events[1:]))
    first, *past = entries
    found = reduce(after, past, born(first))
    facts: list[e.AnyEvent] = [e.AskAnswered(answer=withdrawn(ask.id, now)) for ask in found.asks]
    facts.append(e.Forked(run=old.id, seq=kept[-1].seq))
    if wanted.message is not None:
        facts.append(e.Told(text=f"Message from the owner: {wanted.message}", why="message", by=access.owner))
    last = e.Entry(seq=kept[-1].seq + 1, at=now, slice=0, commit=new_id("c"), events=tuple(facts))
    found = after(found, last)
    assert not found.terminal, "its end was left out"
    return Newborn(run=found, entry=first, past=(*past, last), wake_at=now)


def _asked(old: Run, wanted: Fork) -> dict[str, Any]:
    """What a repeated idempotency key is held against."""
    if wanted.key is None:
        return {}
    return {"request": hashlib.sha256(canonical_json([old.id, wanted])).hexdigest()}


def _names(old: str, new: str, entries: Sequence[e.Entry]) -> dict[str, str]:
    """Old id → new id, of the run, its calls and its questions. A call's id derives from its run, and so does its key outside.

    Steps and ticks that have ended keep their own runs; what the model itself said is not touched (L9).
    """
    names, made = {old: new}, Counter[str]()
    for event in e.facts(entries):
        if isinstance(event, e.ModelAnswered):
            for call, renamed in zip(e.calls_of(old, event), e.calls_of(new, event), strict=True):
                names[call] = renamed
        elif isinstance(event, e.AskOpened):  # not after its call: what is asked anew is another question
            names[event.ask.id] = derived_id("ask", new, event.ask.id)
        elif isinstance(event, e.CallStarted | e.CallAnswered) and event.within and event.call not in names:
            made[event.within] += 1  # a script makes its calls one after the other
            names[event.call] = derived_id("call", names[event.within], made[event.within])
    return names


def _renamed(event: e.AnyEvent, names: dict[str, str]) -> e.AnyEvent:
    def of(name: str | None) -> Any:
        return name if name is None else names.get(name, name)

    def waits(wait: Wait) -> Wait:
        if isinstance(wait, ForPerson):
            wait = replace(wait, ask=of(wait.ask))
        return replace(wait, call=of(wait.call))

    match event:
        case e.RunCreated():
            return replace(event, run=replace(event.run, id=of(event.run.id)))
        case e.CallSuspended():
            return replace(event, call=of(event.call), wait=waits(event.wait))
        case e.CallStarted() | e.CallAnswered():
            return replace(event, call=of(event.call), within=of(event.within))
        case e.CallAllowed() | e.CallWoken() | e.ModelAsked() | e.ModelConsulted() | e.PlanCreated() | e.ScheduleCreated():
            return replace(event, call=of(event.call))
        case e.Left():
            return replace(event, waits=tuple(map(waits, event.waits)))
        case e.AskOpened():
            return replace(event, ask=replace(event.ask, id=of(event.ask.id), run=of(event.ask.run), call=of(event.ask.call)))
        case e.AskAnswered() | e.AskVoted():
            return replace(event, answer=replace(event.answer, ask=of(event.answer.ask)))
        case e.AskEscalated() | e.AskReminded():
            return replace(event, ask=of(event.ask))
        case e.ShareChanged():
            return replace(event, run=of(event.run))
        case e.ArtifactPublished():
            return replace(event, artifact=replace(event.artifact, run=of(event.artifact.run)))
        case _:
            return event
