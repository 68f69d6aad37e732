"""Wakes by Cloud Tasks: names, lost replies, long waits, and who may call."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from auteryn.adapters.gcp.queue import CloudTasksQueue
from auteryn.api.wakes import woken
from auteryn.errors import Invalid, NotFound, RateLimited
from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.emulators.target import Target
from auteryn.testing.emulators.tasks import CloudTasks, Rules
from auteryn.testing.loopback import Request

HANG = 20
QUEUE = "projects/p/locations/here/queues/wakes"
CALLER = "tasks@p.iam.gserviceaccount.com"


class Room:
    def __init__(self, tasks: CloudTasks, target: Target, clock: JumpingClock, queue: CloudTasksQueue) -> None:
        self.tasks, self.target, self.clock, self.queue = tasks, target, clock, queue
        self.woken: list[str] = []
        self._news = asyncio.Condition()
        target.handler = self._receive

    async def _receive(self, request: Request) -> int:
        """As `dispatch` does: who is woken too early is woken again at the time that was meant."""
        run, at = woken(request.body), datetime.fromisoformat(json.loads(request.body)["at"])
        await (self._wake(run) if at <= self.clock.now() else self.queue.enqueue(run, at))
        return 204

    async def _wake(self, run: str) -> None:
        async with self._news:
            self.woken.append(run)
            self._news.notify_all()

    async def wakes(self, count: int) -> list[str]:
        """Who was woken, once it was so many."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.woken) >= count)
        return self.woken

    def outstanding(self) -> int:
        return len(self.tasks.tasks(QUEUE))

    async def settled(self, outstanding: int) -> None:
        """So many tasks are left."""
        while self.outstanding() != outstanding:  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.005)

    async def later(self) -> None:
        """One task is left, whose time has not come, and which is not tried again after a failure."""
        while [task.at > self.clock.now() + timedelta(hours=1) for task in self.tasks.tasks(QUEUE)] != [True]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[], None]:
    """Turn `async def test(room)` into a test."""

    def run() -> None:
        async def main() -> None:
            clock = JumpingClock()
            async with CloudTasks(clock) as tasks, Target() as target:
                tasks.add_queue(QUEUE, Rules(first=timedelta(milliseconds=20)))
                queue = CloudTasksQueue(QUEUE, clock, url=f"{target.url}/wake", caller=CALLER, host=tasks.host)
                try:
                    await asyncio.wait_for(test(Room(tasks, target, clock, queue)), HANG)
                finally:
                    await queue.close()

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


@pytest.mark.proves("F13", "L3")
@in_a_room
async def test_a_create_whose_reply_is_lost_makes_one_task(room: Room) -> None:
    """It is sent again under the same name."""
    room.tasks.faults.plan("CreateTask", "lose", times=2)
    room.tasks.faults.plan("CreateTask", "refuse")

    await room.queue.enqueue("run_a", room.clock.now() + timedelta(hours=1))

    assert room.outstanding() == 1


@in_a_room
async def test_wakes_of_one_run_for_one_later_moment_are_one_task(room: Room) -> None:
    """Q2: watchdogs and sweepers repeat themselves freely; other moments and other runs are tasks of their own."""
    at = room.clock.now() + timedelta(minutes=1)
    for _ in range(3):
        await room.queue.enqueue("run_a", at)
    await room.queue.enqueue("run_b", at)
    await room.queue.enqueue("run_a", at + timedelta(seconds=1))

    assert room.outstanding() == 3


@pytest.mark.proves("L5")
@in_a_room
async def test_a_wake_for_now_is_never_swallowed_by_an_earlier_one(room: Room) -> None:
    """A name stays taken for a day after its task has gone: what may have gone already gets a new name."""
    at = room.clock.now()
    for count in range(1, 4):
        await room.queue.enqueue("run_a", at)
        await room.wakes(count)
    await room.settled(0)

    await room.queue.enqueue("run_a", soon := room.clock.now() + timedelta(seconds=5))
    room.clock.jump(timedelta(seconds=6))
    await room.wakes(4)
    await room.queue.enqueue("run_a", soon)

    assert await room.wakes(5) == ["run_a"] * 5


