"""A stand-in for Cloud Tasks: its gRPC for the stock clients, real HTTP to the targets, time from a clock.

Kept as the service documents it: names stay taken for a day after their task has gone, schedules end after 30 days,
tasks are small, every 2xx ends a task and everything else repeats it by the queue's rules.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import grpc
import httpx2
from google.cloud import tasks_v2
from google.protobuf import empty_pb2

from auteryn.ports.clock import Clock
from auteryn.testing.emulators.faults import Faults
from auteryn.testing.emulators.wire import Refusal, method, serve

NAMES_KEPT = timedelta(hours=24)
LATEST = timedelta(days=30)
LARGEST_BYTES = 100 * 1024
SHORTEST_DEADLINE, USUAL_DEADLINE, LONGEST_DEADLINE = timedelta(seconds=15), timedelta(minutes=10), timedelta(minutes=30)

_TASK = re.compile(r"[A-Za-z0-9_-]{1,500}")

_log = logging.getLogger(__name__)


@dataclass
class Rules:
    """How a queue repeats and how much it sends at once."""

    attempts: int = 100
    span: timedelta = timedelta(0)
    """Retries end only when both are used up."""
    first: timedelta = timedelta(milliseconds=100)
    most: timedelta = timedelta(hours=1)
    doublings: int = 16
    at_once: int = 1_000

    def pause(self, failures: int) -> timedelta:
        doubled = self.first * 2 ** min(failures - 1, self.doublings)
        return min(doubled + doubled * max(failures - 1 - self.doublings, 0), self.most)


@dataclass
class Waiting:
    """One task that has not ended."""

    task: Any
    at: datetime
    made_at: datetime
    tries: int = 0
    answers: int = 0


@dataclass
class _Queue:
    rules: Rules
    tasks: dict[str, Waiting] = field(default_factory=dict[str, Waiting])
    taken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Names of ended tasks, and until when they cannot be used again."""
    paused: bool = False


