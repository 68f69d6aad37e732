"""Pub/Sub (`ports.bus`): ready steps by push to the function `dispatch`; news by one pull subscription an API instance.

News go out in bundles. A bundle carries its sender and a number: of one that comes twice or late the deltas are dropped,
and its nudges do no harm. While the feed is broken every watch is woken each few seconds and looks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.api_core.exceptions import NotFound as Missing

from auteryn.adapters.embedded.bus import LocalWatch
from auteryn.adapters.gcp.clients import PerLoop, client_at, close_transport
from auteryn.adapters.gcp.faults import CALL_SECONDS, TRANSIENT, from_google, persist
from auteryn.errors import AuterynError
from auteryn.schema.message import Delta
from auteryn.schema.record import Record, new_id, to_json

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient

BUNDLE_SECONDS = 0.05
"""What is told within this goes out together."""

BUNDLE_NEWS = 1_000
STEPS_A_CALL = 1_000
"""The service's most in one publish call."""

PULL = timedelta(seconds=10)
"""Longest wait of one request for news: a feed that was deleted under it is noticed by the next one."""
PULL_MESSAGES = 100
FEED_RETENTION = timedelta(minutes=10)
FEED_EXPIRES = timedelta(days=1)
"""The service's least for both: gaps are filled from the store, and a feed nobody reads any more goes away."""
FEED_ACK_SECONDS = 10

POLL = timedelta(seconds=2)
"""Between two wakes of every watch while the feed is broken."""

SENDERS_KNOWN = 10_000

_log = logging.getLogger(__name__)


class News(Record):
    """A nudge about a tree of runs, or a piece of a model's answer."""

    root: str
    run: str
    delta: Delta | None = None


class Bundle(Record):
    sender: str
    number: int
    news: list[News]


