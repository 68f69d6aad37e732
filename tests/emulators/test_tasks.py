"""The stand-in for Cloud Tasks keeps what the service documents, for the stock client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from google.api_core import exceptions
from google.cloud.tasks_v2 import CloudTasksAsyncClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.emulators.target import Target
from auteryn.testing.emulators.tasks import CloudTasks, Rules
from auteryn.testing.loopback import Request

HANG = 20
QUEUE = "projects/p/locations/here/queues/q"


class Room:
    def __init__(self, service: CloudTasks, client: Any, clock: JumpingClock, target: Target) -> None:
        self.service, self.client, self.clock, self.target = service, client, clock, target
        self.answers: list[int] = []
        """What the target says next; 200 when there is nothing left."""
        target.handler = self._answer

    async def _answer(self, request: Request) -> int:
        return self.answers.pop(0) if self.answers else 200

    async def create(self, name: str = "", **parts: Any) -> Any:
        named = {"name": f"{QUEUE}/tasks/{name}"} if name else {}
        task = {"http_request": {"url": f"{self.target.url}/x"}, **named, **parts}
        return await self.client.create_task({"parent": QUEUE, "task": task})

    async def seen(self, count: int) -> list[Request]:
        while len(self.target.seen) < count:  # noqa: ASYNC110 - the target tells nobody
            await asyncio.sleep(0.005)
        return self.target.seen

    async def answered(self) -> None:
        """What was sent has its answer, and its next time if there is one."""
        while self.service.sending:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def settled(self) -> None:
        while self.service.tasks(QUEUE):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[], None]:
    """Turn `async def test(room)` into a test."""

    def run() -> None:
        async def main() -> None:
            clock = JumpingClock()
            async with CloudTasks(clock) as service, Target() as target, grpc.aio.insecure_channel(service.host) as channel:
                service.add_queue(QUEUE, Rules(attempts=3, span=timedelta(hours=1), first=timedelta(minutes=1)))
                client = CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))
                await asyncio.wait_for(test(Room(service, client, clock, target)), HANG)

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


@in_a_room
async def test_a_task_is_sent_at_its_time_by_the_clock(room: Room) -> None:
    """Six days are a jump."""
    await room.create("later", schedule_time=room.clock.now() + timedelta(days=6))
    room.clock.jump(timedelta(days=5, hours=23))
    assert len(room.service.tasks(QUEUE)) == 1
    assert room.target.seen == []

    room.clock.jump(timedelta(hours=1))

    (request,) = await room.seen(1)
    assert request.headers["x-cloudtasks-taskname"] == "later"


@in_a_room
async def test_a_name_stays_taken_for_a_day_after_its_task_has_gone(room: Room) -> None:
    """While it waits, and then."""
    await room.create("one")
    await room.seen(1)
    await room.settled()
    with pytest.raises(exceptions.AlreadyExists):
        await room.create("one")

    room.clock.jump(timedelta(hours=25))
    await room.create("one")
    await room.seen(2)


@in_a_room
async def test_what_the_service_would_refuse_is_refused(room: Room) -> None:
    """Too late, too large, too patient, in no queue, of another queue."""
    now = room.clock.now()
    for parts in (
        {"schedule_time": now + timedelta(days=31)},
        {"http_request": {"url": "http://x/", "body": b"x" * 110_000}},
        {"dispatch_deadline": timedelta(seconds=5)},
        {"dispatch_deadline": timedelta(minutes=31)},
        {"http_request": {"url": "ftp://x/"}},
        {"name": "projects/p/locations/here/queues/other/tasks/a"},
    ):
        with pytest.raises(exceptions.InvalidArgument):
            await room.create(**parts)
    with pytest.raises(exceptions.NotFound):
        await room.client.create_task({"parent": QUEUE + "2", "task": {"http_request": {"url": "http://x/"}}})


@in_a_room
async def test_a_failed_task_comes_again_later_and_later_until_both_limits_have_passed(room: Room) -> None:
    """One minute, two, four …: attempts alone do not end it, and then it goes without a word."""
    room.answers = [500] * 100
    await room.create("one")
    for tries in range(1, 7):
        counts = [request.headers["x-cloudtasks-taskretrycount"] for request in await room.seen(tries)]
        assert counts == [str(number) for number in range(tries)]
        await room.answered()
        await room.client.get_task({"name": f"{QUEUE}/tasks/one"})
        room.clock.jump(timedelta(minutes=2 ** (tries - 1), seconds=1))
    await room.seen(7)
    await room.settled()


@in_a_room
async def test_a_target_that_does_not_answer_is_given_up_at_the_deadline(room: Room) -> None:
    """And asked again, whatever it does meanwhile."""
    hangs = asyncio.Event()

    async def hang(request: Request) -> int:
        await hangs.wait()
        return 200

    room.target.handler = hang
    await room.create("one", dispatch_deadline=timedelta(seconds=30))
    await room.seen(1)
    room.clock.jump(timedelta(seconds=31))
    await room.answered()
    room.clock.jump(timedelta(minutes=2))
    await room.seen(2)
    hangs.set()
    await room.settled()


@in_a_room
async def test_tasks_can_be_looked_at_deleted_and_held_back(room: Room) -> None:
    """With the client's own calls."""
    await room.client.pause_queue({"name": QUEUE})
    for name in ("one", "two"):
        await room.create(name)
    listed = [task.name.rpartition("/")[2] async for task in await room.client.list_tasks({"parent": QUEUE})]
    assert sorted(listed) == ["one", "two"]
    await room.client.delete_task({"name": f"{QUEUE}/tasks/one"})
    with pytest.raises(exceptions.NotFound):
        await room.client.get_task({"name": f"{QUEUE}/tasks/one"})

    await room.client.resume_queue({"name": QUEUE})

    assert [request.headers["x-cloudtasks-taskname"] for request in await room.seen(1)] == ["two"]


@in_a_room
async def test_a_queue_made_by_the_client_keeps_its_own_rules(room: Room) -> None:
    """At most one at a time."""
    name = "projects/p/locations/here/queues/narrow"
    await room.client.create_queue(
        {"parent": "projects/p/locations/here", "queue": {"name": name, "rate_limits": {"max_concurrent_dispatches": 1}}}
    )
    at_once, most = 0, 0

    async def count(request: Request) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return 200

    room.target.handler = count
    for _ in range(5):
        await room.client.create_task({"parent": name, "task": {"http_request": {"url": room.target.url}}})
    await room.seen(5)

    assert most == 1
