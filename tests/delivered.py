"""The cloud's queue and bus as the function `dispatch` completes them: what arrives by HTTP goes to this process's handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from auteryn.adapters.gcp.bus import PubSubBus
from auteryn.adapters.gcp.queue import CloudTasksQueue
from auteryn.api.wakes import pushed, woken
from auteryn.testing.loopback import Request

Handler = Callable[[str], Awaitable[None]]


class WokenQueue(CloudTasksQueue):
    handler: Handler

    def on_wake(self, handler: Handler) -> None:
        self.handler = handler

    async def receive(self, task: Request) -> int:
        await self.handler(woken(task.body))
        return 204


class PushedBus(PubSubBus):
    handler: Handler

    def on_step(self, handler: Handler) -> None:
        self.handler = handler

    async def receive(self, push: Request) -> int:
        await self.handler(pushed(push.body))
        return 204
