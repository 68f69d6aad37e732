"""The only file that knows both worlds: from settings to a `Host`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auteryn.agent.mind import Settings as AgentSettings
from auteryn.errors import Invalid, Refused
from auteryn.policy.limits import COMPACT_AT_TOKENS, KEEP_TOKENS
from auteryn.ports import Clock, Jobs, Model, Queue, Services
from auteryn.ports.model import Role
from auteryn.runtime.engine import Engine
from auteryn.runtime.host import Host
from auteryn.schema.message import Tokens
from auteryn.schema.record import new_id
from auteryn.tools.egress import Egress
from auteryn.tools.registry import Registry
from auteryn.tools.tool import Tool
from auteryn.tools.workspace import Workspace

if TYPE_CHECKING:
    from auteryn.adapters.embedded.condition import Condition
    from auteryn.adapters.gcp.id_tokens import GoogleIdTokens


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
    public_url: str = ""
    """Where people reach this system with a browser: the links in notifications begin with it."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, home: str | Path | None = None) -> Settings:
        """`AUTERYN_HOME` (else `~/.auteryn`), `AUTERYN_SYNCHRONOUS`, `AUTERYN_MODEL_FAST`, `AUTERYN_MODEL_DEEP`.

        `AUTERYN_EGRESS_ALLOW` (`host:port`, though not public), `AUTERYN_EGRESS_ONLY` and `AUTERYN_EGRESS_DENY` (hosts with
        what is below them) are lists with commas. `AUTERYN_PUBLIC_URL` is where people reach the console.
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
        return cls(home=where, synchronous=synchronous, models=models, egress=egress, public_url=public_url)


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(one for part in environ.get(name, "").split(",") if (one := part.strip().lower()))


def composed(environ: Mapping[str, str] = os.environ) -> Host:
    """The world `AUTERYN_BACKEND` names, as the environment sets it up; nothing is started."""
    backend = environ.get("AUTERYN_BACKEND", "embedded")
    match backend:
        case "embedded":
            return embedded(Settings.from_environment(environ))
        case "gcp":
            raise Refused("AUTERYN_BACKEND: 'gcp' is not in this release yet; leave it out, or set 'embedded'")
        case _:
            raise Invalid("AUTERYN_BACKEND", backend, "is none of 'embedded', 'gcp'")


def id_tokens(audience: str) -> GoogleIdTokens:
    """Who has a Google ID token for this audience."""
    from auteryn.adapters.gcp.id_tokens import GoogleIdTokens

    return GoogleIdTokens(audience)


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
    services: Services, settings: Settings, tools: Iterable[Tool], *, holder: str = "", builtin: bool = True
) -> Engine:
    """The engine over any set of ports."""
    registry = Registry(_builtin() if builtin else ())
    for one in tools:
        registry.add(one)
    files = settings.home / "files"
    engine = Engine(
        services=services,
        registry=registry,
        public_url=settings.public_url,
        settings=AgentSettings(
            compact_at_tokens=settings.compact_at_tokens,
            keep_tokens=settings.keep_tokens,
            price=_price(),
        ),
        holder=holder or new_id("proc"),
        files_of=lambda root: Workspace(files / root),
        egress=settings.egress,
    )

    async def deliver(post: str) -> None:
        from auteryn.service.notify import deliver

        await deliver(engine, post)

    engine.deliver = deliver
    return engine


def registry_of(tools: Iterable[Tool] = ()) -> Registry:
    """The built-in tools and these."""
    registry = Registry(_builtin())
    for one in tools:
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


def gemini(settings: Settings, clock: Clock | None = None) -> Model:
    """The real model, by key or Vertex, as the environment says; imported and built on first use."""
    from auteryn.adapters.gcp.model import GeminiModel
    from auteryn.policy.models import chains, thinking_config

    models = chains(settings.models)
    return GeminiModel.from_environment(resolve=models.__getitem__, thinking=thinking_config, clock=clock)


def _jobs(settings: Settings, queue: Queue, clock: Clock) -> Jobs:
    from auteryn.adapters.embedded.jobs import ProcessJobs, TaskJobs

    if settings.isolate:
        argv = [sys.executable, "-m", "auteryn", "--home", str(settings.home), "slice"]

        async def wake(run: str) -> None:
            await queue.enqueue(run, clock.now())

        return ProcessJobs(argv, max_slices=settings.max_slices, cap=timedelta(hours=2), on_death=wake)
    return TaskJobs(max_slices=settings.max_slices)


def _builtin() -> list[Tool]:
    from auteryn.tools.builtin import builtin_tools

    return builtin_tools()


def _price() -> Callable[[str, Tokens, datetime], int]:
    from auteryn.policy.credits import price_of

    return price_of
