"""Published files and their older versions, how a plan changed, notes and tools, for reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from auteryn.errors import NotFound
from auteryn.ports.store import every_entry
from auteryn.schema.event import PlanRevised
from auteryn.schema.plan import StepChange
from auteryn.schema.record import Record
from auteryn.schema.run import Artifact, Run
from auteryn.service.access import Access
from auteryn.service.tree import Version, published_in, taken_over_in, tree_of
from auteryn.tools.notes import KIND as NOTE
from auteryn.tools.notes import folded
from auteryn.tools.registry import Registry


class Revision(Record):
    """One change of a plan."""

    revision: int
    """Of the plan that came of it; the first plan is 1."""
    at: datetime
    note: str
    """Why, or by whom."""
    diff: tuple[StepChange, ...]


async def published(access: Access, run: Run, newest: Sequence[Artifact], path_or_id: str) -> Artifact:
    """The newest file of that path, or any version by its id; raises `NotFound` naming what there is."""
    for artifact in newest:
        if path_or_id in (artifact.id, artifact.path):
            return artifact
    if path_or_id.startswith("art_"):
        for one in await _versions(access, run):
            if one.artifact.id == path_or_id:
                return one.artifact
    there = ", ".join(artifact.path for artifact in newest) or "nothing"
    raise NotFound(f"run {run.id!r} has published no {path_or_id!r}; it has published {there}")


async def versions(access: Access, run: Run, path: str) -> list[Version]:
    """What was published under that path, by the run and its steps, oldest first. Reads the journals of the whole tree."""
    return [one for one in await _versions(access, run) if one.artifact.path == path]


async def _versions(access: Access, run: Run) -> list[Version]:
    store, found, more = access.services.store, list[Version](), list[Version]()
    async for one in tree_of(store, run):
        async for entry in every_entry(store, one.id):
            found += published_in([entry])
            more += taken_over_in([entry])
    known = {one.artifact.id for one in found}
    found += {one.artifact.id: one for one in more if one.artifact.id not in known}.values()
    return sorted(found, key=attrgetter("at"))


async def revisions(access: Access, run: Run) -> list[Revision]:
    """How the run's plan changed, oldest first. Reads its journal."""
    if run.plan is None:
        return []
    return [
        Revision(revision=event.plan.revision, at=entry.at, note=event.note, diff=event.diff)
        async for entry in every_entry(access.services.store, run.id)
        for event in entry.events
        if isinstance(event, PlanRevised)
    ]


async def scratchpad(access: Access, run: Run) -> dict[str, list[str]]:
    """What each section says now, in the order they were begun."""
    return folded(await access.services.store.docs(NOTE, run.root))


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
