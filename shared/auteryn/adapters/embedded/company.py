"""Who else works in this home, and with which tools: a program's own are not in every process."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from auteryn.adapters.embedded.alive import Alive
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.schema.run import Run

PATIENCE = timedelta(seconds=60)
"""How long a run that is due is left to a living process that does not take it."""

MOST_LEFT = 10_000


class HomeCompany:
    """`runtime.engine.Company` of the processes of one folder: what each brought along is written in its sign of life."""

    def __init__(self, alive: Alive, queue: SqliteQueue) -> None:
        self.own_tools: tuple[str, ...] = ()
        self._alive, self._queue = alive, queue
        self._left: dict[str, tuple[int, datetime]] = {}
        """By run, at which entry and until when."""

    def bring(self, tools: Iterable[str]) -> None:
        if now := tuple(sorted({*self.own_tools, *tools})):
            self.own_tools = now
            self._alive.tell(now)

    async def takes(self, run: Run, now: datetime) -> bool:
        if not run.own_tools or set(run.own_tools) <= set(self.own_tools) or not self._alive.others_have(run.own_tools):
            self._left.pop(run.id, None)
            return False
        if len(self._left) >= MOST_LEFT:
            self._left.clear()
        seq, until = self._left.get(run.id, (0, now))
        if seq != run.seq:  # the first time, or the other one has worked on it since
            until = now + PATIENCE
        elif now >= until:
            return False
        self._left[run.id] = (run.seq, until)
        await self._queue.leave(run.id, until)
        return True
