"""How a process is set up, in either world: what the documentation lists, read from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from auteryn.errors import Invalid
from auteryn.policy.limits import COMPACT_AT_TOKENS, KEEP_TOKENS
from auteryn.policy.spend import spend_limit
from auteryn.ports.model import Role
from auteryn.ports.observer import Observer
from auteryn.schema.spend import SpendLimit
from auteryn.tools.egress import Egress
from auteryn.tools.egress_addresses import listed_host


class Settings(Struct):
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
    trace_url: str = ""
    """Where people look at traces, `{trace}` in place of the id."""
    spend_limit: SpendLimit | None = None
    """Of every owner who has none of his own."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, home: str | Path | None = None) -> Settings:
        """`AUTERYN_HOME` (else `~/.auteryn`), `AUTERYN_SYNCHRONOUS`, `AUTERYN_MODEL_FAST`, `AUTERYN_MODEL_DEEP`.

        `AUTERYN_EGRESS_ALLOW` (`host:port`, though not public), `AUTERYN_EGRESS_ONLY` and `AUTERYN_EGRESS_DENY` (hosts with
        what is below them) are lists with commas. `AUTERYN_PUBLIC_URL` is where people reach the console,
        `AUTERYN_TRACE_URL` where they look at traces.
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
        egress = Egress(
            allow=tuple(_endpoint("AUTERYN_EGRESS_ALLOW", one) for one in _listed(environ, "AUTERYN_EGRESS_ALLOW")),
            only=tuple(_host("AUTERYN_EGRESS_ONLY", one) for one in _listed(environ, "AUTERYN_EGRESS_ONLY")),
            deny=tuple(_host("AUTERYN_EGRESS_DENY", one) for one in _listed(environ, "AUTERYN_EGRESS_DENY")),
        )
        public_url = environ.get("AUTERYN_PUBLIC_URL", "").strip().rstrip("/")
        if public_url and not public_url.startswith(("https://", "http://")):
            raise Invalid("AUTERYN_PUBLIC_URL", public_url, "must be a web address such as https://agents.example.com")
        trace_url = environ.get("AUTERYN_TRACE_URL", "").strip()
        if trace_url and not (trace_url.startswith(("https://", "http://")) and "{trace}" in trace_url):
            raise Invalid("AUTERYN_TRACE_URL", trace_url, "must be a web address with {trace} where the id belongs")
        spend = environ.get("AUTERYN_SPEND_LIMIT", "").strip()
        return cls(
            home=_home(environ, home),
            synchronous=synchronous,
            models=models,
            egress=egress,
            public_url=public_url,
            trace_url=trace_url,
            observer=_telemetry(environ),
            spend_limit=spend_limit(spend, "AUTERYN_SPEND_LIMIT") if spend else None,
        )


def _home(environ: Mapping[str, str], given: str | Path | None) -> Path:
    """Where runs live. An empty answer is refused: it would be the folder of somebody else, or the root."""
    if given == "":
        raise Invalid("home", "", "is empty: say where runs live, or leave it out for $AUTERYN_HOME, else ~/.auteryn")
    named, own = given or environ.get("AUTERYN_HOME"), environ.get("HOME")
    try:
        if named:
            return Path(named).expanduser()
        if own is None or Path(own).is_absolute():
            return Path.home() / ".auteryn"
    except RuntimeError as error:  # nobody of that name, or this user has no entry
        raise Invalid(
            "home", str(named or "~"), "is no user's folder: say where runs live with --home or AUTERYN_HOME"
        ) from error
    raise Invalid("HOME", own, "is no folder of yours: say where runs live with --home or AUTERYN_HOME")


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(one for part in environ.get(name, "").split(",") if (one := part.strip().lower()))


def _host(name: str, one: str) -> str:
    """In the form hosts are judged by: an entry that could never match would be a wall that is not there."""
    try:
        return listed_host(one)
    except ValueError as error:
        rule = "must be a host such as example.com, which stands for what is below it as well"
        raise Invalid(name, one, rule) from error


def _endpoint(name: str, one: str) -> str:
    host, colon, port = one.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65_536:
        raise Invalid(name, one, "must be a host and a port such as wiki.example.com:8090")
    plain = _host(name, host)
    return f"[{plain}]:{port}" if ":" in plain else f"{plain}:{port}"


def _telemetry(environ: Mapping[str, str]) -> Observer | None:
    """OpenTelemetry where its own variables name an endpoint; its SDK is imported with the first commit."""
    if not any(name.startswith("OTEL_EXPORTER_OTLP") for name in environ):
        return None
    from auteryn.adapters.otel.observer import OtelObserver

    return OtelObserver.from_environment(environ)
