"""Whether everything a deployment needs is there and may be used: one question for each thing, each with its own answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from auteryn.adapters.gcp.apis import Google, apis, given, secret, signed_in
from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.adapters.gcp.clients import client_at, close_transport
from auteryn.adapters.gcp.faults import CALL_SECONDS, from_google
from auteryn.adapters.gcp.settings import CloudSettings, is_loopback
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import AuterynError, Conflict, NotFound, Unavailable
from auteryn.schema.record import Record

SKEW = timedelta(seconds=5)
"""A lease is 60 s long and beaten each 20: a clock that is further off is worth mending."""
PROBE = b"auteryn doctor was here"
APPLY = "terraform apply in infra/terraform makes it"


class Found(Record):
    """What is known of one thing."""

    name: str
    detail: str
    """How it is, or what is wrong."""
    bad: bool = False
    todo: str = ""
    """What to do about it, where it is bad and the detail does not say."""


async def checkup(
    there: CloudSettings, subscription: str, services: Sequence[str], needed: Sequence[str]
) -> AsyncIterator[Found]:
    """One thing after the other; nothing is changed but one small blob. `needed`: APIs, by their first names."""
    blobs = CloudBlobs(there.bucket, endpoint=there.storage_url)
    store = FirestoreStore.open(there.project, blobs, database=there.database, host=there.firestore_host)
    google = Google(there)
    steps = "or take the subscription's push endpoint from terraform output"
    try:
        if not there.local:
            who = await _answer("credentials", signed_in, "")
            yield who
            if who.bad:
                return  # everything else would only say so again
        for name, look, todo in (
            ("apis", lambda: apis(google, there.project, needed), "terraform apply in infra/terraform switches them on"),
            ("database", lambda: _database(store, there), f"{APPLY}; you yourself need roles/datastore.user"),
            ("indexes", lambda: _indexes(store), f"{APPLY}; a new index takes minutes"),
            ("clock", lambda: _clock(store), "set this machine's clock"),
            ("bucket", lambda: _bucket(blobs, there), f"{APPLY}; you yourself need roles/storage.objectUser on it"),
            ("queue", lambda: _queue(there), f"{APPLY}; a deleted queue's name is free again after a week"),
            ("topic steps", lambda: _topic(there, there.steps_topic), APPLY),
            ("topic events", lambda: _topic(there, there.events_topic), APPLY),
            ("subscription", lambda: _subscription(there, subscription), f"{APPLY}, {steps}"),
            ("job", lambda: _job(there, there.job), APPLY),
            ("job large", lambda: _job(there, there.job_large), APPLY),
        ):
            yield await _answer(name, look, todo)
        async for found in _secrets(google, there, services):
            yield found
    finally:
        await store.close()
        await blobs.close()


async def _secrets(google: Google, there: CloudSettings, services: Sequence[str]) -> AsyncIterator[Found]:
    """Each secret of each process; whether there is any; what cannot be looked at."""
    used = list[Any]()

    async def look() -> str:
        used.extend(await given(google, there, services))
        return f"{len(used)} are given to the processes" if used else "no process is given any"

    yield await _answer("secrets", look, f"{APPLY}; you yourself need roles/run.viewer")
    for one in used:
        yield await _answer(
            f"secret {one.variable}",
            lambda one=one: secret(google, there.project, one),
            "you yourself need roles/secretmanager.viewer",
        )


async def _answer(name: str, look: Callable[[], Awaitable[str]], todo: str) -> Found:
    try:
        return Found(name=name, detail=await look())
    except AuterynError as error:
        return Found(name=name, detail=str(error), bad=True, todo=todo)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one thing, the others are looked at too
        return Found(name=name, detail=f"{type(error).__name__}: {error}", bad=True, todo=todo)


async def _database(store: FirestoreStore, there: CloudSettings) -> str:
    await store.doc("doctor", "probe")
    return f"Firestore database {there.database!r} of project {there.project!r} answers"


async def _indexes(store: FirestoreStore) -> str:
    """Every query there is, with every index it may want."""
    try:
        await store.due(datetime.now(UTC), limit=1)
        await store.docs("doctor", "probe", limit=1)
        for conditions in ({"owner": "doctor"}, {"owner": "doctor", "status": ["failed"]}, {"status": ["failed"]}):
            for roots_only in (True, False):
                await store.runs(**conditions, roots_only=roots_only, limit=1)  # pyright: ignore[reportArgumentType]
        await store.runs(parent="doctor", roots_only=False, limit=1)
    except Conflict as error:
        raise Conflict(f"an index is missing or still being built (terraform apply makes them all): {error}") from error
    return "every query is answered"


async def _clock(store: FirestoreStore) -> str:
    before = datetime.now(UTC)
    found = await store.database.get("docs", "doctor:clock")
    off = abs(found.read_time - (before + (datetime.now(UTC) - before) / 2))
    if off > SKEW:
        raise Unavailable(f"this machine's clock is {off.total_seconds():.0f} s off the database's: leases would be misjudged")
    return f"{off.total_seconds():.1f} s off the database's"


async def _bucket(blobs: CloudBlobs, there: CloudSettings) -> str:
    sha256 = await blobs.put(PROBE)
    if await blobs.get(sha256) != PROBE:
        raise NotFound(f"bucket {there.bucket!r} does not give back what was put into it")
    return f"{there.bucket!r} can be written and read"


async def _queue(there: CloudSettings) -> str:
    from google.cloud.tasks_v2 import CloudTasksAsyncClient
    from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

    name = f"{there.place}/queues/{there.queue}"
    client = client_at(CloudTasksAsyncClient, CloudTasksGrpcAsyncIOTransport, there.tasks_host)
    found = await _asked(client, lambda: client.get_queue({"name": name}, retry=None, timeout=CALL_SECONDS), f"queue {name!r}")
    if found.state.name == "PAUSED":
        raise Conflict(f"queue {there.queue!r} is paused: nothing is woken; gcloud tasks queues resume {there.queue}")
    return f"{there.queue!r} delivers to {there.dispatch_url}"


async def _topic(there: CloudSettings, topic: str) -> str:
    from google.pubsub_v1 import PublisherAsyncClient
    from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport

    name = f"projects/{there.project}/topics/{topic}"
    client = client_at(PublisherAsyncClient, PublisherGrpcAsyncIOTransport, there.pubsub_host)
    await _asked(client, lambda: client.get_topic({"topic": name}, retry=None, timeout=CALL_SECONDS), f"topic {name!r}")
    return f"{topic!r} is there"


async def _subscription(there: CloudSettings, subscription: str) -> str:
    from google.pubsub_v1 import SubscriberAsyncClient
    from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

    name = f"projects/{there.project}/subscriptions/{subscription}"
    client = client_at(SubscriberAsyncClient, SubscriberGrpcAsyncIOTransport, there.pubsub_host)
    what = f"subscription {name!r}"
    found = await _asked(
        client, lambda: client.get_subscription({"subscription": name}, retry=None, timeout=CALL_SECONDS), what
    )
    push = found.push_config.push_endpoint
    relayed = there.local and is_loopback(push)  # a local cloud's pushes keep its clock on the way
    if not relayed and not push.startswith(there.dispatch_url):
        raise Conflict(f"{what} pushes to {push or 'nobody'!r}, not to {there.dispatch_url!r}: steps start only when swept")
    return f"{subscription!r} pushes to {push}"


async def _job(there: CloudSettings, job: str) -> str:
    from google.cloud.run_v2 import JobsAsyncClient
    from google.cloud.run_v2.services.jobs.transports import JobsGrpcAsyncIOTransport

    name = f"{there.place}/jobs/{job}"
    client = client_at(JobsAsyncClient, JobsGrpcAsyncIOTransport, there.run_host)
    await _asked(client, lambda: client.get_job({"name": name}, retry=None, timeout=CALL_SECONDS), f"job {name!r}")
    return f"{job!r} is there"


async def _asked(client: Any, call: Callable[[], Awaitable[Any]], what: str) -> Any:
    try:
        return await call()
    except GoogleAPICallError as error:
        raise from_google(error, what) from error
    finally:
        await close_transport(client)