class PubSubBus:
    """`steps`, `events` and `feed` are whole names of two topics and of this instance's own subscription.

    Without `feed` nothing is heard from other processes: for those that nobody watches. Steps are pushed to `dispatch`
    (`api.wakes`), never here.
    """

    def __init__(
        self,
        *,
        steps: str,
        events: str,
        feed: str | None = None,
        host: str | None = None,
        pull: timedelta = PULL,
        poll: timedelta = POLL,
    ) -> None:
        self._pull_s, self._poll_s = pull.total_seconds(), poll.total_seconds()
        self._steps, self._events, self._feed, self._host = steps, events, feed, host
        self._on_news: Callable[[str], None] | None = None
        self._watches: dict[str, list[LocalWatch]] = {}
        self._publisher: PerLoop[PublisherAsyncClient] = PerLoop(self._connect_publisher, close_transport)
        self._subscriber: PerLoop[SubscriberAsyncClient] = PerLoop(self._connect_subscriber, close_transport)
        self._sender, self._sent = new_id("bus"), 0
        self._heard: OrderedDict[str, int] = OrderedDict()
        self._outbox: list[News] = []
        self._posting: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    # ---- steps

    async def publish_steps(self, runs: Sequence[str]) -> None:
        """Published; whoever dispatches them does so in its own time."""
        for first in range(0, len(runs), STEPS_A_CALL):
            messages = [
                {"data": to_json({"run": run}), "attributes": {"run": run}} for run in runs[first : first + STEPS_A_CALL]
            ]
            await self._publish(self._steps, messages)

    def on_step(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Nothing to do: `dispatch` gets the steps, not this process."""

    # ---- news

    def tell(self, root: str, run: str, seq: int) -> None:
        self._say(News(root=root, run=run))

    def delta(self, root: str, run: str, delta: Delta) -> None:
        self._say(News(root=root, run=run, delta=delta))

    def on_news(self, handler: Callable[[str], None]) -> None:
        self._on_news = handler

    def watch(self, root: str) -> LocalWatch:
        watch = LocalWatch(root, self._forget)
        self._watches.setdefault(root, []).append(watch)
        return watch

    async def start(self) -> None:
        """From here on news of other processes are heard, if there is a feed."""
        if self._feed is not None:
            await self._open_feed()
            self._listening = asyncio.create_task(self._listen(), name=f"feed {self._feed}")

    async def close(self) -> None:
        """What was told has gone out, if the service takes it; the feed is deleted."""
        for watches in list(self._watches.values()):
            for watch in list(watches):
                watch.close()
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            with contextlib.suppress(GoogleAPICallError):  # it expires by itself
                await self._subscriber.get().delete_subscription({"subscription": self._feed}, retry=None, timeout=CALL_SECONDS)
        if self._posting:
            await asyncio.gather(self._posting, return_exceptions=True)
        await self._publisher.close()
        await self._subscriber.close()

    # ---- out

    def _say(self, news: News) -> None:
        self._hear(news, fresh=True)
        if len(self._outbox) < BUNDLE_NEWS or news.delta is None:  # deltas may be lost, nudges are small
            self._outbox.append(news)
        if self._posting is None or self._posting.done():
            self._posting = asyncio.create_task(self._post(), name="news")

    async def _post(self) -> None:
        """Everything told has been published, or given up: the store knows all that matters."""
        while self._outbox:
            await asyncio.sleep(BUNDLE_SECONDS)
            news, self._outbox = _without_repeats(self._outbox), []
            self._sent += 1
            bundle = Bundle(sender=self._sender, number=self._sent, news=news)
            try:
                message = {"data": to_json(bundle)}
                await self._publisher.get().publish(
                    {"topic": self._events, "messages": [message]}, retry=None, timeout=CALL_SECONDS
                )
            except GoogleAPICallError as error:
                _log.warning("news of %d runs were not published: %s", len({one.run for one in news}), error)

    async def _publish(self, topic: str, messages: Sequence[dict[str, Any]]) -> None:
        request: Any = {"topic": topic, "messages": messages}
        try:
            await persist(lambda: self._publisher.get().publish(request, retry=None, timeout=CALL_SECONDS))
        except GoogleAPICallError as error:
            raise from_google(error, f"topic {topic!r}") from error

    # ---- in

    async def _open_feed(self) -> None:
        request: Any = {
            "name": self._feed,
            "topic": self._events,
            "ack_deadline_seconds": FEED_ACK_SECONDS,
            "message_retention_duration": FEED_RETENTION,
            "expiration_policy": {"ttl": FEED_EXPIRES},
        }
        try:
            await persist(lambda: self._subscriber.get().create_subscription(request, retry=None, timeout=CALL_SECONDS))
        except AlreadyExists:
            return
        except GoogleAPICallError as error:
            raise from_google(error, f"subscription {self._feed!r}") from error

    async def _listen(self) -> None:
        while True:
            try:
                await self._pull()
            except GoogleAPICallError as error:
                _log.warning("the feed %s is broken, watches poll meanwhile: %s", self._feed, error)
                self._wake_everybody()
                await asyncio.sleep(self._poll_s)
                if isinstance(error, Missing):
                    await self._reopen_feed()

    async def _reopen_feed(self) -> None:
        with contextlib.suppress(AuterynError):  # the next pull says what is wrong
            await self._open_feed()

    async def _pull(self) -> None:
        """One request that waits for news. They are acknowledged at once: what is lost here, the store knows."""
        subscriber = self._subscriber.get()
        request: Any = {"subscription": self._feed, "max_messages": PULL_MESSAGES}
        try:
            pulled: Any = await subscriber.pull(request, retry=None, timeout=self._pull_s)
        except TRANSIENT as error:
            if error.grpc_status_code is not None and error.grpc_status_code.name == "DEADLINE_EXCEEDED":
                return  # nothing was told for so long
            raise
        if pulled.received_messages:
            ids = [one.ack_id for one in pulled.received_messages]
            await subscriber.acknowledge({"subscription": self._feed, "ack_ids": ids}, retry=None, timeout=CALL_SECONDS)
        for one in pulled.received_messages:
            self._take_in(one.message.data)

    def _take_in(self, data: bytes) -> None:
        try:
            bundle = msgspec.json.decode(data, type=Bundle)
        except msgspec.DecodeError as error:
            _log.warning("a message on %s is no bundle of news: %s", self._events, error)
            return
        if bundle.sender == self._sender:
            return
        fresh = bundle.number > self._heard.get(bundle.sender, 0)
        if fresh:
            self._heard[bundle.sender] = bundle.number
            self._heard.move_to_end(bundle.sender)
            if len(self._heard) > SENDERS_KNOWN:
                self._heard.popitem(last=False)
        for news in bundle.news:
            self._hear(news, fresh=fresh)
            if self._on_news and news.delta is None:
                self._on_news(news.run)

    def _hear(self, news: News, *, fresh: bool) -> None:
        for watch in self._watches.get(news.root, ()):
            if news.delta is None:
                watch.told()
            elif fresh:
                watch.streamed(news.run, news.delta)

    def _wake_everybody(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.told()

    def _forget(self, watch: LocalWatch) -> None:
        watches = self._watches.get(watch.root, [])
        if watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.root]

    def _connect_publisher(self) -> PublisherAsyncClient:
        from google.pubsub_v1 import PublisherAsyncClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

        return client_at(PublisherAsyncClient, PublisherGrpcAsyncIOTransport, self._host)

    def _connect_subscriber(self) -> SubscriberAsyncClient:
        from google.pubsub_v1 import SubscriberAsyncClient
        from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

        return client_at(SubscriberAsyncClient, SubscriberGrpcAsyncIOTransport, self._host)


def _without_repeats(outbox: Sequence[News]) -> list[News]:
    """One nudge a run is enough; deltas stay, in order."""
    nudges = dict.fromkeys((one.root, one.run) for one in outbox if one.delta is None)
    return [*(News(root=root, run=run) for root, run in nudges), *(one for one in outbox if one.delta is not None)]
