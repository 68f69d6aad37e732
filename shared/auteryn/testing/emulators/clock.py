"""Real time with jumps: for stand-ins that talk over real sockets, where a virtual event loop would run ahead."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auteryn.testing.clock import START


class JumpingClock:
    """A `Clock` that goes at the usual pace from `start`, and forward at once when told to. Sleepers wake when they are due."""

    def __init__(self, start: datetime = START) -> None:
        self._start, self._began_s = start, time.monotonic()
        self._jumped: asyncio.Event | None = None

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began_s)

    def jump(self, span: timedelta) -> None:
        """To be called in the loop of those who sleep."""
        self._start += span
        jumped, self._jumped = self._jumped, None
        if jumped is not None:
            jumped.set()

    async def sleep_until(self, moment: datetime) -> None:
        while (left := (moment - self.now()).total_seconds()) > 0:
            self._jumped = self._jumped or asyncio.Event()
            try:
                async with asyncio.timeout(min(left, 3600)):
                    await self._jumped.wait()
            except TimeoutError:
                continue

    async def sleep(self, span: timedelta) -> None:
        await self.sleep_until(self.now() + span)


class SharedClock(JumpingClock):
    """The system's time, whose jumps other processes see in a file (`adapters.embedded.clock.ShiftedClock`)."""

    def __init__(self, file: Path) -> None:
        super().__init__(datetime.now(UTC))
        self._file, self._shifted = file, timedelta()

    def jump(self, span: timedelta) -> None:
        """Others see the file as it was or as it is."""
        self._shifted += span
        aside = self._file.with_name(f"{self._file.name}.new")
        aside.write_text(repr(self._shifted.total_seconds()))
        aside.replace(self._file)
        super().jump(span)
