"""Ready steps go out; "something new in run X" goes round. Trusted for nothing: whatever is lost is recomputed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from auteryn.schema.message import Delta


class Watch(Protocol):
    """One listener on one tree of runs."""

    async def next(self, patience: timedelta) -> bool:
        """Wait until something new was told of (True) or `patience` is over (False). Calls made meanwhile count as one."""
        ...

    def deltas(self) -> list[tuple[str, Delta]]:
        """The (run, delta) pairs that arrived since the last call, in order."""
        ...

    def close(self) -> None: ...


class Bus(Protocol):
    """B1  `publish_steps` brings every named run to the handler, normally at once and at least once.
    B2  After `tell(root, …)` every watch of that root in every process wakes, normally within a fraction of a second.
    B3  Deltas reach watches in the same process in order; they may be lost, never doubled.
    B4  What other processes tell of reaches the handler of `on_news`, where this process hears them and has started.
    """

    async def publish_steps(self, runs: Sequence[str]) -> None: ...

    def on_step(self, handler: Callable[[str], Awaitable[None]]) -> None: ...

    def tell(self, root: str, run: str, seq: int) -> None:
        """Something new was committed or sent in `run` of the tree `root`."""
        ...

    def delta(self, root: str, run: str, delta: Delta) -> None: ...

    def on_news(self, handler: Callable[[str], None]) -> None:
        """`handler(run)`: something new in this run, told by another process; "" = in any."""
        ...

    def watch(self, root: str) -> Watch: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...
