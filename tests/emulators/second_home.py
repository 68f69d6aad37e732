"""A second home for the engine: a project on the emulators, whose wakes and steps arrive by HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.ports import Clock, Services
from auteryn.testing.emulators.pubsub import lay_out
from auteryn.testing.emulators.storage import Storage
from auteryn.testing.emulators.target import Target
from auteryn.testing.emulators.tasks import CloudTasks, Rules
from auteryn.testing.loopback import Request
from delivered import PushedBus, WokenQueue


class Cloud:
    """One project with everything in it; `dispatch` is what the function of this name does with its requests."""

    def __init__(self, project: str, pubsub: str, storage: Storage, tasks: CloudTasks, target: Target, clock: Clock) -> None:
        self.project, self.pubsub, self.storage, self.tasks, self.target = project, pubsub, storage, tasks, target
        self.clock = clock
        self.wakes = f"projects/{project}/locations/here/queues/wakes"

    def around(self, services: Services) -> Services:
        blobs, root = CloudBlobs("files", endpoint=self.storage.endpoint), f"projects/{self.project}"
        queue = WokenQueue(self.wakes, self.clock, url=f"{self.target.url}/wake", host=self.tasks.host)
        bus = PushedBus(
            steps=f"{root}/topics/steps",
            events=f"{root}/topics/events",
            feed=f"{root}/subscriptions/feed",
            host=self.pubsub,
        )

        async def dispatch(request: Request) -> int:
            return await (queue if request.path == "/wake" else bus).receive(request)

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
        await made.close()


OpenCloud = Callable[..., AbstractAsyncContextManager[Cloud]]
"""`async with second_home() as there`, with a clock of one's own if need be."""
