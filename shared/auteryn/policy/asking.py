"""How a question is put on behalf of a run, and what follows when nobody answers. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from auteryn.policy.answers import checked
from auteryn.schema import event as e
from auteryn.schema.human import Answer, Ask
from auteryn.schema.run import ForPerson, Run

DAY = timedelta(days=1)


def asked_of(run: Run, now: datetime, **fields: Any) -> Ask:
    """A question of this run, with the approvers and times its owner chose. `fields` add the rest, and override those."""
    people = run.options.people
    given: dict[str, Any] = {
        "approvers": people.approvers,
        "quorum": people.quorum if fields.get("kind") == "gate" else 1,
        "timeout": people.timeout,
        "on_timeout": people.on_timeout,
        "escalate_to": people.escalate_to,
        **fields,
    }
    return timed(Ask(run=run.id, message=given.pop("message"), opened_at=now, **given), run.deadline_at)


def timed(ask: Ask, deadline_at: datetime) -> Ask:
    """The question with `expires_at` set from its `timeout`; never later than the run's own deadline."""
    return replace(ask, expires_at=None if ask.timeout is None else min(ask.opened_at + ask.timeout, deadline_at))


def waited_for(ask: Ask) -> ForPerson:
    """The wait for its answer. It ends by itself at `expires_at`, unless `on_timeout` is `wait`."""
    return ForPerson(ask=ask.id, call=ask.call, until=None if ask.on_timeout == "wait" else ask.expires_at)


def silent(ask: Ask, now: datetime) -> bool:
    """Whether its time is over and `on_timeout` says what follows."""
    return ask.expires_at is not None and ask.expires_at <= now and ask.on_timeout != "wait"


def silence(ask: Ask, now: datetime, deadline_at: datetime) -> Answer | e.AskEscalated:
    """What follows when nobody has answered in time: the next approver's turn, or the answer that silence counts as."""
    if ask.on_timeout == "escalate" and ask.escalate_to:
        expires_at = min(now + (ask.timeout or DAY), deadline_at)
        return e.AskEscalated(ask=ask.id, approvers=ask.escalate_to[:1], expires_at=expires_at)
    value = checked(ask, ask.default) if ask.on_timeout == "default" else "halt" if ask.on_timeout == "halt" else None
    return Answer(ask=ask.id, value=value, by="nobody", at=now, how="expired")


def withdrawn(ask: str, now: datetime) -> Answer:
    """The end of a question that nobody needs to answer any more."""
    return Answer(ask=ask, value=None, by="auteryn", at=now, how="withdrawn")


# ---- reminders and digests -----------------------------------------------------------------------------------


def next_reminder(run: Run, ask: Ask) -> datetime | None:
    """When people are reminded of this open question next; None where nobody is notified. Reminders lie on a grid from its
    opening, so a late one does not shift the next."""
    if not notifies(run, "waiting"):
        return None
    return ask.opened_at + run.options.people.remind_every * (ask.reminded + 1)


def next_digest(run: Run) -> datetime | None:
    """When the next digest of a tree is due: every 24 hours from its creation."""
    return run.created_at + DAY * (run.digests + 1) if run.parent is None and notifies(run, "daily") else None


def notices(run: Run, now: datetime) -> list[e.AnyEvent]:
    """The reminders and the digest that are due now. Of several missed ones, only the latest is sent."""
    due = list[e.AnyEvent]()
    for ask in run.asks:
        at = next_reminder(run, ask)
        if at is not None and at <= now:
            due.append(e.AskReminded(ask=ask.id, count=int((now - ask.opened_at) / run.options.people.remind_every)))
    at = next_digest(run)
    if at is not None and at <= now:
        due.append(e.Digested(day=int((now - run.created_at) / DAY)))
    return due


def next_notice(run: Run) -> datetime | None:
    """When the next reminder or digest is due; None if there will be none."""
    moments = [next_digest(run), *(next_reminder(run, ask) for ask in run.asks)]
    return min((at for at in moments if at is not None), default=None)


def notifies(run: Run, occasion: str) -> bool:
    return any(occasion in channel.on for channel in run.options.notify)
