"""Where the disk is full, published files give their place back: their bytes lie in the blobs, and come from there when a call
asks for them. Nothing is lost by it, so they go first, before the trash and what is half-made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress

from auteryn.errors import DiskFull, ToolFailed
from auteryn.ports import Blobs
from auteryn.schema.run import Artifact
from auteryn.tools.hidden import PutAway
from auteryn.tools.workspace import Workspace


async def make_room(files: Workspace, blobs: Blobs, published: Iterable[Artifact], *, wanted: int | None = None) -> bool:
    """Free space without losing anything, until `wanted` bytes are free or nothing is left to free. Whether there was
    anything."""
    safe = [one for one in published if await blobs.has(one.sha256)]
    gone = await asyncio.to_thread(_put_away, files, safe, wanted)
    if _enough(files, wanted):
        return True
    tidied = await asyncio.to_thread(files.tidy)
    if tidied and not gone:  # without a single free block not even the word of where a file lies can be kept
        gone = await asyncio.to_thread(_put_away, files, safe, wanted)
    return gone or tidied


def _put_away(files: Workspace, published: Iterable[Artifact], wanted: int | None) -> bool:
    gone = list[str]()
    with suppress(DiskFull):
        for one in published:
            if _enough(files, wanted):
                break
            gone += [one.path] if files.put_away(one.path, one.sha256) else []
    if gone:
        files.said.append(f"the disk was full: {', '.join(gone)} lie with the published files only, until a call needs them")
    return bool(gone)


def _enough(files: Workspace, wanted: int | None) -> bool:
    return wanted is not None and _free_bytes(files) >= wanted


def _free_bytes(files: Workspace) -> int:
    disk = os.statvfs(files.root)
    return disk.f_bavail * disk.f_frsize


async def bring_back(files: Workspace, blobs: Blobs, path: str) -> None:
    """Put the file back in its place, with its old time; a no-op if it is there. Raises `DiskFull`."""
    if (there := files.away(path)) is None:
        return
    with files.path_to_write(path) as real:
        await blobs.save(there.sha256, real)
        real.chmod(0o755 if there.executable else 0o644)
        at = there.modified_at.timestamp()
        os.utime(real, (at, at))


async def all_back(files: Workspace, blobs: Blobs, *, leaving: int = 0) -> list[str]:
    """Bring back every file that was put away, as long as `leaving` bytes stay free. The paths of those that stay away."""
    left = list[str]()
    for one in files.all_away():
        try:
            if _free_bytes(files) < one.size_bytes + leaving:
                raise PutAway(one.path)
            await bring_back(files, blobs, one.path)
        except (DiskFull, ToolFailed):
            left.append(one.path)
    return left
