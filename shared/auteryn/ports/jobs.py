"""Start a slice elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol


class Jobs(Protocol):
    """J1  `start` returns before the slice has run. It may lose a start or make two: the lease and the watchdog cope.
    J2  A slice past its cap is told to stop (SIGTERM, where there is a process), then killed.
    J3  `stop` makes a slice that does not listen end; the watchdog takes over from there.
    J4  No more than the adapter's own bound run at once; the rest wait their turn.
    """

    async def start(self, run: str, *, roomy: bool = False) -> None:
        """`roomy`: the run's last slice ended without a word; where memory may have been the reason, this one gets more."""
        ...

    async def stop(self, run: str) -> None: ...

    def on_start(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """What a slice is. Set once, before the first start."""
        ...

    async def close(self) -> None: ...
