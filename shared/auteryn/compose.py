"""The only file that knows both worlds: from settings to a `Host`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal

from auteryn.agent.mind import Settings as AgentSettings
from auteryn.errors import AuterynError, Invalid
from auteryn.policy.cloud import (
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
from auteryn.policy.limits import COMPACT_AT_TOKENS, KEEP_TOKENS
from auteryn.policy.spend import spend_limit
from auteryn.ports import Clock, Jobs, Model, Queue, Services
from auteryn.ports.model import Role
from auteryn.ports.observer import Observer
from auteryn.runtime.engine import Engine
from auteryn.runtime.files import Files, StoredFiles
from auteryn.runtime.host import Host
from auteryn.runtime.spending import Spending
from auteryn.schema.message import Tokens
from auteryn.schema.record import new_id
from auteryn.schema.spend import SpendLimit
from auteryn.tools.egress import Egress
from auteryn.tools.registry import Registry
from auteryn.tools.tool import Tool

if TYPE_CHECKING:
    from auteryn.adapters.embedded.condition import Condition
    from auteryn.adapters.gcp.id_tokens import GoogleIdTokens
    from auteryn.api.auth import IdTokens


@dataclass(slots=True)
class Settings:
    """How a process is set up. `from_environment` reads what the documentation lists."""

    home: Path
    synchronous: Literal["full", "normal", "off"] = "full"
    """`full` survives a power cut; `normal` survives kill -9 and is faster."""
    isolate: bool = False
    """One child process a slice instead of a task in this process."""
    max_slices: int = 100
    models: dict[Role, str | None] = field(default_factory=dict[Role, str | None])
    """Model ids by role, comma-separated, best first; what is not named comes from the model table."""
    compact_at_tokens: int = COMPACT_AT_TOKENS
    keep_tokens: int = KEEP_TOKENS
    egress: Egress = field(default_factory=Egress)
    """Where tools may connect to."""
    observer: Observer | None = None
    """Sees every commit: telemetry."""
    public_url: str = ""
    """Where people reach this system with a browser: the links in notifications begin with it."""
    spend_limit: SpendLimit | None = None
    """Of every owner who has none of his own."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, home: str | Path | None = None) -> Settings:
        """`AUTERYN_HOME` (else `~/.auteryn`), `AUTERYN_SYNCHRONOUS`, `AUTERYN_MODEL_FAST`, `AUTERYN_MODEL_DEEP`.

        `AUTERYN_EGRESS_ALLOW` (`host:port`, though not public), `AUTERYN_EGRESS_ONLY` and `AUTERYN_EGRESS_DENY` (hosts with
        what is below them) are lists with commas. `AUTERYN_PUBLIC_URL` is where people reach the console.
        `AUTERYN_SPEND_LIMIT` (`1000/1d`) is what an owner may spend who has no limit of their own.
        """
        synchronous = environ.get("AUTERYN_SYNCHRONOUS", "full").lower()
        if synchronous not in ("full", "normal", "off"):
            raise Invalid("AUTERYN_SYNCHRONOUS", synchronous, "must be full, normal or off")
        models: dict[Role, str | None] = {
            "fast": environ.get("AUTERYN_MODEL_FAST"),
            "deep": environ.get("AUTERYN_MODEL_DEEP"),
            "classifier": environ.get("AUTERYN_MODEL_CLASSIFIER"),
        }
        where = Path(home or environ.get("AUTERYN_HOME") or Path.home() / ".auteryn").expanduser()
        egress = Egress(
            allow=_listed(environ, "AUTERYN_EGRESS_ALLOW"),
            only=_listed(environ, "AUTERYN_EGRESS_ONLY"),
            deny=_listed(environ, "AUTERYN_EGRESS_DENY"),
        )
        public_url = environ.get("AUTERYN_PUBLIC_URL", "").strip().rstrip("/")
        if public_url and not public_url.startswith(("https://", "http://")):
            raise Invalid("AUTERYN_PUBLIC_URL", public_url, "must be a web address such as https://agents.example.com")
        spend = environ.get("AUTERYN_SPEND_LIMIT", "").strip()
        return cls(
            home=where,
            synchronous=synchronous,
            models=models,
            egress=egress,
            public_url=public_url,
            observer=_telemetry(environ),
            spend_limit=spend_limit(spend, "AUTERYN_SPEND_LIMIT") if spend else None,
        )


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(one for part in environ.get(name, "").split(",") if (one := part.strip().lower()))


