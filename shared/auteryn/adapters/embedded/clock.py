"""The system's time, made monotone."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

LONGEST_NAP = timedelta(seconds=30)
"""A laptop that was suspended wakes with its timers behind: no sleep trusts one timer for longer than this."""

LOOK_SECONDS = 0.05
"""Between two looks whether time has been moved."""


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


class ShiftedClock(SystemClock):
    """The system's time moved forward by the seconds a file holds, which many processes share."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._seconds())

    async def sleep_until(self, moment: datetime) -> None:
        while (left := moment - self.now()) > timedelta(0):  # noqa: ASYNC110 - the file has no event to wait for
            await asyncio.sleep(min(left.total_seconds(), LOOK_SECONDS))

    def _seconds(self) -> float:
        try:
            return float(self._file.read_text())
        except FileNotFoundError:
            return 0.0