class CloudTasks:
    """Queues in memory. Faults are planned for `CreateTask` and the other methods, and for `delivery`."""

    def __init__(self, clock: Clock) -> None:
        self.faults = Faults()
        self.delivered: list[tuple[str, int]] = []
        """Each delivery's task and the status it was answered with; 0 for no answer."""
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._numbers = count(1)
        self._news, self._ended = asyncio.Event(), asyncio.Event()
        self._sending: dict[asyncio.Task[None], str] = {}

    def add_queue(self, name: str, rules: Rules | None = None) -> None:
        self._queues[name] = _Queue(rules or Rules())

    def tasks(self, queue: str) -> list[Waiting]:
        """What has not ended, the next one first."""
        return sorted(self._queues[queue].tasks.values(), key=lambda one: one.at)

    @property
    def sending(self) -> int:
        """Deliveries under way."""
        return len(self._sending)

    async def settled(self, queue: str) -> None:
        """Back when none of its tasks is due: each was delivered, or waits for a later moment."""
        while any(one.at <= self._clock.now() for one in self.tasks(queue)):
            self._ended.clear()
            await self._ended.wait()

    async def __aenter__(self) -> CloudTasks:
        types: Any = tasks_v2
        methods = {
            "CreateQueue": method(self._create_queue, types.CreateQueueRequest, types.Queue),
            "GetQueue": method(self._get_queue, types.GetQueueRequest, types.Queue),
            "CreateTask": method(self._create_task, types.CreateTaskRequest, types.Task),
            "GetTask": method(self._get_task, types.GetTaskRequest, types.Task),
            "DeleteTask": method(self._delete_task, types.DeleteTaskRequest, empty_pb2.Empty),
            "ListTasks": method(self._list_tasks, types.ListTasksRequest, types.ListTasksResponse),
            "PauseQueue": method(self._pause(True), types.PauseQueueRequest, types.Queue),
            "ResumeQueue": method(self._pause(False), types.ResumeQueueRequest, types.Queue),
        }
        self._server, self.host = await serve({"google.cloud.tasks.v2.CloudTasks": methods}, self.faults)
        self._http = httpx2.AsyncClient()
        self._delivering = asyncio.create_task(self._deliver())
        return self

    async def __aexit__(self, *_: object) -> None:
        at_work = [self._delivering, *self._sending]
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        await self._http.aclose()
        await self._server.stop(None)

    # ---- calls

    async def _create_queue(self, request: Any) -> Any:
        config = request.queue.retry_config
        rules = Rules(
            attempts=config.max_attempts or 100,
            span=config.max_retry_duration or timedelta(0),
            first=config.min_backoff or timedelta(milliseconds=100),
            most=config.max_backoff or timedelta(hours=1),
            doublings=config.max_doublings or 16,
            at_once=request.queue.rate_limits.max_concurrent_dispatches or 1_000,
        )
        self.add_queue(request.queue.name, rules)
        return request.queue

    async def _get_queue(self, request: Any) -> Any:
        paused = self._queue(request.name).paused
        state: Any = tasks_v2.Queue.State
        return tasks_v2.Queue(name=request.name, state=state.PAUSED if paused else state.RUNNING)

    async def _create_task(self, request: Any) -> Any:
        queue, task, now = self._queue(request.parent), request.task, self._clock.now()
        task.name = task.name or f"{request.parent}/tasks/{next(self._numbers):019d}"
        self._check(request.parent, task, now)
        if task.name in queue.tasks or queue.taken.get(task.name, now) > now:
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"{task.name}: requested entity already exists")
        at = max(task.schedule_time or now, now)
        task.schedule_time, task.create_time = at, now
        queue.tasks[task.name] = Waiting(task, at, now)
        self._news.set()
        return task

    def _check(self, queue: str, task: Any, now: datetime) -> None:
        deadline = task.dispatch_deadline or USUAL_DEADLINE
        broken = [
            (not _is_task_of(queue, task.name), "task name must be {queue}/tasks/ and letters, digits, hyphens, underscores"),
            (not task.http_request.url.startswith(("http://", "https://")), "http_request.url must be an HTTP URL"),
            (bool(task.schedule_time) and task.schedule_time > now + LATEST, "schedule_time must be within 30 days"),
            (not SHORTEST_DEADLINE <= deadline <= LONGEST_DEADLINE, "dispatch_deadline must be from 15 s to 30 min"),
            (len(tasks_v2.Task.serialize(task)) > LARGEST_BYTES, "task size exceeds 100 KB"),
        ]
        for is_broken, rule in broken:
            if is_broken:
                raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, rule)

    async def _get_task(self, request: Any) -> Any:
        return self._waiting(request.name).task

    async def _delete_task(self, request: Any) -> Any:
        self._waiting(request.name)
        self._end(request.name)
        return empty_pb2.Empty()

    async def _list_tasks(self, request: Any) -> Any:
        self._queue(request.parent)
        return tasks_v2.ListTasksResponse(tasks=[waiting.task for waiting in self.tasks(request.parent)])

    def _pause(self, paused: bool) -> Any:
        async def act(request: Any) -> Any:
            self._queue(request.name).paused = paused
            self._news.set()
            return tasks_v2.Queue(name=request.name)

        return act

    def _queue(self, name: str) -> _Queue:
        if name not in self._queues:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"queue {name} does not exist")
        return self._queues[name]

    def _waiting(self, name: str) -> Waiting:
        waiting = self._queue(name.partition("/tasks/")[0]).tasks.get(name)
        if waiting is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"task {name} does not exist")
        return waiting

    def _end(self, name: str) -> None:
        queue = self._queues[name.partition("/tasks/")[0]]
        queue.tasks.pop(name, None)
        queue.taken[name] = self._clock.now() + NAMES_KEPT

    # ---- deliveries

    async def _deliver(self) -> None:
        while True:
            self._news.clear()
            for name, queue in self._queues.items():
                self._send_due(name, queue)
            await self._news_or(self._next_at())

    def _send_due(self, name: str, queue: _Queue) -> None:
        under_way = set(self._sending.values())
        room = queue.rules.at_once - sum(task.startswith(f"{name}/") for task in under_way)
        due = [one for one in self.tasks(name) if one.at <= self._clock.now() and one.task.name not in under_way]
        for waiting in due[:room] if not queue.paused else ():
            sending = asyncio.create_task(self._send(queue, waiting))
            self._sending[sending] = waiting.task.name
            sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        del self._sending[sending]
        self._news.set()
        self._ended.set()
        if not sending.cancelled() and (error := sending.exception()):
            _log.error("a delivery failed in the stand-in itself", exc_info=error)

    def _next_at(self) -> datetime | None:
        under_way = set(self._sending.values())
        moments = [
            waiting.at
            for queue in self._queues.values()
            for waiting in queue.tasks.values()
            if not queue.paused and waiting.task.name not in under_way
        ]
        return min(moments, default=None)

    async def _news_or(self, at: datetime | None) -> None:
        waits: list[asyncio.Future[Any]] = [asyncio.create_task(self._news.wait())]
        if at is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep_until(at)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _send(self, queue: _Queue, waiting: Waiting) -> None:
        """One try: the task is gone, or waits for its next one."""
        fault = self.faults.next("delivery")
        kind = fault and fault.kind
        if kind == "drop":
            self._end(waiting.task.name)
            return
        if fault and kind == "delay":
            waiting.at = self._clock.now() + fault.span
            return
        statuses = await asyncio.gather(*(self._post(waiting) for _ in range(2 if kind == "duplicate" else 1)))
        waiting.tries += 1
        if any(200 <= status < 300 for status in statuses) or self._is_given_up(queue.rules, waiting):
            self._end(waiting.task.name)
        else:
            waiting.at = self._clock.now() + queue.rules.pause(waiting.tries)

    def _is_given_up(self, rules: Rules, waiting: Waiting) -> bool:
        return waiting.tries >= rules.attempts and self._clock.now() - waiting.made_at >= rules.span

    async def _post(self, waiting: Waiting) -> int:
        task, request = waiting.task, waiting.task.http_request
        queue, _, short = task.name.partition("/tasks/")
        headers = {
            **request.headers,
            **_token_of(request, self._clock.now()),
            "X-CloudTasks-QueueName": queue.rpartition("/")[2],
            "X-CloudTasks-TaskName": short,
            "X-CloudTasks-TaskRetryCount": str(waiting.tries),
            "X-CloudTasks-TaskExecutionCount": str(waiting.answers),
        }
        status = await self._answer_of(request, headers, task.dispatch_deadline or USUAL_DEADLINE)
        waiting.answers += bool(status)
        self.delivered.append((task.name, status))
        return status

    async def _answer_of(self, request: Any, headers: dict[str, str], deadline: timedelta) -> int:
        """The status, or 0: no answer, or none in time. What the target does meanwhile is its own affair."""
        posting = asyncio.create_task(self._http.post(request.url, content=bytes(request.body), headers=headers, timeout=None))
        giving_up = asyncio.ensure_future(self._clock.sleep(deadline))
        try:
            await asyncio.wait([posting, giving_up], return_when=asyncio.FIRST_COMPLETED)
            return posting.result().status_code if posting.done() else 0
        except httpx2.TransportError:
            return 0
        finally:
            posting.cancel()
            giving_up.cancel()


def _is_task_of(queue: str, name: str) -> bool:
    return name.startswith(f"{queue}/tasks/") and bool(_TASK.fullmatch(name.removeprefix(f"{queue}/tasks/")))


def _token_of(request: Any, now: datetime) -> dict[str, str]:
    oidc = request.oidc_token
    return token_for(oidc.service_account_email, oidc.audience or request.url, now) if oidc.service_account_email else {}


def token_for(email: str, audience: str, now: datetime) -> dict[str, str]:
    """A header with an unsigned token and the right claims: enough for a test mode, refused by every real check."""
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "email": email,
        "email_verified": True,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(hours=1)).timestamp()),
    }
    parts = [json.dumps({"alg": "none", "typ": "JWT"}).encode(), json.dumps(claims).encode()]
    return {"Authorization": "Bearer " + ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."}
