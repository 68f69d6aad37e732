"""From settings to a `Host`: the only room that knows both worlds, one file each."""

from __future__ import annotations

import os
from collections.abc import Mapping

from auteryn.compose.engine import engine_of, gemini, model_access, own_tools, registry_of
from auteryn.compose.gcp import (
    callers,
    cloud,
    cloud_checkup,
    deployment,
    id_tokens,
    stop_gracefully,
    tell_the_log,
    traced,
)
from auteryn.compose.laptop import condition, embedded, pids_of
from auteryn.compose.settings import Settings
from auteryn.errors import Invalid
from auteryn.policy.cloud import Deployable
from auteryn.runtime.host import Host

__all__ = [
    "Settings",
    "callers",
    "cloud",
    "cloud_checkup",
    "composed",
    "condition",
    "deployment",
    "embedded",
    "engine_of",
    "gemini",
    "id_tokens",
    "model_access",
    "own_tools",
    "pids_of",
    "registry_of",
    "stop_gracefully",
    "tell_the_log",
    "traced",
]


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