def composed(environ: Mapping[str, str] = os.environ, piece: Deployable = "api") -> Host:
    """The world `AUTERYN_BACKEND` names, as the environment sets it up; nothing is started. `piece`: which of the three."""
    backend = environ.get("AUTERYN_BACKEND", "embedded")
    match backend:
        case "embedded":
            return embedded(Settings.from_environment(environ), tools=own_tools(environ))
        case "gcp":
            return cloud(environ, piece, tools=own_tools(environ))
        case _:
            raise Invalid("AUTERYN_BACKEND", backend, "is none of 'embedded', 'gcp'")


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


def own_tools(environ: Mapping[str, str] = os.environ) -> list[Tool]:
    """The tools of the modules that `AUTERYN_TOOLS` names (`shop.tools,other`): every tool that is written in them."""
    names = [one for part in environ.get("AUTERYN_TOOLS", "").split(",") if (one := part.strip())]
    found = list[Tool]()
    for name in names:
        try:
            module = import_module(name)
        except ImportError as error:
            raise Invalid("AUTERYN_TOOLS", name, f"cannot be imported: {error}") from error
        found += (one for one in vars(module).values() if isinstance(one, Tool) and one.fn.__module__ == name)
    return found


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
    from auteryn.adapters.embedded.clock import ShiftedClock, SystemClock
    from auteryn.adapters.embedded.jobs import TaskJobs
    from auteryn.adapters.gcp.blobs import CloudBlobs
    from auteryn.adapters.gcp.bus import PubSubBus
    from auteryn.adapters.gcp.jobs import CloudRunJobs
    from auteryn.adapters.gcp.queue import CloudTasksQueue
    from auteryn.adapters.gcp.settings import CloudSettings
    from auteryn.adapters.gcp.store import FirestoreStore

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


async def cloud_checkup(environ: Mapping[str, str] = os.environ) -> AsyncIterator[tuple[str, str | AuterynError]]:
    """Each thing a deployment needs, and what is known of it or wrong with it. `GOOGLE_CLOUD_PROJECT` and `AUTERYN_REGION` name
    the deployment; the rest has the names Terraform gives, where the environment does not say otherwise."""
    from auteryn.adapters.gcp.checkup import checkup
    from auteryn.adapters.gcp.settings import CloudSettings

    there = CloudSettings.from_environment(deployment(environ))
    async for finding in checkup(there, STEPS_SUBSCRIPTION):
        yield finding


def _holder(environ: Mapping[str, str]) -> str:
    """This process, as leases and the journal name it: the platform's own name for it, and which start of it."""
    return new_id(environ.get("CLOUD_RUN_EXECUTION") or environ.get("K_REVISION") or "proc")


def embedded(
    settings: Settings,
    *,
    model: Model | None = None,
    clock: Clock | None = None,
    tools: Iterable[Tool] = (),
    builtin: bool = True,
    around: Callable[[Services], Services] = lambda services: services,
) -> Host:
    """The whole system in one folder: no account, no server. `start` it and it resumes whatever was interrupted.

    `around` may put something between the engine and its ports: faults, tracing.
    """
    from auteryn.adapters.embedded.blobs import FolderBlobs
    from auteryn.adapters.embedded.bus import LocalBus
    from auteryn.adapters.embedded.clock import SystemClock
    from auteryn.adapters.embedded.queue import SqliteQueue
    from auteryn.adapters.embedded.store import SqliteStore

    home = settings.home
    store = SqliteStore.open(home, synchronous=settings.synchronous)
    clock = clock or SystemClock()
    queue = SqliteQueue(store.database, clock)
    services = Services(
        store=store,
        queue=queue,
        bus=LocalBus(store.database),
        jobs=_jobs(settings, queue, clock),
        blobs=FolderBlobs(home / "blobs"),
        model=model or gemini(settings, clock),
        clock=clock,
    )
    return Host(engine_of(around(services), settings, tools, holder=store.holder, builtin=builtin))


