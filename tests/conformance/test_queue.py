"""The laws of `ports.queue`, Q1 to Q4, for every queue there is."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from auteryn.ports import Queue
from conformance.backends import QUEUES, Place, Timed, on_every

SOON = timedelta(milliseconds=50)
LONG = timedelta(hours=2)


class Wakes:
    """A handler that writes down who was woken when."""

    def __init__(self, opened: Timed[Queue], *, failing: int = 0) -> None:
        self.opened, self.failing = opened, failing
        self.seen: list[tuple[str, datetime]] = []
        self._news = asyncio.Condition()
        opened.port.on_wake(self)

    async def __call__(self, run: str) -> None:
        async with self._news:
            self.seen.append((run, self.opened.clock.now()))
            self._news.notify_all()
            if self.failing:
                self.failing -= 1
                raise RuntimeError("not this time")

    async def of(self, run: str, count: int = 1) -> list[datetime]:
        """When this run was woken, once it was woken so often."""
        async with self._news:
            await self._news.wait_for(lambda: sum(woken == run for woken, _ in self.seen) >= count)
        return [at for woken, at in self.seen if woken == run]


@pytest.mark.proves("L4")
@on_every(QUEUES)
async def test_a_wake_is_delivered_at_or_after_its_time(place: Place[Timed[Queue]]) -> None:
    """Q1: whether its time has come, is coming or was long ago, before and after the start."""
    async with place.open() as opened:
        queue, now, wakes = opened.port, opened.clock.now(), Wakes(opened)
        await queue.enqueue("run_early", now + SOON)
        await queue.start()
        await queue.enqueue("run_now", now)
        await queue.enqueue("run_past", now - LONG)
        await queue.enqueue("run_soon", now + SOON)

        for run, at in (("run_early", now + SOON), ("run_now", now), ("run_past", now), ("run_soon", now + SOON)):
            assert (await wakes.of(run))[0] >= at


@pytest.mark.proves("L4")
@on_every(QUEUES)
async def test_a_wake_survives_a_restart(place: Place[Timed[Queue]]) -> None:
    """Q1: also one that a handler had in hand when its process ended."""
    async with place.open() as opened:
        in_hand = asyncio.Event()

        async def hang(run: str) -> None:
            in_hand.set()
            await asyncio.Event().wait()

        opened.port.on_wake(hang)
        await opened.port.start()
        await opened.port.enqueue("run_in_hand", opened.clock.now())
        await in_hand.wait()
        at = opened.clock.now() + SOON
        await opened.port.enqueue("run_later", at)

    async with place.open() as opened:
        wakes = Wakes(opened)
        await opened.port.start()

        await wakes.of("run_in_hand")
        assert (await wakes.of("run_later"))[0] >= at


@on_every(QUEUES)
async def test_of_several_wakes_of_one_run_the_earliest_counts(place: Place[Timed[Queue]]) -> None:
    """Q2: in whichever order they were enqueued."""
    async with place.open() as opened:
        queue, now, wakes = opened.port, opened.clock.now(), Wakes(opened)
        await queue.start()
        await queue.enqueue("run_a", now + LONG)
        await queue.enqueue("run_a", now + SOON)
        await queue.enqueue("run_b", now + SOON)
        await queue.enqueue("run_b", now + LONG)

        assert (await wakes.of("run_a"))[0] >= now + SOON
        assert (await wakes.of("run_b"))[0] >= now + SOON


@on_every(QUEUES)
async def test_a_wake_enqueued_while_the_run_is_being_handled_is_not_lost(place: Place[Timed[Queue]]) -> None:
    """Q2: it is another one; the handler may have looked already."""
    async with place.open() as opened:
        queue, seen, both = opened.port, list[str](), asyncio.Event()

        async def handle(run: str) -> None:
            seen.append(run)
            if len(seen) == 1:
                await queue.enqueue(run, opened.clock.now())
            else:
                both.set()

        queue.on_wake(handle)
        await queue.start()
        await queue.enqueue("run_a", opened.clock.now())

        await both.wait()


@pytest.mark.proves("L3")
@on_every(QUEUES)
async def test_a_handler_that_raises_gets_the_wake_again(place: Place[Timed[Queue]]) -> None:
    """Q3: and others do not wait for it."""
    async with place.open() as opened:
        wakes = Wakes(opened, failing=1)
        await opened.port.start()
        await opened.port.enqueue("run_a", opened.clock.now())
        await wakes.of("run_a")
        await opened.port.enqueue("run_b", opened.clock.now())

        await wakes.of("run_b")
        await wakes.of("run_a", count=2)


@on_every(QUEUES)
async def test_nothing_is_kept_alive_per_waiting_run(place: Place[Timed[Queue]]) -> None:
    """Q4: a thousand that wait are no tasks."""
    async with place.open() as opened:
        Wakes(opened)
        await opened.port.start()
        await opened.port.enqueue("run_0", opened.clock.now() + LONG)
        before = len(asyncio.all_tasks())

        for first in range(0, 1_000, 50):
            some = range(first, first + 50)
            await asyncio.gather(*(opened.port.enqueue(f"run_{i}", opened.clock.now() + LONG) for i in some))

        assert len(asyncio.all_tasks()) < before + 10


@on_every(QUEUES)
async def test_a_wake_of_another_process_is_delivered(place: Place[Timed[Queue]]) -> None:
    """Q1: whoever enqueues it, somebody who has started delivers it."""
    async with place.open() as here, place.open() as elsewhere:
        wakes = Wakes(here)
        await here.port.start()

        await elsewhere.port.enqueue("run_a", elsewhere.clock.now())

        await wakes.of("run_a")
