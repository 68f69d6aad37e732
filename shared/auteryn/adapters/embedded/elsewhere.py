"""What other processes on the same folder wrote: noticed by polling a number, and only while somebody here wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from auteryn.adapters.embedded.database import Database
from auteryn.errors import AuterynError

Told = Callable[[], None]


class Elsewhere:
    """Calls back after another connection has committed something, whatever it was."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: dict[Told, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0

    def listen(self, told: Told, *, within: timedelta) -> None:
        """From now on `told()` is called within that time of a foreign commit."""
        if not self._listeners:
            self._seen = self._database.version()
        self._listeners[told] = within.total_seconds()
        self._again()

    def forget(self, told: Told) -> None:
        self._listeners.pop(told, None)
        self._again()

    def _again(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._listeners:
            self._timer = asyncio.get_running_loop().call_later(min(self._listeners.values()), self._look)

    def _look(self) -> None:
        self._again()
        try:
            seen = self._database.version()
        except AuterynError:  # whoever reads or writes next is told; this only looks
            return
        if seen != self._seen:
            self._seen = seen
            for told in tuple(self._listeners):
                told()
