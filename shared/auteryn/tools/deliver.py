"""Handing over files that stay after the run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from auteryn.policy.quotas import storage_credits
from auteryn.schema.event import ArtifactPublished
from auteryn.schema.record import derived_id
from auteryn.schema.run import Artifact
from auteryn.tools.tool import Result, ToolContext, tool

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
    with ctx.files.path_for_library(path) as real:
        size, sha256 = real.stat().st_size, await ctx.blobs.put(real)
    artifact = Artifact(
        id=derived_id("art", ctx.call),
        path=ctx.files.stat(path).path,
        title=title or Path(path).name,
        sha256=sha256,
        size_bytes=size,
        media_type=media_type(path),
        description=description,
        run=ctx.run.id,
    )
    output = {"artifact": artifact.id, "path": artifact.path, "size_bytes": size, "sha256": sha256}
    return Result(output=output, events=(ArtifactPublished(artifact=artifact, credits=storage_credits(size)),))


def media_type(path: str) -> str:
    """By the file's ending."""
    import mimetypes

    return _TYPES.get(Path(path).suffix.lower()) or mimetypes.guess_type(path)[0] or "application/octet-stream"
