"""The laws of `ports.jobs`, J1 to J4, for every adapter whose slices run where its handler is. Time is virtual:
a busy machine reaches no cap before its slice has had its turn."""

from __future__ import annotations

import asyncio

import pytest

from auteryn.testing.clock import skipping
from conformance.backends import JOBS, Bounded, Place, on_every


@on_every(JOBS, skipping)
async def test_start_returns_before_the_slice_has_run(place: Place[Bounded]) -> None:
    """J1"""
    async with place.open() as opened:
        free, ran = asyncio.Event(), asyncio.Event()

        async def sit(run: str) -> None:
            await free.wait()
            ran.set()

        opened.port.on_start(sit)
        await opened.port.start("run_a")
        assert not ran.is_set()
        free.set()
        await ran.wait()


@on_every(JOBS, skipping)
async def test_a_slice_that_raises_takes_nobody_with_it(place: Place[Bounded]) -> None:
    """J1: what the slice does is its own affair; the watchdog starts the next."""
    async with place.open() as opened:
        ran = asyncio.Event()

        async def sit(run: str) -> None:
            if run == "run_bad":
                raise RuntimeError("a bug")
            ran.set()

        opened.port.on_start(sit)
        for _ in range(2 * opened.bound):
            await opened.port.start("run_bad")
        await opened.port.start("run_good")
        await ran.wait()


@pytest.mark.proves("P19")
@on_every(JOBS, skipping)
async def test_a_slice_past_its_cap_is_told_to_stop(place: Place[Bounded]) -> None:
    """J2"""
    async with place.open() as opened:
        told = asyncio.Event()

        async def sit(run: str) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.set()
                raise

        opened.port.on_start(sit)
        await opened.port.start("run_a")
        await told.wait()


@pytest.mark.proves("F23")
@on_every(JOBS, skipping)
async def test_stop_ends_a_slice_that_does_not_listen(place: Place[Bounded]) -> None:
    """J3: also one that hears and goes on; stopping what does not run is nothing."""
    async with place.open() as opened:
        sitting, over = asyncio.Event(), asyncio.Event()

        async def sit(run: str) -> None:
            for _ in range(3):
                sitting.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue
            over.set()

        opened.port.on_start(sit)
        await opened.port.start("run_a")
        await sitting.wait()
        await opened.port.stop("run_a")
        await opened.port.stop("run_unknown")
        await over.wait()


@on_every(JOBS, skipping)
async def test_no_more_than_the_bound_run_at_once_and_the_rest_get_their_turn(place: Place[Bounded]) -> None:
    """J4"""
    async with place.open() as opened:
        runs = [f"run_{i}" for i in range(4 * opened.bound)]
        sitting, most, done, all_done = set[str](), 0, set[str](), asyncio.Event()

        async def sit(run: str) -> None:
            nonlocal most
            sitting.add(run)
            most = max(most, len(sitting))
            for _ in range(5):
                await asyncio.sleep(0)
            sitting.discard(run)
            done.add(run)
            if len(done) == len(runs):
                all_done.set()

        opened.port.on_start(sit)
        for run in runs:
            await opened.port.start(run)
        await all_done.wait()

        assert most == opened.bound


@on_every(JOBS, skipping)
async def test_what_is_started_after_the_close_is_left_to_whoever_opens_next(place: Place[Bounded]) -> None:
    """J1: a start that was still on its way begins nothing on a store that is being closed."""
    async with place.open() as opened:
        begun = list[str]()

        async def sit(run: str) -> None:
            begun.append(run)

        opened.port.on_start(sit)
        await opened.port.close()
        await opened.port.start("run_a")
        await asyncio.sleep(1)
        assert begun == []
