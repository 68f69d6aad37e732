"""One Terraform folder under the real CLI and the stand-in provider, and what it would make."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "infra" / "terraform"
PROJECT = "an-example-project"
DIGEST = "us-central1-docker.pkg.dev/an-example-project/auteryn/auteryn@sha256:" + "ab" * 32


def terraform() -> str:
    """The CLI; fails the test loudly where there is none."""
    found = shutil.which("terraform")
    if found is None:
        pytest.fail("no `terraform` on PATH: these tests need the CLI, 1.9 or later (no provider, no network, no account)")
    return found


@dataclass(frozen=True)
class Resource:
    address: str
    type: str
    values: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


@dataclass(frozen=True)
class World:
    """Everything a folder declares, with final values."""

    resources: tuple[Resource, ...]
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])

    def of(self, *types: str) -> Iterator[Resource]:
        """Resources of these types, `google_` left out."""
        return (one for one in self.resources if one.type.removeprefix("google_") in types)

    def one(self, address: str) -> Resource:
        return next(one for one in self.resources if one.address == f"google_{address}")

    def function(self, name: str) -> Resource:
        """The service of `api` or `dispatch`."""
        return self.one(f'cloud_run_v2_service.function["{name}"]')

    def accounts(self) -> dict[str, str]:
        """Member → piece: who a service account is."""
        return {one["member"]: one["account_id"].removeprefix("auteryn-") for one in self.of("service_account")}

    @cached_property
    def grants(self) -> tuple[tuple[str, str, Resource], ...]:
        """(member, role, the grant) of every IAM grant."""
        return tuple((one["member"], one["role"], one) for one in self.resources if one.type.endswith("_iam_member"))


@dataclass(frozen=True)
class Plan:
    world: World
    """As it would be; what is not known before the apply is left out."""
    changes: dict[str, list[str]]
    """Address → what would be done to it: `no-op`, `create`, `update`, `delete`."""


@dataclass(frozen=True)
class Folder:
    path: Path
    environ: Mapping[str, str]

    def run(self, *arguments: str, ok: Iterable[int] = (0,), variables: Mapping[str, Any] | None = None) -> str:
        """The command's output; fails the test where it does not end with one of `ok`."""
        done = self.attempt(*arguments, variables=variables)
        assert done.returncode in ok, f"terraform {' '.join(arguments)}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done.stdout

    def attempt(self, *arguments: str, variables: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        given = [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in (variables or {}).items()
        ]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        # Collecting garbage is a quarter of so short a command.
        environ |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "GOGC": "800", **self.environ}
        command, *rest = arguments
        return subprocess.run(
            [terraform(), command, *(["-no-color"] if command not in ("fmt", "version") else []), *given, *rest],
            cwd=self.path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def init(self) -> None:
        self.run("init", "-backend=false", "-input=false")

    def plan(self, *arguments: str, variables: Mapping[str, Any]) -> Plan:
        self.run("plan", *arguments, "-input=false", "-out=planned", "-parallelism=50", variables=variables)
        said = json.loads(self.run("show", "-json", "planned"))
        changed = {one["address"]: one["change"] for one in said["resource_changes"]} | said["output_changes"]
        return Plan(world_of(said["planned_values"]), {name: one["actions"] for name, one in changed.items()})

    def apply(self, *arguments: str, variables: Mapping[str, Any]) -> None:
        self.run("apply", *arguments, "-auto-approve", "-input=false", "-parallelism=50", variables=variables)

    def world(self) -> World:
        """What stands."""
        return world_of(json.loads(self.run("show", "-json"))["values"])


def copied(to: Path, environ: Mapping[str, str], *, source: Path = SOURCE) -> Folder:
    """A copy that may be changed and applied, without what a laptop left there."""
    left = shutil.ignore_patterns(".terraform", "*.tfstate*", "*_override.tf", "planned")
    shutil.copytree(source, to, ignore=left)
    return Folder(to, environ)


def world_of(values: Mapping[str, Any]) -> World:
    found = values["root_module"]["resources"]
    outputs = {name: one.get("value") for name, one in values.get("outputs", {}).items()}
    managed = [Resource(one["address"], one["type"], one["values"]) for one in found if one["mode"] == "managed"]
    return World(tuple(managed), outputs)
