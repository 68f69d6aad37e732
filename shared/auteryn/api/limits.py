"""How much one owner may ask for: numbers as data, and who is over them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta

from auteryn.errors import RateLimited
from auteryn.ports.store import every_run
from auteryn.runtime.engine import Engine
from auteryn.schema.record import Record
from auteryn.service.access import Access
from auteryn.service.listing import UNDER_WAY
from auteryn.service.new import NewRun, fingerprint

MOST_OWNERS = 10_000
"""Remembered at a time. Whoever was idle longest is forgotten first, and begins again with a full burst."""


class Quota(Record):
    """How much one owner may ask for."""

    requests_per_minute: int = 1_200
    """In one instance of the function; a console page asks for about 10 when it opens."""
    burst: int = 300
    runs: int = 200
    """Under way at a time, waiting ones included."""


class Rate:
    """One token bucket per owner: full, it holds the burst, and it fills at the rate."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, owner: str, now: datetime) -> None:
        """Count one request; raises `RateLimited` with the time until the next is accepted."""
        per_second = self._quota.requests_per_minute / 60
        left, at = self._buckets.pop(owner, (float(self._quota.burst), now))
        left = min(float(self._quota.burst), left + max(0.0, (now - at).total_seconds()) * per_second)
        self._buckets[owner] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._buckets) > MOST_OWNERS:
            self._buckets.popitem(last=False)
        if left < 1:
            wait = timedelta(seconds=(1 - left) / per_second)
            raise RateLimited(
                f"{owner!r} sends more than {self._quota.requests_per_minute} requests a minute", retry_after=wait
            )


class Room:
    """Room for runs under way. Runs being created here count, too: classifying a task may take seconds before it is stored.
    Each instance knows only of its own, so several may exceed the limit by what they create at the same moment."""

    def __init__(self, engine: Engine, quota: Quota) -> None:
        self._engine, self._most = engine, quota.runs
        self._begun = Counter[str]()

    @asynccontextmanager
    async def for_one(self, owner: str, new: NewRun | None = None) -> AsyncGenerator[None]:
        """Create a run inside this block. Raises `RateLimited` if the owner has as many as allowed, unless the request repeats
        one that made a run."""
        store = self._engine.services.store
        known = await store.count(owner=owner, status=UNDER_WAY, most=self._most)
        if known + self._begun[owner] >= self._most and not await self._repeats(owner, new):
            raise RateLimited(
                f"{self._most} runs are under way, as many as one owner may have: wait for one to end, or cancel one",
                retry_after=timedelta(minutes=1),
            )
        self._begun[owner] += 1
        try:
            yield
        finally:
            self._begun -= Counter((owner,))

    async def _repeats(self, owner: str, new: NewRun | None) -> bool:
        return new is not None and new.key is not None and await _made(Access(self._engine, owner), fingerprint(new))


async def _made(access: Access, wanted: str) -> bool:
    """Whether one of the runs under way was asked for with this very request."""
    async with aclosing(every_run(access.services.store, owner=access.owner, status=UNDER_WAY)) as under_way:
        async for run in under_way:
            if await access.asked_for(run) == wanted:
                return True
    return False
