"""Real time with jumps: for stand-ins that talk over real sockets, where a virtual event loop would run ahead."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from auteryn.testing.clock import START


class JumpingClock:
    """A `Clock` that goes at the usual pace from `start`, and forward at once when told to. Sleepers wake when they are due."""

    def __init__(self, start: datetime = START) -> None:
        self._start, self._began_s = start, time.monotonic()
        self._jumped: asyncio.Event | None = None

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began_s)

    def jump(self, span: timedelta) -> None:
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
