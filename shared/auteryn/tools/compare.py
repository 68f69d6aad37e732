"""Two texts, files or pictures: what is not the same."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import PurePath
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.compare_images import differing, side_by_side
from auteryn.tools.monitor_text import difference, lines_of, told
from auteryn.tools.tool import ToolContext, tool

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"})
TEXT_BYTES = 4 << 20


@tool(
    effect="idempotent", group="monitoring", reads_files=True, serial=lambda args: str(args["out"]) if args.get("out") else None
)
async def compare(
    ctx: ToolContext,
    a: Annotated[str, "Path of a file, or a text", Meta(min_length=1)],
    b: Annotated[str, "Path of a file, or a text", Meta(min_length=1)],
    out: Annotated[str | None, "PNG to write for two pictures: both side by side, differences framed"] = None,
) -> dict[str, Any]:
    """Compare two texts, files or pictures: the differences line by line, a score, for pictures the boxes that differ."""
    files = [path for path in (a, b) if ctx.files.names(path)]
    if files == [a, b] and _picture(a) and _picture(b):
        return await asyncio.to_thread(_pictures, ctx, a, b, out)
    if out is not None:
        raise ToolFailed("unsupported", "out: only two pictures are shown side by side")
    one, other = (_text(ctx, path) if path in files else path for path in (a, b))
    return told(await asyncio.to_thread(difference, lines_of(one), lines_of(other)))


def _picture(path: str) -> bool:
    return PurePath(path).suffix.lower() in PICTURES


def _text(ctx: ToolContext, path: str) -> str:
    body = ctx.files.read(path, most=TEXT_BYTES)
    if b"\0" in body[:8_192]:
        raise ToolFailed("unsupported", f"{path!r} is neither text nor a picture: doc_read or sheet_read make text of it")
    return body.decode("utf-8", "replace")


def _pictures(ctx: ToolContext, a: str, b: str, out: str | None) -> dict[str, Any]:
    before, after = ctx.files.read(a), ctx.files.read(b)
    if hashlib.sha256(before).digest() == hashlib.sha256(after).digest():
        return {"changed": False, "score": 0.0, "boxes": []}
    found = differing(before, after)
    if out is not None:
        ctx.files.write(out, side_by_side(before, after, found.boxes))
    answer: dict[str, Any] = {"changed": found.score > 0 or not found.same_size, "score": found.score, "boxes": found.boxes}
    return answer | ({"image": out} if out else {})
