"""What time it is. Injected everywhere, so that a week is a test input."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """K1 `now()` is aware UTC and never goes back. K2 `sleep_until` returns at or after the moment, at once if it passed."""

    def now(self) -> datetime: ...

    async def sleep_until(self, moment: datetime) -> None: ...

    async def sleep(self, span: timedelta) -> None: ...