@pytest.mark.proves("P36")
@in_a_room
async def test_a_wake_months_away_comes_in_links_and_once(room: Room) -> None:
    """The service takes 30 days at most."""
    await room.queue.enqueue("run_a", at := room.clock.now() + timedelta(days=100))

    while room.clock.now() < at - timedelta(days=7):
        room.clock.jump(timedelta(days=7))
        await room.later()
    assert room.woken == []
    room.clock.jump(timedelta(days=7))

    assert await room.wakes(1) == ["run_a"]
    await room.settled(0)


@in_a_room
async def test_what_the_service_does_to_deliveries_is_seen(room: Room) -> None:
    """Doubled, late and dropped ones: the handler is called twice, later, never; nothing is left over."""
    for kind, run in (("duplicate", "run_twice"), ("drop", "run_never")):
        room.tasks.faults.plan("delivery", kind)  # pyright: ignore[reportArgumentType]
        await room.queue.enqueue(run, room.clock.now())
        await room.settled(0)
    room.tasks.faults.plan("delivery", "delay", span=timedelta(minutes=5))
    await room.queue.enqueue("run_late", room.clock.now())
    while room.tasks.tasks(QUEUE)[0].at < room.clock.now() + timedelta(minutes=1):  # noqa: ASYNC110 - the service tells nobody
        await asyncio.sleep(0.005)
    assert await room.wakes(2) == ["run_twice"] * 2

    room.clock.jump(timedelta(minutes=6))

    assert (await room.wakes(3))[2] == "run_late"


@pytest.mark.proves("L14")
@in_a_room
async def test_a_task_carries_a_token_for_this_caller_and_this_audience(room: Room) -> None:
    """And says nothing but which run and when."""
    await room.queue.enqueue("run_a", at := room.clock.now())
    await room.wakes(1)

    (request,) = room.target.seen
    claims = json.loads(base64.urlsafe_b64decode(request.headers["authorization"].split(".")[1] + "=="))
    assert (claims["email"], claims["aud"]) == (CALLER, f"{room.target.url}/wake")
    assert request.path == "/wake"
    assert set(json.loads(request.body)) == {"run", "at"}
    assert at.isoformat().startswith(json.loads(request.body)["at"][:19])


@pytest.mark.proves("F7")
@in_a_room
async def test_a_quota_is_waited_out_for_a_while_and_then_reported(room: Room) -> None:
    """A short one is not seen."""
    room.tasks.faults.plan("CreateTask", "busy", times=2)
    await room.queue.enqueue("run_a", room.clock.now() + timedelta(hours=1))
    room.tasks.faults.plan("CreateTask", "busy", times=10_000)

    queue = CloudTasksQueue(QUEUE, room.clock, url="http://x/", host=room.tasks.host, patience=timedelta(milliseconds=200))
    with pytest.raises(RateLimited, match="wakes"):
        await queue.enqueue("run_b", room.clock.now() + timedelta(hours=1))
    await queue.close()


@in_a_room
async def test_a_queue_that_does_not_exist_is_named(room: Room) -> None:
    """So that a wrong variable is found at once."""
    queue = CloudTasksQueue(QUEUE + "2", room.clock, url="http://x/", host=room.tasks.host)
    with pytest.raises(NotFound, match="wakes2"):
        await queue.enqueue("run_b", room.clock.now())
    await queue.close()


@pytest.mark.proves("L15")
@in_a_room
async def test_a_body_that_is_no_wake_is_refused(room: Room) -> None:
    """And wakes nobody."""
    for body in (b"", b"{}", b'{"run": 1, "at": "2026-01-01T00:00:00Z"}', b"[]"):
        with pytest.raises(Invalid, match=r"body|run"):
            woken(body)
    assert room.woken == []
