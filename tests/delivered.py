"""The cloud's queue and bus as the function `dispatch` completes them: what arrives by HTTP goes to this process's handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from auteryn.adapters.gcp.bus import PubSubBus
from auteryn.adapters.gcp.queue import CloudTasksQueue
from auteryn.api.wakes import pushed, woken
from auteryn.testing.loopback import Request

Handler = Callable[[str], Awaitable[None]]


class _Delivered:
    """`read` is what production reads out of a request."""

    handler: Handler
    read: Callable[[bytes], str]

    async def receive(self, request: Request) -> int:
        await self.handler(self.read(request.body))
        return 204


class WokenQueue(_Delivered, CloudTasksQueue):
    read = staticmethod(woken)

    def on_wake(self, handler: Handler) -> None:
        self.handler = handler


class PushedBus(_Delivered, PubSubBus):
    read = staticmethod(pushed)

    def on_step(self, handler: Handler) -> None:
        self.handler = handler
