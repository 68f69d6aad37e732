"""Pub/Sub's own promises: what is lost, doubled, late or broken is told apart, and nobody waits for it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc.aio
import msgspec
import pytest
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from auteryn.adapters.gcp.bus import BUNDLE_NEWS, FEED_EXPIRES, FEED_RETENTION, Bundle, News, PubSubBus
from auteryn.api.wakes import pushed
from auteryn.errors import Invalid, NotFound
from auteryn.schema.message import Delta
from auteryn.schema.record import new_id, to_json
from auteryn.testing.emulators.proxy import Proxy
from auteryn.testing.emulators.pubsub import lay_out
from auteryn.testing.emulators.servers import PUBSUB, host_of

HANG = 30
PATIENCE = timedelta(seconds=15)


class Room:
    """Topics of a project of their own; `bus` reaches them through `network` only."""

    def __init__(self, project: str, network: Proxy, bus: PubSubBus, channel: Any) -> None:
        self.project, self.network, self.bus = project, network, bus
        self._publisher: Any = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        self.subscriber: Any = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))

    async def published(self) -> None:
        while not self.network.calls["Publish"]:  # noqa: ASYNC110 - the network tells nobody
            await asyncio.sleep(0.01)

    async def say(self, *bundles: bytes) -> None:
        """As another process would."""
        messages = [{"data": bundle} for bundle in bundles]
        await self._publisher.publish({"topic": f"{self.project}/topics/events", "messages": messages})


def in_a_room(test: Callable[[Room], Awaitable[None]]) -> Callable[[], None]:
    """Turn `async def test(room)` into a test."""

    def run() -> None:
        async def main() -> None:
            host, project = host_of(PUBSUB), f"projects/test-{new_id('p')[-12:]}"
            await lay_out(host, project)
            async with Proxy(host) as network, grpc.aio.insecure_channel(host) as channel:
                steps, events, feed = f"{project}/topics/steps", f"{project}/topics/events", f"{project}/subscriptions/feed"
                times = {"pull": timedelta(seconds=1), "poll": timedelta(seconds=0.2)}
                bus = PubSubBus(steps=steps, events=events, feed=feed, host=network.host, **times)
                await bus.start()
                try:
                    await asyncio.wait_for(test(Room(project, network, bus, channel)), HANG)
                finally:
                    await bus.close()

        asyncio.run(main())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


def bundle(number: int, *texts: str) -> bytes:
    news = [News(root="run_root", run="run_a", delta=Delta(kind="text", text=text)) for text in texts]
    return to_json(Bundle(sender="somebody", number=number, news=news or [News(root="run_root", run="run_a")]))


async def next_deltas(watch: Any) -> list[str]:
    """A watch may also be woken to look for itself: an emulator on a busy machine is late."""
    while not (heard := watch.deltas()):
        assert await watch.next(PATIENCE)
    return [delta.text for _, delta in heard]


@pytest.mark.proves("F16")
@in_a_room
async def test_steps_are_published_again_until_the_reply_arrives(room: Room) -> None:
    """Lost replies and lost requests; a thousand to a call."""
    room.network.lose("Publish")
    room.network.refuse("Publish")

    await room.bus.publish_steps([f"run_{number}" for number in range(1_500)])

    assert room.network.calls["Publish"] == 2 + 2


@pytest.mark.proves("F27", "L12")
@in_a_room
async def test_of_a_bundle_that_comes_twice_or_late_the_text_is_dropped(room: Room) -> None:
    """B3: never doubled, never out of order; each sender by itself."""
    watch = room.bus.watch("run_root")
    await room.say(bundle(1, "a", "b"))
    assert await next_deltas(watch) == ["a", "b"]

    await room.say(bundle(1, "a", "b"))
    await room.say(bundle(3, "d"))
    assert await next_deltas(watch) == ["d"]
    await room.say(bundle(2, "c"))
    await room.say(bundle(4, "e"))
    assert await next_deltas(watch) == ["e"]


@in_a_room
async def test_what_is_no_news_is_passed_over(room: Room) -> None:
    """The feed goes on."""
    watch = room.bus.watch("run_root")
    await room.say(b"x", b"{}", b"[]", b'{"sender": "s", "number": "one", "news": []}')
    await room.say(bundle(1, "a"))

    assert await next_deltas(watch) == ["a"]


@pytest.mark.proves("F26", "L12")
@in_a_room
async def test_while_the_feed_is_broken_every_watch_is_woken_to_look_for_itself(room: Room) -> None:
    """And when it works again it is heard."""
    watch = room.bus.watch("run_root")
    await room.say(bundle(1, "a"))
    assert await next_deltas(watch) == ["a"]

    room.network.refuse("Pull", times=2)
    await room.say(bundle(2, "b"))
    heard = list[str]()
    woken = 0
    while "b" not in heard:
        assert await watch.next(PATIENCE)
        heard += [delta.text for _, delta in watch.deltas()]
        woken += 1

    assert woken >= 2


@pytest.mark.proves("F26")
@in_a_room
async def test_a_feed_that_is_gone_is_made_again(room: Room) -> None:
    """It expires when its instance sleeps too long, and an operator may delete it."""
    watch = room.bus.watch("run_root")
    await room.subscriber.delete_subscription({"subscription": f"{room.project}/subscriptions/feed"})
    assert await watch.next(PATIENCE), "a broken feed wakes everybody"

    for number in range(1, 1_000):
        await room.say(bundle(number, "again"))
        if await watch.next(timedelta(seconds=0.1)) and watch.deltas():
            break
    else:
        pytest.fail("nothing was heard any more")


@pytest.mark.proves("L3")
@in_a_room
async def test_news_that_cannot_be_published_stop_nobody(room: Room) -> None:
    """`tell` returns at once, watches of this process are woken, and the next news go out."""
    room.network.refuse("Publish", times=1)
    watch = room.bus.watch("run_root")
    room.bus.tell("run_root", "run_a", 1)
    assert await watch.next(timedelta(0)) is True
    await room.published()

    other = PubSubBus(
        steps="", events=f"{room.project}/topics/events", feed=f"{room.project}/subscriptions/two", host=host_of(PUBSUB)
    )
    await other.start()
    elsewhere = other.watch("run_root")
    room.bus.tell("run_root", "run_a", 2)
    assert await elsewhere.next(PATIENCE) is True
    await other.close()


@in_a_room
async def test_much_that_is_told_at_once_is_one_message(room: Room) -> None:
    """A nudge a run, the deltas in order."""
    other = room.bus.watch("run_other")
    for number in range(100):
        room.bus.tell("run_root", "run_a", number)
    room.bus.delta("run_root", "run_a", Delta(kind="text", text="a"))
    await asyncio.sleep(0)
    await room.published()

    assert room.network.calls["Publish"] == 1
    assert await other.next(timedelta(0)) is False


@pytest.mark.proves("L12")
@in_a_room
async def test_one_s_own_words_are_heard_once(room: Room) -> None:
    """At once, and not again when they come back by the feed."""
    own, other = room.bus.watch("run_root"), room.bus.watch("run_other")
    room.bus.delta("run_root", "run_a", Delta(kind="text", text="mine"))
    await room.published()
    await room.say(to_json(Bundle(sender="somebody", number=1, news=[News(root="run_other", run="run_other")])))
    assert await other.next(PATIENCE)
    await room.say(bundle(2, "theirs"))
    heard = await next_deltas(own)
    while "theirs" not in heard:
        heard += await next_deltas(own)
    assert heard == ["mine", "theirs"]


@pytest.mark.proves("L12")
@in_a_room
async def test_where_too_much_is_told_at_once_pieces_are_lost_and_no_nudge(room: Room) -> None:
    """A piece of text is in the store when it is whole; who is not nudged does not look."""
    feed = f"{room.project}/subscriptions/feed-elsewhere"
    events, steps = f"{room.project}/topics/events", f"{room.project}/topics/steps"
    bus = PubSubBus(steps=steps, events=events, feed=feed, host=host_of(PUBSUB))
    await bus.start()
    late, told = bus.watch("run_late"), bus.watch("run_root")
    for number in range(BUNDLE_NEWS + 5):
        room.bus.delta("run_root", "run_a", Delta(kind="text", text=str(number)))
    room.bus.tell("run_late", "run_late", 1)
    assert await late.next(PATIENCE)
    assert len(await next_deltas(told)) == BUNDLE_NEWS
    await bus.close()


@in_a_room
async def test_a_feed_whose_instance_died_goes_away_by_itself(room: Room) -> None:
    """A project may have 10,000 subscriptions."""
    feed = await room.subscriber.get_subscription({"subscription": f"{room.project}/subscriptions/feed"})
    assert (feed.expiration_policy.ttl, feed.message_retention_duration) == (FEED_EXPIRES, FEED_RETENTION)


@pytest.mark.proves("L15")
@in_a_room
async def test_a_push_that_is_no_step_is_refused(room: Room) -> None:
    """By whoever reads what is pushed."""
    for said in (b'{"run": 1}', b"{}", b"x", b"[]"):
        with pytest.raises(Invalid):
            pushed(msgspec.json.encode({"message": {"data": base64.b64encode(said).decode()}}))
    for body in (b"", b"{}", b"[]", b'{"message": {}}', b'{"message": {"data": "%"}}', b'{"message": 1}'):
        with pytest.raises(Invalid):
            pushed(body)


@in_a_room
async def test_a_topic_that_does_not_exist_is_named(room: Room) -> None:
    """So that a wrong variable is found at once."""
    bus = PubSubBus(steps=f"{room.project}/topics/wrong", events="", host=host_of(PUBSUB))
    with pytest.raises(NotFound, match="wrong"):
        await bus.publish_steps(["run_a"])
    await bus.close()
