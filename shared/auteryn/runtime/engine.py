"""One process's share of the engine: the ports, the tools, and the slices that are live here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct, field

from auteryn.agent.mind import Settings
from auteryn.errors import AuterynError
from auteryn.policy.limits import HEARTBEAT, INBOX_LOOK
from auteryn.ports import Services
from auteryn.ports.observer import Observer
from auteryn.runtime.files import Files
from auteryn.runtime.spending import Spending
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.post import Endpoint
from auteryn.schema.run import ModeName, Run
from auteryn.tools.egress import Egress
from auteryn.tools.registry import Registry

_log = logging.getLogger(__name__)


class Live(Protocol):
    """A slice at work in this process."""

    async def look(self) -> None:
        """Look into the inbox. Urgent messages break off what is under way; the rest is read before the next turn."""
        ...

    async def beat(self) -> None:
        """Renew the lease; if it is lost, end the slice."""
        ...

    def stop(self) -> None:
        """Hand the run over soon: this process is about to end."""
        ...


class Following(Protocol):
    """What the followers of a run's stream in this process share: one of them reads on for all."""

    followers: int
    reading: bool
    """False: whoever comes now reads for himself."""


class Company(Protocol):
    """The other processes that work on the same runs, where not all of them have the same tools."""

    own_tools: tuple[str, ...]
    """What this one brought along."""

    def bring(self, tools: Iterable[str]) -> None:
        """This process has these, too."""
        ...

    async def takes(self, run: Run, now: datetime) -> bool:
        """Whether a run that is due here is left to one that has the run's own tools, which this one lacks."""
        ...


class Engine(Struct):
    """What `run_slice` and `dispatch` work with. Made once by `compose`."""

    services: Services
    registry: Registry
    settings: Settings
    holder: str
    """This process, as leases name it."""
    files: Files
    """The files of every tree."""
    spending: Spending
    """What owners may spend."""
    egress: Egress = field(default_factory=Egress)
    """The way out of this process."""
    code: str = ""
    """Version of this release."""
    public_url: str = ""
    """Where people reach this system with a browser; without it notifications carry no links."""
    trace_url: str = ""
    """Where people look at traces, `{trace}` in place of the id; empty: nowhere."""
    company: Company | None = None
    """None where every process has the same tools."""
    observer: Observer | None = None
    """Sees every commit of this process."""
    deliver: Callable[[str], Awaitable[None]] | None = None
    """Takes a post of the outbox to its receiver."""
    delivering: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])
    endpoints: dict[str, tuple[datetime, tuple[Endpoint, ...]]] = field(
        default_factory=dict[str, tuple[datetime, tuple[Endpoint, ...]]]
    )
    """By owner, with the time they were read."""
    crowds: dict[str, Following] = field(default_factory=dict[str, "Following"])
    """By run."""
    sits_on: frozenset[ModeName] = frozenset()
    """Runs of these modes begin in the process that creates them, without the queue."""
    live: dict[str, Live] = field(default_factory=dict[str, Live])
    _keeper: asyncio.Task[None] | None = None
    _looks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _stopping: bool = False

    def now(self) -> datetime:
        return self.services.clock.now()

    def enter(self, run: str, live: Live) -> None:
        """A slice has begun here. One keeper looks after all of them: no task and no timer per run."""
        self.live[run] = live
        if self._stopping:
            live.stop()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    def leave(self, run: str, live: Live | None) -> None:
        """That slice is over. A newer slice of the same run stays registered."""
        if self.live.get(run) is live:
            self.live.pop(run, None)

    async def hint(self, given: Awaitable[None]) -> None:
        """Await a wake or a publish and pass over its failure: what it would have told is found in the store (L3)."""
        try:
            await given
        except AuterynError as error:
            _log.warning("left to the sweep (auteryn doctor says what is wrong): %s", error)

    async def ring(self, run: str) -> None:
        """This process has put something into the run's inbox: its slice, if it is here, looks at once."""
        if live := self.live.get(run):
            await live.look()

    async def tell(self, run: Run, message: AnyMessage) -> bool:
        """Put what somebody said into the run's inbox and wake it; False if this very message had arrived before.

        The run begins to work on it at once; this is back when a power cut would not take it either. Raises `WrongState` if the
        run has ended by now: a message that was accepted is heard (S15)."""
        new = await self.services.store.send(run.id, message, heard=True)
        self.services.bus.tell(run.root, run.id, run.seq)
        await self.wake(run.id)
        await self.services.store.safe()
        return new

    async def wake(self, run: str) -> None:
        """Something was put into this run's inbox: tell whoever works on it, or start a slice."""
        await self.hint(self.services.queue.enqueue(run, self.now()))
        await self._look(run)

    def heard(self, run: str) -> None:
        """Another process told of this run ("": of any run): its slice, if it is here, looks at once."""
        for name in [run] if run else list(self.live):
            if name in self.live:
                look = asyncio.create_task(self._look(name))
                self._looks.add(look)
                look.add_done_callback(self._looks.discard)

    async def _look(self, run: str) -> None:
        with suppress(AuterynError):  # the slice itself meets the same trouble at its next commit and acts on it
            await self.ring(run)

    async def _keep(self) -> None:
        """Every 2 s a look into each live run's inbox, every 20 s a heartbeat for its lease."""
        next_beat = self.now() + HEARTBEAT
        while self.live:
            await self.services.clock.sleep(INBOX_LOOK)
            beat = self.now() >= next_beat
            for run, live in list(self.live.items()):
                await self._look(run)
                with suppress(AuterynError):
                    if beat:
                        await live.beat()
            if beat:
                next_beat = self.now() + HEARTBEAT

    async def delivered(self, patience: timedelta) -> None:
        """Wait for the posts that are on their way, but no longer than `patience`. The rest is broken off and sent again
        later."""
        if self.delivering:
            _, late = await asyncio.wait(set(self.delivering), timeout=patience.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def stop(self) -> None:
        """The process is about to end (SIGTERM): every slice hands its run over, if there is time for it."""
        self._stopping = True
        for live in list(self.live.values()):
            live.stop()

    async def close(self) -> None:
        tasks = [*self._looks, *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
