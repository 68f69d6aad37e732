"""Bytes by their hash in a folder (`ports.blobs`): `blobs/ab/cdef…`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from auteryn.adapters.embedded.faults import from_os
from auteryn.adapters.embedded.folders import make_folder, sync_folder
from auteryn.errors import Corrupt, DiskFull, NotFound

CHUNK_BYTES = 1 << 20
INLINE_BYTES = 64 * 1024
"""Up to here the write takes less time than handing it to a thread."""

STALE_SECONDS = 3600
"""A temporary file older than this was left by a crash."""

_HASH = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """Each blob is written aside, synced, and renamed into place: it is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._aside = make_folder(folder), make_folder(folder / "aside")

    async def put(self, body: bytes | Path) -> str:
        if isinstance(body, bytes) and len(body) <= INLINE_BYTES:
            return self._put(body)
        return await asyncio.to_thread(self._put, body)

    async def get(self, sha256: str) -> bytes:
        return await asyncio.to_thread(self._get, sha256)

    async def save(self, sha256: str, to: Path) -> None:
        await asyncio.to_thread(self._save, sha256, to)

    async def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    async def delete(self, sha256: str) -> None:
        path = self._path(sha256)
        with _translated(path):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def _put(self, body: bytes | Path) -> str:
        try:
            return self._store(body)
        except DiskFull:
            if not self._clear_stale():
                raise
            return self._store(body)

    def _store(self, body: bytes | Path) -> str:
        aside = self._aside / secrets.token_hex(8)
        with _translated(aside):
            try:
                sha256 = _write(aside, _chunks(body))
                place = self._path(sha256)
                if not self._is_whole(place, sha256):
                    if not place.parent.is_dir():
                        place.parent.mkdir(mode=0o700, exist_ok=True)
                        sync_folder(self.folder)
                    aside.replace(place)
                sync_folder(place.parent)  # also for a blob whose first writer has not come to it yet
                return sha256
            finally:
                aside.unlink(missing_ok=True)

    def _get(self, sha256: str) -> bytes:
        path = self._path(sha256)
        with _found(path, sha256), _translated(path):
            body = path.read_bytes()
        if hashlib.sha256(body).hexdigest() != sha256:
            raise _damaged(path)
        return body

    def _save(self, sha256: str, to: Path) -> None:
        path, aside = self._path(sha256), to.with_name(f".{to.name[:100]}.{secrets.token_hex(4)}")
        with _translated(to):
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                with _found(path, sha256):
                    read = _write(aside, _chunks(path))
                if read != sha256:
                    raise _damaged(path)
                aside.replace(to)
            finally:
                aside.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        """Where the blob lies or would lie; what is no hash has no place, and cannot lead elsewhere."""
        name = sha256 if _HASH.fullmatch(sha256) else "no-hash"
        return self.folder / name[:2] / name[2:]

    def _is_whole(self, path: Path, sha256: str) -> bool:
        """A blob that was damaged meanwhile is healed by putting it again."""
        return path.is_file() and _hash_of(_chunks(path)) == sha256

    def _clear_stale(self) -> int:
        """Remove what crashed writers left aside; how many there were."""
        gone = 0
        for path in self._aside.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its writer has just put it into place
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()
                    gone += 1
        return gone


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    """The file holds the chunks and survives a power cut; their hash."""
    digest = hashlib.sha256()
    with path.open("xb") as out:
        for chunk in chunks:
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _chunks(body: bytes | Path) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    with body.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk


def _hash_of(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _damaged(path: Path) -> Corrupt:
    return Corrupt(f"blob {str(path)!r} no longer matches its hash: restore it from a backup, or put the same bytes again")


@contextlib.contextmanager
def _found(path: Path, sha256: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no blob {sha256!r}") from error


@contextlib.contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no file {error.filename!r}") from error
    except OSError as error:
        raise from_os(error, path) from error
