"""What a process of the cloud reads from its environment: ids as Terraform gives them, and the stand-ins of a local cloud."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from auteryn.errors import Invalid

STAND_INS = (
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "AUTERYN_TASKS_HOST",
    "AUTERYN_RUN_HOST",
    "AUTERYN_APIS_HOST",
)
"""Where something on this machine stands in for a service of Google's."""


@dataclass(frozen=True, kw_only=True)
class CloudSettings:
    """One project's things, by their ids. `from_environment` checks all of them before anything is made."""

    project: str
    region: str
    database: str
    bucket: str
    queue: str
    steps_topic: str
    events_topic: str
    dispatch_url: str
    """Where wakes go, and the audience of every token that comes with one."""
    tasks_account: str
    """Whose token a wake carries."""
    home: Path
    """Scratch files; memory in Cloud Run."""
    job: str = ""
    """Whoever starts slices elsewhere knows it: `dispatch`."""
    job_large: str = ""
    callers: tuple[str, ...] = ()
    """Service accounts that `dispatch` lets in."""
    firestore_host: str | None = None
    pubsub_host: str | None = None
    storage_url: str | None = None
    tasks_host: str | None = None
    run_host: str | None = None
    apis_host: str | None = None
    clock_file: Path | None = None
    """Time of a local cloud that can be moved forward."""
    local: bool = False
    """Everything is on this machine: tokens need no signature, and time may be moved."""

    @property
    def place(self) -> str:
        return f"projects/{self.project}/locations/{self.region}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> CloudSettings:
        """Raises `Invalid` naming the variable that is missing, or that leads a stand-in to another machine."""
        for name in STAND_INS:
            if environ.get(name) and not is_loopback(environ[name]):
                raise Invalid(name, environ[name], "must be on this machine: it is served without encryption or credentials")
        local = environ.get("AUTERYN_LOCAL_CLOUD", "") == "1"
        url, clock_file = _needed(environ, "AUTERYN_DISPATCH_URL"), environ.get("AUTERYN_CLOCK_FILE")
        if local and not is_loopback(url):
            raise Invalid("AUTERYN_LOCAL_CLOUD", "1", f"checks no tokens: AUTERYN_DISPATCH_URL={url!r} must be local")
        if local and (missing := [name for name in STAND_INS if not environ.get(name)]):
            raise Invalid("AUTERYN_LOCAL_CLOUD", "1", f"needs a stand-in for everything: {', '.join(missing)} is not set")
        if clock_file and not local:
            raise Invalid("AUTERYN_CLOCK_FILE", clock_file, "moves time, which only AUTERYN_LOCAL_CLOUD=1 allows")
        return cls(
            project=_needed(environ, "GOOGLE_CLOUD_PROJECT"),
            region=_needed(environ, "AUTERYN_REGION"),
            database=_needed(environ, "AUTERYN_DATABASE"),
            bucket=_needed(environ, "AUTERYN_BUCKET"),
            queue=_needed(environ, "AUTERYN_QUEUE"),
            steps_topic=_needed(environ, "AUTERYN_STEPS_TOPIC"),
            events_topic=_needed(environ, "AUTERYN_EVENTS_TOPIC"),
            dispatch_url=url,
            tasks_account=_needed(environ, "AUTERYN_TASKS_ACCOUNT"),
            home=Path(_needed(environ, "AUTERYN_HOME")),
            job=environ.get("AUTERYN_JOB", ""),
            job_large=environ.get("AUTERYN_JOB_LARGE", ""),
            callers=tuple(one.strip() for one in environ.get("AUTERYN_CALLERS", "").split(",") if one.strip()),
            firestore_host=environ.get("FIRESTORE_EMULATOR_HOST"),
            pubsub_host=environ.get("PUBSUB_EMULATOR_HOST"),
            storage_url=environ.get("STORAGE_EMULATOR_HOST"),
            tasks_host=environ.get("AUTERYN_TASKS_HOST"),
            run_host=environ.get("AUTERYN_RUN_HOST"),
            apis_host=environ.get("AUTERYN_APIS_HOST"),
            clock_file=Path(clock_file) if clock_file else None,
            local=local,
        )


def is_loopback(place: str) -> bool:
    """Whether `host:port` or an http URL is on this machine."""
    url = urlsplit(place if "://" in place else f"//{place}")
    if url.scheme not in ("", "http") or not url.hostname:
        return False
    try:
        return url.hostname == "localhost" or ipaddress.ip_address(url.hostname).is_loopback
    except ValueError:
        return False


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise Invalid(name, None, "must be set for AUTERYN_BACKEND=gcp (infra/terraform sets it)")
    return value
