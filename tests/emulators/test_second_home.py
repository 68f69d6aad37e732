"""The engine, unchanged, on Google Cloud's adapters: Firestore, Cloud Storage, Cloud Tasks, Pub/Sub."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.adapters.gcp.bus import PubSubBus
from auteryn.ports import Services
from auteryn.testing.world import World
from emulators.second_home import OpenCloud

HANG = 60
STEPS = [f"Look at competitor {number}" for number in range(1, 6)]


@pytest.mark.proves("P1", "P37", "F19")
def test_a_plan_runs_to_its_end(tmp_path: Path, second_home: OpenCloud) -> None:
    """Wakes and steps arrive by HTTP, every step once, and nothing is left to do."""

    async def story() -> None:
        async with (
            second_home() as there,
            World(tmp_path, model=lambda *_: "Done.", real_time=True, around=there.around) as world,
        ):
            run = await world.start("Research five competitors", plan=STEPS)
            ended = await world.ended(run)
            tree = await world.tree(run)

            assert ended.status == "completed"
            assert [one.status for one in tree] == ["completed"] * 6
            assert ended.usage.llm_calls == sum(one.usage.llm_calls for one in tree[1:]) + 1
            assert list(await world.services.store.due(world.now() + timedelta(days=8))) == []
            assert {request.path for request in there.target.seen} == {"/wake", "/steps"}

    asyncio.run(asyncio.wait_for(story(), HANG))


@pytest.mark.proves("L3", "L4", "F2", "F4", "F15", "F16")
def test_a_plan_runs_to_its_end_though_every_message_is_lost(tmp_path: Path, second_home: OpenCloud) -> None:
    """No wake and no step arrives: the sweeper finds what is due in the store."""

    async def story() -> None:
        async with second_home() as there:
            there.tasks.faults.plan("delivery", "drop", times=10_000)
            often = timedelta(milliseconds=200)
            world = World(tmp_path, model=lambda *_: "Done.", real_time=True, around=there.around, sweep_every=often)
            async with world:
                there.target.handler = None
                run = await world.start("Research five competitors", plan=STEPS)
                ended = await world.ended(run)

                assert ended.status == "completed"
                assert world.host.swept > 0
                assert [len(await world.journal(one.id)) for one in await world.tree(run)] == [
                    one.seq for one in await world.tree(run)
                ]

    asyncio.run(asyncio.wait_for(story(), HANG))


@pytest.mark.proves("F16", "L3")
def test_a_topic_that_is_gone_ends_no_slice_and_is_told(
    tmp_path: Path, second_home: OpenCloud, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes the steps goes on and leaves in order; the sweep starts what could not be published."""

    async def story() -> None:
        async with second_home() as there:

            def around(services: Services) -> Services:
                services = there.around(services)
                lost = PubSubBus(steps=f"projects/{there.project}/topics/gone", events="", host=there.pubsub)
                there.left = (*there.left, services.bus)
                return replace(services, bus=lost)

            often = timedelta(milliseconds=200)
            world = World(tmp_path, model=lambda *_: "Done.", real_time=True, around=around, sweep_every=often)
            async with world:
                run = await world.start("Research five competitors", plan=STEPS)
                assert (await world.ended(run)).status == "completed"
                outline = await world.outline(run)
        assert outline.count("SliceStarted") == outline.count("Left") + 1
        assert [one for one in caplog.messages if "left to the sweep" in one and "topics/gone" in one]

    asyncio.run(asyncio.wait_for(story(), HANG))
