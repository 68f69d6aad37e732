"""The world of Google Cloud: one process of three, and who looks at them from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING

from auteryn.compose.engine import engine_of, gemini
from auteryn.compose.settings import Settings
from auteryn.policy.cloud import (
    API,
    APIS,
    BLOBS_RENEWED,
    DATABASE,
    DISPATCH,
    DISPATCH_DEADLINE,
    EVENTS_TOPIC,
    FEED_PREFIX,
    FILES_BYTES,
    JOB,
    JOB_LARGE,
    JOB_TIMEOUT,
    QUEUE,
    RUN_VARIABLE,
    STEPS_SUBSCRIPTION,
    STEPS_TOPIC,
    WAKE_PATH,
    Deployable,
)
from auteryn.ports import Clock, Model, Services
from auteryn.runtime.host import Host
from auteryn.schema.record import new_id
from auteryn.tools.tool import Tool

if TYPE_CHECKING:
    from auteryn.adapters.gcp.checkup import Found
    from auteryn.adapters.gcp.id_tokens import GoogleIdTokens
    from auteryn.api.auth import IdTokens


def cloud(
    environ: Mapping[str, str],
    piece: Deployable,
    *,
    model: Model | None = None,
    clock: Clock | None = None,
    tools: Iterable[Tool] = (),
    builtin: bool = True,
    around: Callable[[Services], Services] = lambda services: services,
) -> Host:
    """One process of the cloud. No client is made before it is used, so nothing is open when the server forks.

    `api` hears what other processes tell and works on FAST runs itself; `dispatch` starts jobs; a job's slice only works.
    """
    if builtin and piece == "slice":
        from auteryn.tools.sandbox import ladder

        ladder.begin()
    from auteryn.adapters.embedded.clock import ShiftedClock, SystemClock
    from auteryn.adapters.embedded.jobs import TaskJobs
    from auteryn.adapters.gcp.blobs import CloudBlobs
    from auteryn.adapters.gcp.bus import PubSubBus
    from auteryn.adapters.gcp.jobs import CloudRunJobs
    from auteryn.adapters.gcp.queue import CloudTasksQueue
    from auteryn.adapters.gcp.settings import CloudSettings
    from auteryn.adapters.gcp.store import FirestoreStore
    from auteryn.runtime.stored_files import StoredFiles

    there, settings = CloudSettings.from_environment(environ), Settings.from_environment(environ)
    project = f"projects/{there.project}"
    clock = clock or (ShiftedClock(there.clock_file) if there.clock_file else SystemClock())
    blobs = CloudBlobs(there.bucket, endpoint=there.storage_url, renew_after=BLOBS_RENEWED)
    services = Services(
        store=FirestoreStore.open(there.project, blobs, database=there.database, host=there.firestore_host),
        queue=CloudTasksQueue(
            f"{there.place}/queues/{there.queue}",
            clock,
            url=there.dispatch_url + WAKE_PATH,
            caller=there.tasks_account,
            audience=there.dispatch_url,
            deadline=DISPATCH_DEADLINE,
            host=there.tasks_host,
        ),
        bus=PubSubBus(
            steps=f"{project}/topics/{there.steps_topic}",
            events=f"{project}/topics/{there.events_topic}",
            feed=f"{project}/subscriptions/{FEED_PREFIX}{new_id('at')}" if piece == "api" else None,
            host=there.pubsub_host,
        ),
        jobs=CloudRunJobs(
            f"{there.place}/jobs/{there.job}",
            large=f"{there.place}/jobs/{there.job_large}" if there.job_large else None,
            cap=JOB_TIMEOUT,
            variable=RUN_VARIABLE,
            host=there.run_host,
        )
        if there.job
        else TaskJobs(max_slices=settings.max_slices),
        blobs=blobs,
        model=model or gemini(settings, clock, environ),
        clock=clock,
    )
    services = around(services)
    files = StoredFiles(there.home / "files", services.store, services.blobs, tree_bytes=FILES_BYTES)
    engine = engine_of(services, settings, tools, holder=_holder(environ), builtin=builtin, files=files)
    engine.sits_on = frozenset({"fast"}) if piece == "api" else frozenset()
    return Host(engine, sweeps=False, last=blobs.close)


def _holder(environ: Mapping[str, str]) -> str:
    """This process, as leases and the journal name it: the platform's own name for it, and which start of it."""
    return new_id(environ.get("CLOUD_RUN_EXECUTION") or environ.get("K_REVISION") or "proc")


