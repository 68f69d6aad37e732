"""What must happen next, as a pure function of what is stored. Anybody may evaluate it again at any time (L3)."""

from __future__ import annotations

from datetime import datetime

from auteryn.policy.asking import next_notice
from auteryn.policy.budget import held
from auteryn.policy.limits import last_moment
from auteryn.ports.store import Lease
from auteryn.schema.fold import time_of
from auteryn.schema.record import Record
from auteryn.schema.run import Run


class Nothing(Record):
    """The run has ended."""


class Later(Record):
    at: datetime


class Now(Record):
    """The run wants a slice."""


Due = Nothing | Later | Now


def due(run: Run, now: datetime, *, unread: bool, lease: Lease | None) -> Due:
    """Whether the run wants a slice now, later, or never again."""
    at = wake_at(run)
    if at is None:
        return Nothing()
    if lease is not None and lease.until > now:
        return Later(at=lease.until)
    return Now() if unread or at <= now else Later(at=at)


def wake_at(run: Run) -> datetime | None:
    """When a run without a slice wants one though nobody writes to it; None: it has ended."""
    if run.terminal:
        return None
    if run.status in ("pending", "running"):  # running without a lease: its slice died
        return run.created_at
    end = last_moment(run)
    if run.status == "paused":
        return end
    moments = [moment for wait in run.waits if (moment := time_of(wait))]
    moments += [ask.expires_at for ask in run.asks if ask.expires_at and ask.on_timeout != "wait"]
    if not (held(run) or run.closing):  # else no tick begins, and a moment at which nothing happens is never over
        moments += [s.at(s.next_index) for s in run.schedules if s.next_index < s.ticks and not s.running]
    if notice := next_notice(run):
        moments.append(notice)
    return min([*moments, end if run.over_time else run.deadline_at])
