"""What one commit writes: the only thing `store.commit` takes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auteryn.schema.event import Entry
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.record import Record
from auteryn.schema.run import Run


class Send(Record):
    """A message for another run's inbox, written in the same commit."""

    run: str
    message: AnyMessage


class Doc(Record):
    """A small document beside the runs: a note, a memory, the index line of an open question, an API key."""

    kind: str
    id: str
    """Unique within `kind`."""
    scope: str
    """What it is listed under: a root run, an owner."""
    body: Any
    at: datetime


class Newborn(Record):
    """A run and its first entry (`RunCreated`). `run` is as it is after everything that is stored with it."""

    run: Run
    entry: Entry
    past: tuple[Entry, ...] = ()
    """The entries after the first of a run that begins with a past: a fork, or one that comes from elsewhere."""
    wake_at: datetime | None = None
    """When it wants its first slice; None for a run that is finished as it is created."""


class Change(Record):
    """All or nothing (L1): if `entry.seq` exists already, none of it is applied."""

    run: Run
    """As it is after `entry`."""
    entry: Entry
    consumed: tuple[str, ...] = ()
    """Ids of inbox messages this commit has taken in."""
    sends: tuple[Send, ...] = ()
    children: tuple[Newborn, ...] = ()
    docs: tuple[Doc, ...] = ()
    summary: bool = True
    """Write `run` too. False: readers fold it from the journal (at most `SUMMARY_EVERY` entries are ever left to fold)."""
    leave: bool = False
    """Give the lease back: the slice ends with this commit."""
    wake_at: datetime | None = None
    """With `leave`: when the run wants a slice though nobody writes to it; None = only when it is written to."""
    lasting: bool = True
    """False: all of it can be taken in again from the inbox, so a power cut may take it back. A crash takes nothing."""


SUMMARY_EVERY = 16
"""Entries between two summaries at most. One row less in almost every commit, and no document is written more than about
once a second however fast the turns are (decision 0002)."""
