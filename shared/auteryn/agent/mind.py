"""What one slice thinks with: the run and its conversation as they are now, and the world it may use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import Struct, field

from auteryn.agent.thread import Thread
from auteryn.ports import Services
from auteryn.ports.model import Declaration
from auteryn.schema.event import AnyEvent
from auteryn.schema.message import Delta, Tokens
from auteryn.schema.run import ForBudget, Run, Wait
from auteryn.tools.egress import Egress
from auteryn.tools.registry import Registry
from auteryn.tools.sitting import Sitting
from auteryn.tools.workspace import Workspace

Facts = tuple[AnyEvent, ...]
"""What one commit will hold."""
Commit = Callable[..., Awaitable[None]]
"""Facts → when they are committed."""


async def uncommitted(*facts: AnyEvent) -> None:
    raise AssertionError("only a slice that thinks commits")


class Settings(Struct):
    """How the engine is set up; the same for all runs of a process."""

    compact_at_tokens: int
    keep_tokens: int
    price: Callable[[str, Tokens, datetime], int]
    """Of one answer of a model, in thousandths of a credit."""


class Mind(Struct):
    """`run` and `thread` are brought up to date after every commit, so what the loop reads is always what is stored."""

    run: Run
    thread: Thread
    services: Services
    registry: Registry
    files: Workspace
    settings: Settings
    on_delta: Callable[[Delta], None]
    stop_at: datetime
    """When this slice has to be over."""
    room: Callable[[Callable[[], int]], Awaitable[ForBudget | None]]
    """Asks whether the owner may spend what the function foresees, in thousandths of a credit (it is called only if there is a
    limit). None: go on; else the wait until there is room."""
    commit: Commit = uncommitted
    """Makes facts true in the middle of a turn or of a call; for as long as the slice thinks."""
    sitting: Sitting = field(default_factory=Sitting)
    """What tools keep open until the slice ends."""
    egress: Egress = field(default_factory=Egress)
    """The way out of this process."""
    notes: list[tuple[str, str]] | None = None
    """Sections `constraints` and `decisions`, read again after a note was written."""
    wait_for: list[Wait] = field(default_factory=list[Wait])
    """What the run itself will wait for when the loop returns."""
    tree_read: set[str] = field(default_factory=set[str])
    """Labels of what other runs of the tree have read, as far as this slice has looked."""
    tree_told: set[str] = field(default_factory=set[str])
    """Labels this slice has written down for the other runs of the tree."""
    shown: tuple[tuple[str, int], tuple[Declaration, ...]] | None = None
    """The declarations last sent, and the mode and the number of found tools they were made for."""
    sent: int = 0
    """Model calls sent for the turn under way and not yet committed: one at most."""
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a tool's request is looked at and committed, so that of several at once none is overlooked."""

    def now(self) -> datetime:
        return self.services.clock.now()

    @property
    def calls_left(self) -> int:
        """Model calls the run may still make. What is promised to children does not count until they end."""
        return self.run.limits.llm_calls - self.run.usage.llm_calls - self.run.promised_calls - self.sent
