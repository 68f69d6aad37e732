"""What Terraform makes of Pub/Sub, made in an emulator's project; and the way from there to a function, which can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc.aio
import httpx2
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from auteryn.ports.clock import Clock
from auteryn.testing.emulators.faults import Faults
from auteryn.testing.emulators.target import Target
from auteryn.testing.loopback import Request


async def lay_out(
    host: str, project: str, *, topics: Sequence[str] = ("steps", "events"), push_to: str = "", ack_seconds: int = 10
) -> None:
    """The topics exist in `project` ("projects/…"), and with `push_to` the first one is pushed there."""
    channel: Any = grpc.aio.insecure_channel(host)
    async with channel:
        publisher: Any = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        for topic in topics:
            await publisher.create_topic({"name": f"{project}/topics/{topic}"}, timeout=10)
        if push_to:
            subscriber: Any = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
            subscription = {
                "name": f"{project}/subscriptions/{topics[0]}-dispatch",
                "topic": f"{project}/topics/{topics[0]}",
                "push_config": {"push_endpoint": push_to},
                "ack_deadline_seconds": ack_seconds,
                "retry_policy": {"minimum_backoff": {"nanos": 100_000_000}, "maximum_backoff": {"seconds": 1}},
            }
            await subscriber.create_subscription(subscription, timeout=10)


class Pushes:
    """Pushes on their way to `to`, between entering and leaving. Faults are planned for `push`."""

    def __init__(self, to: str, clock: Clock) -> None:
        self.faults = Faults()
        self.sending = 0
        """Under way, the late ones left out."""
        self._to, self._clock = to, clock
        self._target = Target(self._passed_on)

    @property
    def url(self) -> str:
        return self._target.url

    async def __aenter__(self) -> Pushes:
        self._http = httpx2.AsyncClient(timeout=None)
        await self._target.__aenter__()
        return self

    async def __aexit__(self, *how: object) -> None:
        await self._target.__aexit__(*how)
        await self._http.aclose()

    async def _passed_on(self, request: Request) -> int:
        """The function's own answer; 503 where it cannot be reached."""
        fault = self.faults.next("push")
        if fault and fault.kind == "drop":
            return 204
        if fault and fault.kind == "delay":
            await self._clock.sleep(fault.span)
        self.sending += 1
        try:
            times = 2 if fault and fault.kind == "duplicate" else 1
            return max(await asyncio.gather(*(self._once(request) for _ in range(times))))
        finally:
            self.sending -= 1

    async def _once(self, request: Request) -> int:
        kept = {
            name: value for name, value in request.headers.items() if name in ("authorization", "content-type", "traceparent")
        }
        try:
            return (await self._http.post(self._to + request.path, content=request.body, headers=kept)).status_code
        except httpx2.TransportError:
            return 503
