"""Cloud Storage's own promises: each blob is written once, whatever happens to requests and replies."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.errors import NotAllowed, NotFound, RateLimited, Unavailable
from auteryn.testing.emulators.servers import held_port
from auteryn.testing.emulators.storage import Storage

BODY = b"twenty competitors\n" * 10


@asynccontextmanager
async def opened(endpoint: str, **options: timedelta) -> AsyncGenerator[CloudBlobs]:
    blobs = CloudBlobs("b", endpoint=endpoint, **options)
    try:
        yield blobs
    finally:
        await blobs.close()


@pytest.fixture
def storage() -> Iterator[Storage]:
    running = Storage()
    yield running
    running.stop()


LEFT_TO_THE_COLLECTOR = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""The client library leaves the connection of a download that was refused to the garbage collector."""


@LEFT_TO_THE_COLLECTOR
@pytest.mark.proves("F13")
@pytest.mark.parametrize("point", ["upload", "look", "download"])
@pytest.mark.parametrize("kind", ["lose", "refuse", "busy"])
def test_requests_and_replies_that_are_lost_are_made_up_for(storage: Storage, point: str, kind: str) -> None:
    """Whatever was lost, the blob is there once, and is read back."""
    storage.faults.plan(point, kind)  # pyright: ignore[reportArgumentType]

    async def main() -> None:
        async with opened(storage.endpoint) as blobs:
            await check(blobs)

    async def check(blobs: CloudBlobs) -> None:
        sha256 = await blobs.put(BODY)
        assert await blobs.put(BODY) == sha256
        assert await blobs.get(sha256) == BODY
        assert await blobs.has(sha256)

    asyncio.run(main())
    gc.collect()
    assert [stored.generation for stored in storage.objects.values()] == [1]


def test_a_large_file_goes_up_and_comes_down_in_pieces_and_is_not_sent_twice(storage: Storage, tmp_path: Path) -> None:
    """Beyond what one request carries."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(bytes(range(256)) * 40_000)

    async def main() -> None:
        async with opened(storage.endpoint) as blobs:
            await check(blobs)

    async def check(blobs: CloudBlobs) -> None:
        sha256 = await blobs.put(source)
        before = storage.requests
        assert await blobs.put(source) == sha256
        assert storage.requests == before + 1
        await blobs.save(sha256, target)

    asyncio.run(main())
    assert target.read_bytes() == source.read_bytes()


def test_a_blob_that_is_put_again_when_it_is_old_is_written_anew(storage: Storage) -> None:
    """So that a bucket that deletes what is old keeps what is in use; a young one is left alone."""

    async def main() -> None:
        async with opened(storage.endpoint, renew_after=timedelta(days=30)) as blobs:
            sha256 = await blobs.put(BODY)
            stored = storage.objects["b", f"blobs/{sha256}"]
            await blobs.put(BODY)
            assert storage.objects["b", f"blobs/{sha256}"] is stored
            stored.created_at -= timedelta(days=31)
            await blobs.put(BODY)
            assert storage.objects["b", f"blobs/{sha256}"] is not stored

    asyncio.run(main())


@pytest.mark.proves("F13")
def test_an_old_blob_is_written_anew_though_another_does_so_too_or_the_reply_is_lost(storage: Storage) -> None:

    async def main() -> None:
        async with opened(storage.endpoint, renew_after=timedelta(days=30)) as blobs:
            sha256 = await blobs.put(BODY)
            stored = storage.objects["b", f"blobs/{sha256}"]
            stored.created_at -= timedelta(days=31)
            storage.faults.plan("upload", "lose", after=1)
            assert await blobs.put(BODY) == sha256
            assert storage.objects["b", f"blobs/{sha256}"].generation == stored.generation + 1

    asyncio.run(main())


def test_a_service_that_cannot_be_reached_is_unavailable() -> None:

    async def main() -> None:
        with held_port() as port:
            async with opened(f"http://127.0.0.1:{port}", patience=timedelta(seconds=0.2)) as blobs:
                with pytest.raises(Unavailable, match="'b'"):
                    await blobs.get(hashlib.sha256(BODY).hexdigest())

    asyncio.run(main())


@pytest.mark.parametrize(("status", "error"), [(403, Unavailable), (429, RateLimited), (503, Unavailable)])
def test_what_the_service_says_is_told_in_our_words(storage: Storage, status: int, error: type[Exception]) -> None:
    """With its own error as the cause."""
    storage.always = status

    async def main() -> None:
        async with opened(storage.endpoint, patience=timedelta(seconds=0.2)) as blobs:
            with pytest.raises(error) as caught:
                await blobs.put(BODY)
            assert caught.value.__cause__ is not None

    asyncio.run(main())


def test_a_disk_that_cannot_take_the_copy_is_not_blamed_on_the_blob(storage: Storage, tmp_path: Path) -> None:
    """A folder in the place of the file."""
    (tmp_path / "file").write_bytes(b"")

    async def main() -> None:
        async with opened(storage.endpoint) as blobs:
            await check(blobs)

    async def check(blobs: CloudBlobs) -> None:
        sha256 = await blobs.put(BODY)
        with pytest.raises((Unavailable, NotAllowed, NotFound)):
            await blobs.save(sha256, tmp_path / "file" / "copy")

    asyncio.run(main())


def test_nothing_is_asked_behind_our_back(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library starts no thread of its own, which would go on asking a service that is gone."""
    started = list[str]()
    start = threading.Thread.start

    def watched(thread: threading.Thread) -> None:
        started.append(getattr(getattr(thread, "_target", None), "__module__", None) or "")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", watched)

    async def main() -> None:
        async with opened(storage.endpoint) as blobs:
            assert await blobs.get(await blobs.put(BODY)) == BODY

    asyncio.run(main())
    assert [module for module in started if module.startswith("google.")] == []
