"""What Terraform makes of Pub/Sub, made in an emulator's project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc.aio
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport


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
