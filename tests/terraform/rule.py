"""What a rule is, what it is told of a deployment, and where it looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from auteryn.policy import cloud
from terraform.folder import Resource, World


@dataclass(frozen=True)
class Secret:
    """A secret that a deployment asks for."""

    id: str
    version: str
    readers: tuple[str, ...] = cloud.ALL
    created: bool = False


@dataclass(frozen=True)
class Given:
    """The variables of one deployment."""

    project: str
    image: str | None = None
    key_version: str | None = None
    egress: bool = False
    protected: bool = True
    asked: dict[str, str] = field(default_factory=dict[str, str])
    """Environment variables that are set on request, and their values."""
    secrets: dict[str, Secret] = field(default_factory=dict[str, Secret])
    """Environment variables that come from secrets of one's own."""
    knowledge: str | None = None
    """The bucket of documents."""

    def secrets_of(self, host: str) -> dict[str, tuple[str, str]]:
        """Environment variable → secret and version, the model's key included."""
        own = {name: (one.id, one.version) for name, one in self.secrets.items() if host in one.readers}
        return own | (dict.fromkeys(cloud.BY_KEY, (cloud.MODEL_KEY, self.key_version)) if self.key_version else {})


Rule = Callable[[World, Given], Iterator[str]]
"""Yields what breaks it, in words; silence means it holds."""


def hosts(world: World) -> Iterator[tuple[cloud.Deployable, tuple[Resource, dict[str, Any]]]]:
    """(deployable, (resource, its template)): the two services, and the job once for each size."""
    yield "api", _template(world.function("api"))
    yield "dispatch", _template(world.function("dispatch"))
    for job in world.of("cloud_run_v2_job"):
        yield "slice", (job, job["template"][0]["template"][0])


def _template(service: Resource) -> tuple[Resource, dict[str, Any]]:
    return service, service["template"][0]


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    yield from (f"{key}: {found[key]} in Terraform, {wanted[key]} in the code" for key in wanted if found[key] != wanted[key])


def seconds(span: timedelta) -> str:
    """As Google writes a duration."""
    return f"{int(span.total_seconds())}s"
