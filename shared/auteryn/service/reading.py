"""Files, notes and tools, for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auteryn.errors import NotFound
from auteryn.schema.run import Artifact, Run
from auteryn.service.access import Access
from auteryn.tools.notes import folded
from auteryn.tools.registry import Registry


async def artifact_bytes(access: Access, run: str, published: Sequence[Artifact], path_or_id: str) -> bytes:
    """The published file; raises `NotFound` naming what there is."""
    for artifact in published:
        if path_or_id in (artifact.id, artifact.path):
            return await access.services.blobs.get(artifact.sha256)
    there = ", ".join(artifact.path for artifact in published) or "nothing"
    raise NotFound(f"run {run!r} has published no {path_or_id!r}; it has published {there}")


async def scratchpad(access: Access, run: Run) -> dict[str, list[str]]:
    """What each section says now, in the order they were begun."""
    return folded(await access.services.store.docs("note", run.root))


def tool_list(registry: Registry) -> list[dict[str, Any]]:
    """One entry a tool: what it does, what a repeat would do, who must allow it, and why it is missing, if it is."""
    known = [
        {
            "name": tool.name,
            "description": tool.description,
            "group": tool.group,
            "effect": tool.effect,
            "permission": tool.permission,
            "modes": list(tool.modes),
            "parameters": tool.parameters,
            "missing": None,
        }
        for tool in registry
    ]
    return known + [{"name": name, "missing": why} for name, why in registry.hidden.items()]