def id_tokens(audience: str) -> GoogleIdTokens:
    """Who has a Google ID token for this audience."""
    from auteryn.adapters.gcp.id_tokens import GoogleIdTokens

    return GoogleIdTokens(audience)


def callers(environ: Mapping[str, str] = os.environ) -> tuple[IdTokens, tuple[str, ...]]:
    """Who may call `dispatch`: how a token is checked, and whose are let in."""
    from auteryn.adapters.gcp.id_tokens import LocalIdTokens
    from auteryn.adapters.gcp.settings import CloudSettings

    if environ.get("AUTERYN_BACKEND", "embedded") != "gcp":
        return id_tokens(environ.get("AUTERYN_DISPATCH_URL", "")), ()
    there = CloudSettings.from_environment(environ)
    return LocalIdTokens(there.dispatch_url) if there.local else id_tokens(there.dispatch_url), there.callers


def tell_the_log(environ: Mapping[str, str] = os.environ) -> None:
    """In the cloud, log lines are JSON objects on stdout, which the platform collects."""
    if environ.get("AUTERYN_BACKEND") == "gcp":
        from auteryn.adapters.gcp.log import log_to_stdout

        log_to_stdout(environ.get("GOOGLE_CLOUD_PROJECT", ""), environ.get("CLOUD_RUN_EXECUTION", ""))


def traced(headers: Mapping[str, str] | None = None, run: str = "") -> AbstractContextManager[None]:
    """Log lines of the block say which request, or which run, they belong to."""
    from auteryn.adapters.gcp.log import traced

    return traced(headers, run)


def stop_gracefully(host: Host, *also: Callable[[], None]) -> None:
    """On SIGTERM every slice here hands its run over, if the seconds before SIGKILL are enough; whoever handled the signal
    before does so still. Nothing relies on it (F11)."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def stop() -> None:
        for act in (host.engine.stop, *also):
            act()

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, told)


def deployment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of somebody who looks at a deployment from outside: what it does not say has the name Terraform gives."""
    project = environ.get("GOOGLE_CLOUD_PROJECT", "")
    usual = {
        "AUTERYN_BUCKET": f"{project}-auteryn-blobs",
        "AUTERYN_DATABASE": DATABASE,
        "AUTERYN_DISPATCH_URL": f"https://{DISPATCH}-",
        "AUTERYN_EVENTS_TOPIC": EVENTS_TOPIC,
        "AUTERYN_HOME": ".",
        "AUTERYN_JOB": JOB,
        "AUTERYN_JOB_LARGE": JOB_LARGE,
        "AUTERYN_QUEUE": QUEUE,
        "AUTERYN_STEPS_TOPIC": STEPS_TOPIC,
        "AUTERYN_TASKS_ACCOUNT": "-",
    }
    return {**usual, **environ}


async def cloud_checkup(environ: Mapping[str, str] = os.environ) -> AsyncIterator[Found]:
    """Each thing a deployment needs, what is known of it or wrong with it, and what to do. `GOOGLE_CLOUD_PROJECT` and
    `AUTERYN_REGION` name the deployment; the rest has the names Terraform gives, where the environment does not differ."""
    from auteryn.adapters.gcp.checkup import checkup
    from auteryn.adapters.gcp.settings import CloudSettings

    there = CloudSettings.from_environment(deployment(environ))
    async for found in checkup(there, STEPS_SUBSCRIPTION, (API, DISPATCH), APIS):
        yield found
