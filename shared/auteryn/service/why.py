"""Why a run does nothing now, in one sentence; and how its machinery stands.

`why_waiting` needs nothing but the run. `why` also looks at the lease, the inbox and the runs below: what people are shown who
look at one run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, assert_never

from auteryn.plan.scheduler import running
from auteryn.policy.asking import next_reminder
from auteryn.policy.durations import moment, shown
from auteryn.ports.store import ENDED, Lease
from auteryn.runtime.dispatch import SWEPT
from auteryn.runtime.due import Later, Nothing, Now, due, wake_at
from auteryn.schema.change import Doc
from auteryn.schema.human import Ask
from auteryn.schema.post import UNDELIVERED
from auteryn.schema.record import Record
from auteryn.schema.run import ForBudget, ForPerson, ForRateLimit, ForSteps, Run, Schedule, UntilTime, Wait
from auteryn.service.access import Access

WaitsOn = Literal["", "person", "steps", "time", "budget"]

MOST_BELOW = 3
"""Steps whose own reasons are told."""


class InboxLine(Record):
    """Something the run has been told and has not taken in."""

    id: str
    kind: str
    sent_at: datetime


class RunHealth(Record):
    """How the machinery of one run stands."""

    run: str
    status: str
    why: str
    holder: str | None
    """The process at work on it, or the last one that was."""
    slice: int
    lease_until: datetime | None
    leased: bool
    """Whether somebody is at work on it now."""
    seq: int
    """Of the last commit."""
    last_commit_at: datetime
    due: Literal["nothing", "later", "now"]
    next_wake: datetime | None
    """When it wants a slice though nobody writes to it."""
    inbox: tuple[InboxLine, ...]
    swept: int
    """How often only the sweeper found it: its wake was lost, or its slice died."""
    swept_at: datetime | None
    stalls: int
    """Slices in a row that began and committed nothing."""
    undelivered: tuple[str, ...]
    """Notifications of its tree that nobody has taken yet: what, why, and when it is tried again."""


async def why(access: Access, run: Run, depth: int = 0) -> str:
    """The sentence for one run as it stands now: lease and inbox included, and what the steps it waits for wait for."""
    store, now = access.services.store, access.now()
    if run.status == "waiting":
        return _whole(_reasons(run, now), await _below(access, run, depth))
    lease = await store.lease(run.id) if run.status in ("pending", "running") else None
    if lease is None or (run.status == "pending" and lease.until <= now):
        return why_waiting(run, now)
    if lease.until <= now:
        slice_ = f"slice {lease.number} on {lease.holder}"
        if lease.until == ENDED:
            return f"Its {slice_} died with its process: the next program that works here takes it up."
        return f"Its {slice_} fell silent before {moment(lease.until)}: it is taken up again within a minute."
    if run.status == "running":
        return f"It is at work (slice {lease.number} on {lease.holder})."
    return f"Its slice {lease.number} has begun on {lease.holder} and has not written anything yet."


async def health(access: Access, run: Run) -> RunHealth:
    store, now = access.services.store, access.now()
    lease = await store.lease(run.id)
    inbox = await store.inbox(run.id)
    last = await store.journal(run.id, after=run.seq - 1, limit=1)
    swept = await store.doc(SWEPT, run.id)
    undelivered = await store.docs(UNDELIVERED, run.root, limit=20)
    wanted = due(run, now, unread=bool(inbox), lease=lease)
    return RunHealth(
        run=run.id,
        status=run.status,
        why=await why(access, run),
        holder=lease.holder if lease else None,
        slice=run.slice,
        lease_until=lease.until if lease and lease.until != ENDED else None,
        leased=_live(lease, now),
        seq=run.seq,
        last_commit_at=last[0].at if last else run.created_at,
        due="now" if isinstance(wanted, Now) else "later" if isinstance(wanted, Later) else "nothing",
        next_wake=None if isinstance(wanted, Nothing) else wanted.at if isinstance(wanted, Later) else wake_at(run),
        inbox=tuple(InboxLine(id=one.id, kind=str(one.__struct_config__.tag), sent_at=one.sent_at) for one in inbox),
        swept=swept.body["times"] if swept else 0,
        swept_at=swept.at if swept else None,
        stalls=run.stalls,
        undelivered=tuple(_untold(doc, now) for doc in undelivered),
    )


def _untold(doc: Doc, now: datetime) -> str:
    again = f"; it is tried again at {moment(doc.at)}" if doc.at > now else ""
    return f"{doc.body['letter']['type']}: {doc.body.get('error', '')}{again}"


def waits_on(run: Run) -> WaitsOn:
    """What a run that waits needs first, in one word: a person, else its steps and ticks under way, else only time, or what
    others give back of its budget. Empty for a run that does not wait."""
    if run.status != "waiting":
        return ""
    if run.asks:
        return "person"
    if run.shares:
        return "steps"
    return "budget" if all(isinstance(wait, ForBudget) and not wait.at for wait in run.waits) else "time"


def why_waiting(run: Run, now: datetime) -> str:
    """One sentence: why nothing happens now, or that something does."""
    if run.failure:
        return f"It has failed ({run.failure.reason}): {run.failure.message}"
    if run.terminal:
        return f"It is {run.status}."
    if run.status == "paused":
        return "It is paused and goes on when somebody resumes it."
    if run.status == "pending":
        return "It waits for its next slice to start."
    if run.status == "running":
        return "It is at work."
    return _whole(_reasons(run, now), [])


def silence_means(ask: Ask) -> str:
    """What happens if nobody answers, and when."""
    if ask.expires_at is None or ask.on_timeout == "wait":
        return ""
    if ask.on_timeout == "escalate" and ask.escalate_to:
        what = f"{ask.escalate_to[0]} is asked"
    else:
        what = {"default": f"{ask.default!r} counts", "halt": "the run ends"}.get(ask.on_timeout, "it counts as refused")
    return f"Without an answer by {moment(ask.expires_at)}, {what}."


# ---- waits in words ------------------------------------------------------------------------------------------


def _reasons(run: Run, now: datetime) -> list[str]:
    """One for each wait, in order; a question that no wait names (about the budget) is one, too."""
    waited = {wait.ask for wait in run.waits if isinstance(wait, ForPerson)}
    others = [_person(run, ask, now) for ask in run.asks if ask.id not in waited]
    return list(dict.fromkeys([*others, *(_reason(run, wait, now) for wait in run.waits)]))


def _whole(reasons: list[str], more: list[str]) -> str:
    return " ".join([f"It waits {'; and '.join(reasons or ['for its next slice'])}.", *more])


def _reason(run: Run, wait: Wait, now: datetime) -> str:
    match wait:
        case UntilTime():
            return f"until {moment(wait.at)}" + (f" ({wait.reason})" if wait.reason else "")
        case ForSteps():
            return _children(run)
        case ForPerson():
            ask = next((ask for ask in run.asks if ask.id == wait.ask), None)
            return _person(run, ask, now) if ask else "for a person's answer"
        case ForBudget(at=datetime() as at):
            return f"until {moment(at)}: {wait.why}"
        case ForBudget():
            return "for model calls that other steps give back"
        case ForRateLimit():
            return f"until {moment(wait.at)}, when the model is asked again ({wait.why})"
        case _:
            assert_never(wait)


def _person(run: Run, ask: Ask, now: datetime) -> str:
    """Who, what, since when; what comes next."""
    who = " or ".join(ask.approvers) if ask.approvers else "a person"
    parts = [f"for {who} to answer {ask.message!r} ({ask.id}), asked {shown(now - ask.opened_at)} ago"]
    if ask.quorum > 1:
        parts.append(f"{len(ask.votes)} of {ask.quorum} have agreed" if ask.votes else f"{ask.quorum} must agree")
    if reminder := next_reminder(run, ask):
        parts.append(f"reminded again at {moment(reminder)}")
    silence = silence_means(ask)
    return ", ".join(parts) + (f"; {silence[:1].lower()}{silence[1:].rstrip('.')}" if silence else "")


async def _below(access: Access, run: Run, depth: int) -> list[str]:
    """Why the steps under way do not go on, if they do not: "Step 4 waits until …"."""
    if depth or not any(isinstance(wait, ForSteps) for wait in run.waits):
        return []
    told = list[str]()
    for child in list(run.shares)[:MOST_BELOW]:
        below = await access.run(child)
        if below.status in ("waiting", "paused") and below.parent:
            whose = run.name_of(below.parent)
            told.append((await why(access, below, depth + 1)).replace("It", f"{whose[0].upper()}{whose[1:]}", 1))
    return told


def _children(run: Run) -> str:
    parts = list[str]()
    if run.plan and (ids := [str(step.id) for step in running(run.plan)]):
        parts.append(f"for step {ids[0]}" if len(ids) == 1 else f"for steps {', '.join(ids)}")
    parts += [_ticks(schedule) for schedule in run.schedules if not schedule.over]
    return " and ".join(parts) or "for its steps"


def _ticks(schedule: Schedule) -> str:
    if schedule.running:
        return f"for a tick of {schedule.name!r}"
    return f"until {moment(schedule.at(schedule.next_index))}, the next tick of {schedule.name!r}"


def _live(lease: Lease | None, now: datetime) -> bool:
    return lease is not None and lease.until > now
