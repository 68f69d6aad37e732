"""Bytes by their hash."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """O1  `put` returns the SHA-256 of the bytes; the same bytes are kept once.
    O2  After `put` returned, the bytes survive a power cut.
    O3  `get` of what was never put raises `NotFound`; bytes that no longer match their hash raise `Corrupt`.
    O4  A reader never sees half a blob.
    O5  After `delete` the blob is not there; deleting what is not there is a no-op.
    """

    async def put(self, body: bytes | Path) -> str: ...

    async def get(self, sha256: str) -> bytes: ...

    async def save(self, sha256: str, to: Path) -> None:
        """Write the blob to a file (whole or not at all)."""
        ...

    async def has(self, sha256: str) -> bool: ...

    async def delete(self, sha256: str) -> None: ...
