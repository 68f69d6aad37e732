"""Handing over files that stay after the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from auteryn.policy.quotas import storage_credits
from auteryn.ports import Blobs
from auteryn.schema.event import ArtifactPublished
from auteryn.schema.record import derived_id
from auteryn.schema.run import Artifact
from auteryn.tools.tool import Result, ToolContext, tool
from auteryn.tools.workspace import Workspace

_TYPES = {
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
}
"""Where the machine's own table is silent or differs from machine to machine."""


@tool(effect="idempotent", group="deliver")
async def artifact_publish(
    ctx: ToolContext,
    path: Annotated[str, "File to hand over"],
    title: Annotated[str, "What people call it"] = "",
    description: Annotated[str, "What is in it"] = "",
) -> Result:
    """Hand a finished file over to the owner. It stays as it is now, whatever becomes of the run's files."""
    fact = await handed_over(ctx.files, ctx.blobs, path, ctx.run.id, derived_id("art", ctx.call), title, description)
    made = fact.artifact
    output = {"artifact": made.id, "path": made.path, "size_bytes": made.size_bytes, "sha256": made.sha256}
    return Result(output=output, events=(fact,))


async def handed_over(
    files: Workspace, blobs: Blobs, path: str, run: str, id: str, title: str = "", description: str = ""
) -> ArtifactPublished:
    """The file as it is now, kept apart from the run's files; raises `ToolFailed` where there is none."""
    with files.path_for_library(path) as real:
        size, sha256 = real.stat().st_size, await blobs.put(real)
    artifact = Artifact(
        id=id,
        path=files.stat(path).path,
        title=title or Path(path).name,
        sha256=sha256,
        size_bytes=size,
        media_type=media_type(path),
        description=description,
        run=run,
    )
    return ArtifactPublished(artifact=artifact, credits=storage_credits(size))


def media_type(path: str) -> str:
    """By the file's ending."""
    import mimetypes

    return _TYPES.get(Path(path).suffix.lower()) or mimetypes.guess_type(path)[0] or "application/octet-stream"
