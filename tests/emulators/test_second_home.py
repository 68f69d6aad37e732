"""The engine, unchanged, on Google Cloud's adapters: Firestore, Cloud Storage, Cloud Tasks, Pub/Sub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.adapters.gcp.bus import PubSubBus
from auteryn.adapters.gcp.queue import CloudTasksQueue
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.ports import Clock, Services
from auteryn.testing.emulators.pubsub import lay_out
from auteryn.testing.emulators.storage import Storage
from auteryn.testing.emulators.target import Request, Target
from auteryn.testing.emulators.tasks import CloudTasks, Rules
from auteryn.testing.world import World

HANG = 60
STEPS = [f"Look at competitor {number}" for number in range(1, 6)]


class Cloud:
    """One project with everything in it; `dispatch` is what the function of this name does with its requests."""

    def __init__(self, project: str, pubsub: str, storage: Storage, tasks: CloudTasks, target: Target, clock: Clock) -> None:
        self.project, self.pubsub, self.storage, self.tasks, self.target = project, pubsub, storage, tasks, target
        self.clock = clock
        self.wakes = f"projects/{project}/locations/here/queues/wakes"

    def around(self, services: Services) -> Services:
        blobs, root = CloudBlobs("files", endpoint=self.storage.endpoint), f"projects/{self.project}"
        queue = CloudTasksQueue(self.wakes, self.clock, url=f"{self.target.url}/wake", host=self.tasks.host)
        bus = PubSubBus(
            steps=f"{root}/topics/steps",
            events=f"{root}/topics/events",
            feed=f"{root}/subscriptions/feed",
            host=self.pubsub,
        )

        async def dispatch(request: Request) -> int:
            if request.path == "/wake":
                await queue.receive(request.body)
            else:
                await bus.receive_step(request.body)
            return 204

        self.target.handler = dispatch
        self.left: tuple[Any, ...] = (services.bus, services.store, blobs)
        return replace(services, store=FirestoreStore.open(self.project, blobs), queue=queue, bus=bus, blobs=blobs)

    async def close(self) -> None:
        """What the host does not close: the blobs, and the bus and the store it would have had at home."""
        for one in self.left:
            await one.close()


@asynccontextmanager
async def cloud(project: str, pubsub: str, storage: Storage, clock: Clock | None = None) -> AsyncGenerator[Cloud]:
    clock = clock or SystemClock()
    async with CloudTasks(clock) as tasks, Target() as target:
        await lay_out(pubsub, f"projects/{project}", push_to=f"{target.url}/steps")
        made = Cloud(project, pubsub, storage, tasks, target, clock)
        tasks.add_queue(made.wakes, Rules(first=timedelta(milliseconds=20)))
        yield made


@pytest.fixture
def storage() -> Iterator[Storage]:
    running = Storage()
    yield running
    running.stop()


@pytest.mark.proves("P1", "P37", "F19")
def test_a_plan_runs_to_its_end(
    tmp_path: Path,
    project: str,
    firestore_emulator: str,
    pubsub_emulator: str,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wakes and steps arrive by HTTP, every step once, and nothing is left to do."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    async def story() -> None:
        async with cloud(project, pubsub_emulator, storage) as there:
            async with World(tmp_path, model=lambda *_: "Done.", real_time=True, around=there.around) as world:
                run = await world.start("Research five competitors", plan=STEPS)
                ended = await world.ended(run)
                tree = await world.tree(run)

                assert ended.status == "completed"
                assert [one.status for one in tree] == ["completed"] * 6
                assert ended.usage.llm_calls == sum(one.usage.llm_calls for one in tree[1:]) + 1
                assert list(await world.services.store.due(world.now() + timedelta(days=8))) == []
                assert {request.path for request in there.target.seen} == {"/wake", "/steps"}
            await there.close()

    asyncio.run(asyncio.wait_for(story(), HANG))


@pytest.mark.proves("L3", "L4", "F2", "F4", "F15", "F16")
def test_a_plan_runs_to_its_end_though_every_message_is_lost(
    tmp_path: Path,
    project: str,
    firestore_emulator: str,
    pubsub_emulator: str,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No wake and no step arrives: the sweeper finds what is due in the store."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    async def story() -> None:
        async with cloud(project, pubsub_emulator, storage) as there:
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
            await there.close()

    asyncio.run(asyncio.wait_for(story(), HANG))


@pytest.mark.proves("F16", "L3")
def test_a_topic_that_is_gone_ends_no_slice_and_is_told(
    tmp_path: Path,
    project: str,
    firestore_emulator: str,
    pubsub_emulator: str,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever makes the steps goes on and leaves in order; the sweep starts what could not be published."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    async def story() -> None:
        async with cloud(project, pubsub_emulator, storage) as there:

            def around(services: Services) -> Services:
                services = there.around(services)
                lost = PubSubBus(steps=f"projects/{project}/topics/gone", events="", host=pubsub_emulator)
                there.left = (*there.left, services.bus)
                return replace(services, bus=lost)

            often = timedelta(milliseconds=200)
            world = World(tmp_path, model=lambda *_: "Done.", real_time=True, around=around, sweep_every=often)
            async with world:
                run = await world.start("Research five competitors", plan=STEPS)
                assert (await world.ended(run)).status == "completed"
                outline = await world.outline(run)
            await there.close()
        assert outline.count("SliceStarted") == outline.count("Left") + 1
        assert [one for one in caplog.messages if "left to the sweep" in one and "topics/gone" in one]

    asyncio.run(asyncio.wait_for(story(), HANG))
