"""The engine over any set of ports: its tools, its model, its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from auteryn.agent.mind import Settings as AgentSettings
from auteryn.compose.settings import Settings
from auteryn.errors import Invalid
from auteryn.ports import Clock, Model, Services
from auteryn.runtime.engine import Engine
from auteryn.runtime.files import Files
from auteryn.runtime.spending import Spending
from auteryn.schema.message import Tokens
from auteryn.schema.record import new_id
from auteryn.schema.release import RELEASE
from auteryn.tools.catalogue import listed
from auteryn.tools.registry import Registry
from auteryn.tools.tool import Tool


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
    registry = Registry(first=partial(listed, model_searches=services.model.searches) if builtin else None)
    for one in [*tools, *_of_servers(settings.home)]:
        registry.add(one)
    engine = Engine(
        services=services,
        registry=registry,
        code=RELEASE,
        public_url=settings.public_url,
        trace_url=settings.trace_url,
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
    registry = Registry(first=partial(listed, model_searches=bool(model_access())))
    for one in [*tools, *(_of_servers(home) if home else ())]:
        registry.add(one)
    return registry


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


def gemini(settings: Settings, clock: Clock | None = None, environ: Mapping[str, str] = os.environ) -> Model:
    """The real model, by key or Vertex, as the environment says; imported and built on first use."""
    from auteryn.adapters.gcp.model import GeminiModel
    from auteryn.policy.models import chains, thinking_config

    models = chains(settings.models)
    return GeminiModel.from_environment(environ, resolve=models.__getitem__, thinking=thinking_config, clock=clock)


def model_access(environ: Mapping[str, str] = os.environ) -> str:
    """What opens the model, in words; empty if nothing does."""
    from auteryn.adapters.gcp.gemini_client import Access

    access = Access.from_environment(environ)
    where = f" at {access.base_url}" if access.base_url else ""
    if not access.opens:
        return ""
    return f"Vertex AI, project {access.project or 'by key'}{where}" if access.vertex else f"Gemini API key is set{where}"


def _of_servers(home: Path) -> list[Tool]:
    if not (home / "mcp.json").exists():
        return []
    from auteryn.tools.mcp import mcp_tools

    return mcp_tools(home)


def _price() -> Callable[[str, Tokens, datetime], int]:
    from auteryn.policy.credits import price_of

    return price_of
