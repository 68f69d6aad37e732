"""Wakes by Cloud Tasks (`ports.queue`): one HTTP task a wake, which the service brings to the function `dispatch`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError

from auteryn.adapters.gcp.clients import PerLoop, client_at, close_transport
from auteryn.adapters.gcp.faults import CALL_SECONDS, PATIENCE, from_google, persist
from auteryn.adapters.gcp.log import traceparent
from auteryn.ports.clock import Clock
from auteryn.schema.record import Record, to_json

if TYPE_CHECKING:
    from google.cloud.tasks_v2 import CloudTasksAsyncClient

LONGEST = timedelta(days=29)
"""The service takes 30 days. A later wake comes too early, and whoever it wakes enqueues the rest of the way."""

SOON = timedelta(seconds=10)
"""Until then no name is derived: the task of that name may be gone already, and its name stays taken for a day."""


class Wake(Record):
    """The body of a task."""

    run: str
    at: datetime


class CloudTasksQueue:
    """`queue` is its whole name, `url` where `dispatch` answers, `caller` the service account whose token proves the sender."""

    def __init__(
        self,
        queue: str,
        clock: Clock,
        *,
        url: str,
        caller: str | None = None,
        audience: str = "",
        deadline: timedelta = timedelta(minutes=10),
        host: str | None = None,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._queue, self._clock, self._url, self._host = queue, clock, url, host
        self._caller, self._audience, self._deadline, self._patience = caller, audience or url, deadline, patience
        self._clients: PerLoop[CloudTasksAsyncClient] = PerLoop(self._connect, close_transport)

    async def enqueue(self, run: str, at: datetime) -> None:
        """Wakes of one run for one later moment are one task; a wake for now is always one of its own."""
        now = self._clock.now()
        task_at = min(max(at, now), now + LONGEST)
        name = _derived_name(run, at, task_at) if task_at > now + SOON else secrets.token_hex(16)
        await self._create(Wake(run=run, at=at), task_at, name)

    def on_wake(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Nothing to do: `dispatch` is woken, not this process."""

    async def start(self) -> None:
        """Nothing to do: the service delivers."""

    async def close(self) -> None:
        await self._clients.close()

    async def _create(self, wake: Wake, at: datetime, name: str) -> None:
        """The task exists. A create whose reply was lost is sent again under the same name."""
        from google.cloud.tasks_v2 import CreateTaskRequest

        request = CreateTaskRequest(parent=self._queue, task=self._task(wake, at, name))
        try:
            client = self._clients.get()
            await persist(lambda: client.create_task(request, retry=None, timeout=CALL_SECONDS), self._patience)
        except AlreadyExists:
            return
        except GoogleAPICallError as error:
            raise from_google(error, f"task queue {self._queue!r}") from error

    def _task(self, wake: Wake, at: datetime, name: str) -> dict[str, Any]:
        token = {"service_account_email": self._caller, "audience": self._audience}
        return {
            "name": f"{self._queue}/tasks/{name}",
            "schedule_time": at,
            "dispatch_deadline": self._deadline,
            "http_request": {
                "url": self._url,
                "http_method": "POST",
                "headers": {"Content-Type": "application/json", "traceparent": traceparent(wake.run)},
                "body": to_json(wake),
                **({"oidc_token": token} if self._caller else {}),
            },
        }

    def _connect(self) -> CloudTasksAsyncClient:
        from google.cloud.tasks_v2 import CloudTasksAsyncClient
        from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

        return client_at(CloudTasksAsyncClient, CloudTasksGrpcAsyncIOTransport, self._host)


def _derived_name(run: str, at: datetime, task_at: datetime) -> str:
    """The same for the same wake, and spread evenly: names in sequence slow the service down. Each link has its own."""
    return hashlib.sha256(f"{run}|{at.isoformat()}|{task_at.date()}".encode()).hexdigest()[:32]
