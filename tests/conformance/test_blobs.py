"""The laws of `ports.blobs`, O1 to O5, for every blob store there is."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from auteryn.errors import Corrupt, NotFound
from auteryn.ports import Blobs
from conformance.backends import BLOBS, Place, on_every

BODY = b"twenty competitors, one row each\n" * 100
HASH = hashlib.sha256(BODY).hexdigest()


@on_every(BLOBS)
async def test_put_returns_the_hash_and_get_the_bytes(place: Place[Blobs]) -> None:
    """O1: of bytes and of files, small, large and empty."""
    async with place.open() as blobs:
        source = place.folder.parent / "report.csv"
        for body in (BODY, b"", bytes(range(256)) * 8_000):
            source.write_bytes(body)

            assert await blobs.put(body) == await blobs.put(source) == hashlib.sha256(body).hexdigest()
            assert await blobs.get(hashlib.sha256(body).hexdigest()) == body


@on_every(BLOBS)
async def test_the_same_bytes_put_again_or_at_once_are_one_blob(place: Place[Blobs]) -> None:
    """O1"""
    async with place.open() as one, place.open() as two:
        hashes = await asyncio.gather(*((one, two)[i % 2].put(BODY) for i in range(10)))

        assert set(hashes) == {HASH}
        assert await one.has(HASH)
        assert not await one.has(hashlib.sha256(b"something else").hexdigest())


@pytest.mark.proves("P37")
@on_every(BLOBS)
async def test_a_blob_is_there_after_a_restart(place: Place[Blobs]) -> None:
    """O2"""
    async with place.open() as blobs:
        await blobs.put(BODY)

    async with place.open() as blobs:
        assert await blobs.get(HASH) == BODY


@on_every(BLOBS)
async def test_what_was_never_put_is_not_found(place: Place[Blobs]) -> None:
    """O3: a name that is no hash leads nowhere."""
    async with place.open() as blobs:
        target = place.folder.parent / "target"
        for name in (HASH, "", "../../etc/passwd", HASH.upper()):
            with pytest.raises(NotFound):
                await blobs.get(name)
            with pytest.raises(NotFound):
                await blobs.save(name, target)
            assert not await blobs.has(name)
        assert not target.exists()


@on_every(BLOBS)
async def test_bytes_that_no_longer_match_their_hash_are_corrupt_until_they_are_put_again(place: Place[Blobs]) -> None:
    """O3: and never handed out."""
    async with place.open() as blobs:
        await blobs.put(BODY)
        place.damage(HASH)
        target = place.folder.parent / "target"
        target.write_bytes(b"as it was")

        with pytest.raises(Corrupt, match=HASH[2:]):
            await blobs.get(HASH)
        with pytest.raises(Corrupt):
            await blobs.save(HASH, target)
        assert target.read_bytes() == b"as it was"
        assert [path.name for path in target.parent.iterdir() if path.is_file()] == ["target"], "nothing is left beside it"

        await blobs.put(BODY)
        assert await blobs.get(HASH) == BODY


@on_every(BLOBS)
async def test_a_blob_is_saved_whole_over_whatever_was_there(place: Place[Blobs]) -> None:
    """O4: and into folders that did not exist."""
    async with place.open() as blobs:
        await blobs.put(BODY)
        target = place.folder.parent / "new" / "folder" / "report.csv"

        await blobs.save(HASH, target)
        target.write_bytes(b"changed")
        await blobs.save(HASH, target)

        assert target.read_bytes() == BODY
        assert [path.name for path in target.parent.iterdir()] == ["report.csv"]
        assert await blobs.get(HASH) == BODY


@on_every(BLOBS)
async def test_a_missing_source_is_not_found_and_leaves_nothing(place: Place[Blobs]) -> None:
    """O4: half a blob is none."""
    async with place.open() as blobs:
        with pytest.raises(NotFound, match="absent"):
            await blobs.put(place.folder.parent / "absent.csv")
        assert not await blobs.has(hashlib.sha256(b"").hexdigest())


@on_every(BLOBS)
async def test_a_deleted_blob_is_gone_and_may_be_put_again(place: Place[Blobs]) -> None:
    """O5: what is not there, or is no hash, is deleted without a word."""
    async with place.open() as blobs:
        await blobs.put(BODY)
        other = await blobs.put(b"stays")
        for name in (HASH, HASH, "", "../../etc/passwd"):
            await blobs.delete(name)

        assert not await blobs.has(HASH)
        with pytest.raises(NotFound):
            await blobs.get(HASH)
        assert await blobs.get(other) == b"stays"
        assert await blobs.put(BODY) == HASH and await blobs.get(HASH) == BODY
