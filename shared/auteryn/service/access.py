"""One owner's way to the engine: reads what is theirs, writes into inboxes and wakes whoever must read them (L5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from msgspec import Struct

from auteryn.errors import NotFound, WrongState
from auteryn.ports import Services
from auteryn.runtime.engine import Engine
from auteryn.schema.event import AnyEvent, beginning
from auteryn.schema.run import ENDINGS, Run

PAGE = 200
"""Journal entries that are read at a time, from the end."""


class Access(Struct, frozen=True):
    engine: Engine
    owner: str

    @property
    def services(self) -> Services:
        return self.engine.services

    def now(self) -> datetime:
        return self.engine.now()

    async def run(self, run_id: str) -> Run:
        """The run as it is now; raises `NotFound` for one that is not there or not theirs."""
        run = await self.services.store.get(run_id)
        if run.owner != self.owner:
            raise NotFound(f"no run {run_id!r}")
        return run

    async def newest_first(self, run: Run) -> AsyncGenerator[tuple[datetime, AnyEvent]]:
        """What happened and when, from the end of the journal as of `run`, read as far as the reader goes."""
        upto = run.seq
        while upto > 0:
            after = max(0, upto - PAGE)
            for entry in reversed(await self.services.store.journal(run.id, after=after, limit=upto - after)):
                for event in reversed(entry.events):
                    yield entry.at, event
            upto = after

    async def live(self, run_id: str, what: str) -> Run:
        """The run, if it has not ended; else `WrongState` saying that `what` cannot be done any more."""
        run = await self.run(run_id)
        if run.terminal:
            raise WrongState(f"run {run_id!r} has {ENDINGS[run.status]}: it cannot be {what} any more")
        return run

    async def asked_for(self, run: Run) -> str | None:
        """The fingerprint of the request that made the run; None where it carried no key."""
        [first] = await self.services.store.journal(run.id, limit=1)
        return beginning(first).input.extra.get("request")
