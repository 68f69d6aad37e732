"""What is due (`Store.due`): by time from one index, by unread messages from another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from auteryn.adapters.gcp.database import PRECONDITIONS, Database, Fields, where

UNREAD, HEARD, LATE = 1, 2, 3
"""States of a message. They are written as maxima, so that a message that is sent again stays what it is."""

_DUE: Fields = {"ended": False}
"""Of a run whose lease was not looked at."""


async def due_runs(database: Database, now: datetime, limit: int) -> Sequence[str]:
    """Runs, each once, at most `limit`: three requests when no more is unread than fits into a page."""
    leases = database.client.collection_group("lease")
    query = where(leases, "due_at", "<=", now).order_by("due_at").limit(limit)
    due = dict.fromkeys(_run_of(lease.reference) for lease in await database.find(query.select(["due_at"])))
    messages = database.client.collection_group("inbox")
    unread = where(messages, "state", "==", UNREAD).order_by("__name__").select(["state"])
    async for page in database.pages(unread):
        if len(due) >= limit:
            break
        await _add_unread(database, now, due, page)
    return list(due)[:limit]


async def _add_unread(database: Database, now: datetime, due: dict[str, None], messages: Sequence[Any]) -> None:
    """Runs that nobody is at work on join those that are due. Messages to the ended are put away, to the erased deleted, and
    not met again; if a run has heard one of them since it was seen here, all stay, and the next look sees what is left."""
    names = dict.fromkeys(_run_of(message.reference) for message in messages)
    leases = await database.get_all([_lease_of(database, run) for run in names if run not in due])
    states: dict[str, Fields | None] = {_run_of(lease.reference): lease.to_dict() for lease in leases}
    due.update((run, None) for run, state in states.items() if state and not state["ended"] and not _is_live(state, now))

    def put_away(batch: Any) -> None:
        for message in messages:
            state = states.get(_run_of(message.reference), _DUE)
            seen = database.client.write_option(last_update_time=message.update_time)
            if state is None:
                batch.delete(message.reference, seen)
            elif state["ended"]:
                batch.update(message.reference, {"state": LATE}, seen)

    if any(state is None or state["ended"] for state in states.values()):
        with suppress(*PRECONDITIONS):
            await database.commit(put_away)


def _is_live(lease: Fields, now: datetime) -> bool:
    return lease["holder"] is not None and lease["until"] > now


def _lease_of(database: Database, run: str) -> Any:
    return database.ref("runs", run, "lease", "now")


def _run_of(reference: Any) -> str:
    """`runs/{run}/…/…`: ids of runs are names of documents as they are."""
    return reference.parent.parent.id
