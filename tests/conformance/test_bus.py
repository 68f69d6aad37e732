"""The laws of `ports.bus`, B1 to B3, for every bus there is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from auteryn.ports import Bus
from auteryn.schema.message import Delta
from conformance.backends import BUSES, Place, on_every

PATIENCE = timedelta(seconds=15)
NO_PATIENCE = timedelta(0)


@pytest.mark.proves("L3")
@on_every(BUSES)
async def test_every_published_step_reaches_the_handler(place: Place[Bus]) -> None:
    """B1: each at least once, though another's handler fails."""
    async with place.open() as bus:
        wanted, seen, all_seen = {f"run_{i}" for i in range(20)}, set[str](), asyncio.Event()

        async def handle(run: str) -> None:
            seen.add(run)
            if seen >= wanted:
                all_seen.set()
            if run == "run_3":
                raise RuntimeError("this one fails")

        bus.on_step(handle)
        await bus.publish_steps(sorted(wanted))

        await all_seen.wait()


@on_every(BUSES)
async def test_a_step_is_not_carried_out_in_the_publisher_s_own_time(place: Place[Bus]) -> None:
    """B1: `publish_steps` does not wait for the handlers."""
    async with place.open() as bus:
        free = asyncio.Event()

        async def handle(run: str) -> None:
            await free.wait()

        bus.on_step(handle)
        await bus.publish_steps(["run_a"])
        free.set()


@pytest.mark.proves("L12")
@on_every(BUSES)
async def test_every_watch_of_a_root_wakes(place: Place[Bus]) -> None:
    """B2: in this process and in another; several calls made meanwhile count as one."""
    async with place.open() as bus, place.open() as other:
        watches = [bus.watch("run_root"), bus.watch("run_root"), other.watch("run_root")]

        bus.tell("run_root", "run_step", 2)
        bus.tell("run_root", "run_step", 3)

        assert [await watch.next(PATIENCE) for watch in watches] == [True, True, True]


@pytest.mark.proves("L12")
@on_every(BUSES)
async def test_a_watch_that_waits_is_woken(place: Place[Bus]) -> None:
    """B2: from elsewhere, and from here."""
    async with place.open() as bus, place.open() as other:
        watch = bus.watch("run_root")
        for voice in (bus, other):
            waiting = asyncio.create_task(watch.next(PATIENCE))
            await asyncio.sleep(0)
            voice.tell("run_root", "run_root", 2)
            assert await waiting is True


@on_every(BUSES)
async def test_a_watch_without_news_runs_out_of_patience(place: Place[Bus]) -> None:
    """B2: and what is told of another tree in this process is no news."""
    async with place.open() as bus:
        watch = bus.watch("run_root")
        bus.tell("run_other", "run_other", 2)

        assert await watch.next(NO_PATIENCE) is False


@on_every(BUSES)
async def test_a_closed_watch_lets_go_of_who_waits(place: Place[Bus]) -> None:
    """B2: closing twice is closing once."""
    async with place.open() as bus:
        watch = bus.watch("run_root")
        waiting = asyncio.create_task(watch.next(PATIENCE))
        await asyncio.sleep(0)

        watch.close()
        watch.close()

        assert await waiting is False


@pytest.mark.proves("P28")
@on_every(BUSES)
async def test_deltas_reach_the_watches_of_their_root_in_order_and_once(place: Place[Bus]) -> None:
    """B3: they wake the watch, and are gone once they were fetched."""
    async with place.open() as bus:
        watch, second, stranger = bus.watch("run_root"), bus.watch("run_root"), bus.watch("run_other")
        said = [("run_step", Delta(kind="text", text=str(i))) for i in range(50)]

        for run, delta in said:
            bus.delta("run_root", run, delta)

        assert await watch.next(PATIENCE) is True
        assert watch.deltas() == said
        assert watch.deltas() == []
        assert second.deltas() == said
        assert stranger.deltas() == []


@pytest.mark.proves("L5")
@on_every(BUSES)
async def test_what_another_process_tells_of_reaches_the_handler_of_news(place: Place[Bus]) -> None:
    """B4: by its name; of what is told here nothing is heard."""
    async with place.open() as bus, place.open() as other:
        told = asyncio.Queue[str]()
        bus.on_news(told.put_nowait)

        bus.tell("run_root", "run_here", 2)
        other.tell("run_root", "run_step", 2)

        assert await told.get() == "run_step"