def engine_of(
    services: Services,
    settings: Settings,
    tools: Iterable[Tool],
    *,
    holder: str = "",
    builtin: bool = True,
    files: Files | None = None,
) -> Engine:
    """The engine over any set of ports."""
    registry = Registry(_builtin() if builtin else ())
    for one in [*tools, *_of_servers(settings.home)]:
        registry.add(one)
    engine = Engine(
        services=services,
        registry=registry,
        public_url=settings.public_url,
        observer=settings.observer,
        settings=AgentSettings(
            compact_at_tokens=settings.compact_at_tokens,
            keep_tokens=settings.keep_tokens,
            price=_price(),
        ),
        holder=holder or new_id("proc"),
        egress=settings.egress,
        files=files or Files(settings.home / "files"),
        spending=Spending(services.store, services.clock, settings.spend_limit),
    )

    async def deliver(post: str) -> None:
        from auteryn.service.notify import deliver

        await deliver(engine, post)

    engine.deliver = deliver
    return engine


def registry_of(tools: Iterable[Tool] = (), home: Path | None = None) -> Registry:
    """The built-in tools, these, and those of the tool servers a home has approved."""
    registry = Registry(_builtin())
    for one in [*tools, *(_of_servers(home) if home else ())]:
        registry.add(one)
    return registry


async def condition(host: Host) -> Condition:
    """How the embedded home of this host is."""
    from auteryn.adapters.embedded.condition import condition as look
    from auteryn.adapters.embedded.store import SqliteStore

    store = host.engine.services.store
    assert isinstance(store, SqliteStore)
    return await look(store, host.engine.now())


def pids_of(host: Host, run: str) -> list[int]:
    """The child processes that work on this run now, where slices have processes of their own."""
    from auteryn.adapters.embedded.jobs import ProcessJobs

    jobs = host.engine.services.jobs
    return jobs.pids_of(run) if isinstance(jobs, ProcessJobs) else []


def model_access(environ: Mapping[str, str] = os.environ) -> str:
    """What opens the model, in words; empty if nothing does."""
    from auteryn.adapters.gcp.gemini_client import Access

    access = Access.from_environment(environ)
    where = f" at {access.base_url}" if access.base_url else ""
    if access.vertex and (access.project or access.api_key or access.base_url):
        return f"Vertex AI, project {access.project or 'by key'}{where}"
    return f"Gemini API key is set{where}" if access.api_key else ""


def gemini(settings: Settings, clock: Clock | None = None, environ: Mapping[str, str] = os.environ) -> Model:
    """The real model, by key or Vertex, as the environment says; imported and built on first use."""
    from auteryn.adapters.gcp.model import GeminiModel
    from auteryn.policy.models import chains, thinking_config

    models = chains(settings.models)
    return GeminiModel.from_environment(environ, resolve=models.__getitem__, thinking=thinking_config, clock=clock)


def _jobs(settings: Settings, queue: Queue, clock: Clock) -> Jobs:
    from auteryn.adapters.embedded.jobs import ProcessJobs, TaskJobs

    if settings.isolate:
        argv = [sys.executable, "-m", "auteryn", "--home", str(settings.home), "slice"]

        async def wake(run: str) -> None:
            await queue.enqueue(run, clock.now())

        return ProcessJobs(argv, max_slices=settings.max_slices, cap=timedelta(hours=2), on_death=wake)
    return TaskJobs(max_slices=settings.max_slices)


def _of_servers(home: Path) -> list[Tool]:
    if not (home / "mcp.json").exists():
        return []
    from auteryn.tools.mcp import mcp_tools

    return mcp_tools(home)


def _builtin() -> list[Tool]:
    from auteryn.tools.builtin import builtin_tools

    return builtin_tools()


def _telemetry(environ: Mapping[str, str]) -> Observer | None:
    """OpenTelemetry where its own variables name an endpoint; its SDK is imported with the first commit."""
    if not any(name.startswith("OTEL_EXPORTER_OTLP") for name in environ):
        return None
    from auteryn.adapters.otel.observer import OtelObserver

    return OtelObserver.from_environment(environ)


def _price() -> Callable[[str, Tokens, datetime], int]:
    from auteryn.policy.credits import price_of

    return price_of
