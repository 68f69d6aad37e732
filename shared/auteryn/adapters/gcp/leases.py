"""The right to write a run: `runs/{run}/lease/now`, changed only from the state that was seen.

Whoever counts on a run to hear him writes into this document, too, so that no run completes over what he says: that commit
holds only if the document is as it was before the look into the inbox.

The document also says when the run is due, so that one index finds everything that time makes due: while a lease is
held that is its end, otherwise the run's own wish.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from google.api_core.exceptions import FailedPrecondition
from google.api_core.exceptions import NotFound as Missing

from auteryn.adapters.gcp.database import Database, Fields
from auteryn.adapters.gcp.names import name_of, plain
from auteryn.errors import Conflict, NotFound
from auteryn.ports.store import Lease
from auteryn.schema.change import Newborn
from auteryn.schema.record import Record, new_id
from auteryn.schema.run import Run


def newborn_lease(newborn: Newborn) -> Fields:
    """Nobody's yet."""
    ended = newborn.run.terminal
    wake_at = None if ended else newborn.wake_at
    return {"number": 0, "holder": None, "until": None, "wake_at": wake_at, "due_at": wake_at, "ended": ended, "by": ""}


def parted_lease(run: Run, wake_at: datetime | None) -> Fields:
    """What a commit that leaves makes of it, without looking: the number goes on."""
    wake_at = None if run.terminal else wake_at
    return {"holder": None, "until": None, "wake_at": wake_at, "due_at": wake_at, "ended": run.terminal, "by": ""}


class _Held(Record):
    """The document as it was seen."""

    number: int
    holder: str | None
    until: datetime | None
    wake_at: datetime | None
    ended: bool
    by: str
    """Whose write made it so: finding one's own after a refusal means that only the reply was lost."""
    seen: Any
    """Its `update_time`: the next write holds only if it is still this."""

    def live(self, now: datetime) -> bool:
        return self.holder is not None and self.until is not None and self.until > now

    def is_of(self, lease: Lease) -> bool:
        return self.holder == lease.holder and self.number == lease.number


class Leases:
    """All leases of a database. One's own are remembered: renewing one is a single request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mine: dict[str, _Held | None] = {}
        """None: a commit of this process has ended it, and `give_back` has nothing to do."""

    @staticmethod
    def path(run: str) -> tuple[str, ...]:
        return "runs", name_of(run), "lease", "now"

    async def take(self, run: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        by = new_id("by")
        while True:
            held = await self._look(run)
            if held is None:
                raise NotFound(f"no run {run!r}")
            if held.by == by:
                self._mine[run] = held
                return Lease(run=run, holder=holder, number=held.number, until=until)
            if held.live(now):
                return None
            if await self._change(run, held, holder=holder, number=held.number + 1, until=until, by=by):
                return Lease(run=run, holder=holder, number=held.number + 1, until=until)

    async def renew(self, lease: Lease, *, until: datetime) -> Lease:
        by = new_id("by")
        held = self._mine.get(lease.run) or await self._look(lease.run)
        while held is not None and held.is_of(lease):
            if held.by == by or await self._change(
                lease.run, held, holder=lease.holder, number=lease.number, until=until, by=by
            ):
                return Lease(run=lease.run, holder=lease.holder, number=lease.number, until=until)
            held = await self._look(lease.run)
        self._mine.pop(lease.run, None)
        raise Conflict(f"lease {lease.number} of run {lease.run!r} is lost: another slice has it, or it was given back")

    async def give_back(self, lease: Lease) -> None:
        if self._mine.get(lease.run, lease) is None:
            del self._mine[lease.run]
            return
        held = self._mine.pop(lease.run, None) or await self._look(lease.run)
        while held is not None and held.is_of(lease):
            if await self._change(lease.run, held, holder=None, number=lease.number, until=None, by=""):
                break
            held = await self._look(lease.run)
        self._mine.pop(lease.run, None)

    async def seen(self, run: str) -> Any:
        """When the document was written last, as far as is known here; the write that builds on it finds out if that is so."""
        held = self._mine.get(run) or await self._look(run)
        if held is None:
            raise Conflict(f"run {run!r} was erased")
        return held.seen

    def forget(self, run: str) -> None:
        """It was not so."""
        self._mine.pop(run, None)

    def parted(self, run: str) -> None:
        """A commit of ours has ended whatever lease there was."""
        if run in self._mine:
            self._mine[run] = None

    async def now(self, run: str) -> Lease | None:
        return self.of(run, await self._database.get(*self.path(run)))

    def of(self, run: str, found: Any) -> Lease | None:
        """The lease that this snapshot of its document holds."""
        held = _held(found)
        if held is None or held.holder is None or held.until is None:
            return None
        return Lease(run=run, holder=held.holder, number=held.number, until=held.until)

    async def _look(self, run: str) -> _Held | None:
        return _held(await self._database.get(*self.path(run)))

    async def _change(self, run: str, held: _Held, *, holder: str | None, number: int, until: datetime | None, by: str) -> bool:
        """False: somebody was first, or our own write was made and its reply lost."""
        due_at = None if held.ended else until if holder else held.wake_at
        fields = {"number": number, "holder": holder, "until": until, "due_at": due_at, "by": by}
        option = self._database.client.write_option(last_update_time=held.seen)
        ref = self._database.ref(*self.path(run))
        try:
            written = await self._database.commit(lambda batch: batch.update(ref, fields, option))
        except (FailedPrecondition, Missing):
            return False
        self._mine[run] = _Held(
            number=number,
            holder=holder,
            until=until,
            wake_at=held.wake_at,
            ended=held.ended,
            by=by,
            seen=written[0].update_time,
        )
        return True


def _held(found: Any) -> _Held | None:
    if not found.exists:
        return None
    fields: Fields = found.to_dict()
    until, wake_at = fields["until"], fields["wake_at"]
    return _Held(
        number=fields["number"],
        holder=fields["holder"],
        until=until and plain(until),
        wake_at=wake_at and plain(wake_at),
        ended=fields["ended"],
        by=fields["by"],
        seen=found.update_time,
    )
