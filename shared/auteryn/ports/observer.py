"""See every commit, after it is true."""

from __future__ import annotations

from typing import Protocol

from auteryn.schema.event import Entry
from auteryn.schema.run import Run


class Observer(Protocol):
    """V1  `committed` is called once for each commit this process made, in the order of each run's journal.
    V2  It never raises and never waits: what it cannot do is left undone.
    V3  `close` hands over what was seen and not yet sent, for a bounded time.
    """

    def committed(self, before: Run, run: Run, entry: Entry) -> None:
        """`run` is `before` and `entry`."""
        ...

    def trace(self, root: str) -> str:
        """The id of the trace that a tree's spans belong to, as 32 hexadecimal digits."""
        ...

    async def close(self) -> None: ...
