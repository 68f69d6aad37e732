"""The system's time, made monotone."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

LONGEST_NAP = timedelta(seconds=30)
"""A laptop that was suspended wakes with its timers behind: no sleep trusts one timer for longer than this."""


class SystemClock:
    """Wall-clock time that goes on, and never back, when the wall clock is set back."""

    def __init__(self) -> None:
        self._latest, self._latest_s = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        wall = datetime.now(UTC)
        if wall < self._latest:
            return self._latest + timedelta(seconds=time.monotonic() - self._latest_s)
        self._latest, self._latest_s = wall, time.monotonic()
        return wall

    async def sleep_until(self, moment: datetime) -> None:
        while (left := moment - self.now()) > timedelta(0):  # noqa: ASYNC110 - time has no event to wait for
            await asyncio.sleep(min(left, LONGEST_NAP).total_seconds())

    async def sleep(self, span: timedelta) -> None:
        await self.sleep_until(self.now() + span)
