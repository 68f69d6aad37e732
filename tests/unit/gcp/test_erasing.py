"""What an erasure takes out of Firestore and the bucket, and in which order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.adapters.gcp import erasing
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import NotFound, Unavailable
from auteryn.schema import event as e
from auteryn.schema.change import Doc, Newborn, Send
from auteryn.testing.emulators.proxy import Passing
from auteryn.testing.emulators.servers import FIRESTORE, host_of
from conformance.samples import FAILED, NOON, change, message, newborn
from unit.gcp.rooms import Room, in_a_room, room


def a_doc(doc_id: str, scope: str, body: str, kind: str = "note") -> Doc:
    return Doc(kind=kind, id=doc_id, scope=scope, body=body, at=NOON)


def aside(room: Room) -> set[str]:
    return {file.parent.name + file.name for file in room.blobs.folder.rglob("*") if file.is_file()}


async def left_of(room: Room, run: str) -> list[str]:
    """Paths of all that lies below it, by the client's own way."""
    client: Any = room.store.database.client
    root = client.document("runs", run)
    found = [root.path] if (await root.get()).exists else []
    for name in ("journal", "inbox", "lease"):
        found += [document.path async for document in root.collection(name).list_documents()]
    return found


@pytest.mark.proves("F30")
@in_a_room
async def test_an_erasure_takes_the_long_texts_with_it(room: Room) -> None:
    """Of entries, messages read and unread, documents, and of every summary there was; but for documents in the same words."""
    store, other = room.store, await room.store.create(newborn("o" * 40_000))
    await store.put(a_doc("theirs", other.id, "same" * 10_000))
    kept = aside(room)
    run = await store.create(newborn("a" * 40_000))
    await store.send(run.id, message("b" * 40_000, message_id="m1"))
    await store.send(run.id, message("c" * 40_000, message_id="m2"))
    for doc_id, kind, body in (
        ("same", "note", "same" * 10_000),
        ("own", "note", "d" * 40_000),
        ("other", "draft", "d" * 40_000),
    ):
        await store.put(a_doc(doc_id, run.id, body, kind))
    first = change(run, e.ArtifactPublished(artifact=e.Artifact(id="a", path="f" * 40_000, title="", sha256="", size_bytes=1)))
    await store.commit(first)
    note = e.Logged(level="info", message="g" * 40_000)
    second = change(first.run, note, consumed=("m1",), summary=True, sends=(Send(run=run.id, message=message("h" * 40_000)),))
    await store.commit(second)
    assert len(aside(room) - kept) > 8

    await store.erase(run.id)

    assert aside(room) == kept
    assert (await store.doc("note", "theirs")) == a_doc("theirs", other.id, "same" * 10_000)
    assert await store.get(other.id) == other


@pytest.mark.proves("F30")
@pytest.mark.parametrize("fails_after", range(5))
def test_an_erasure_that_was_cut_off_is_found_again_and_goes_on(
    fails_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pages there are: the run is there until all else of it is gone."""
    monkeypatch.setattr(erasing, "PAGE", 2)

    async def main() -> None:
        async with room(tmp_path, patience=timedelta()) as opened:
            run = now = await opened.store.create(newborn(), key="k")
            await opened.store.send(run.id, message())
            for _ in range(4):
                await opened.store.commit(on := change(now))
                now = on.run
            opened.network.refuse("Commit", times=1_000, after=fails_after)
            with pytest.raises(Unavailable):
                await opened.store.erase(run.id)
            opened.network.faults.heal()
            assert f"runs/{run.id}" in await left_of(opened, run.id)
            await opened.store.erase(run.id)
            assert await left_of(opened, run.id) == []
            with pytest.raises(NotFound):
                await opened.store.get(run.id)
            assert (await opened.store.create(newborn(), key="k")).id != run.id

    asyncio.run(main())


@pytest.mark.proves("F1", "F30")
@in_a_room
async def test_who_is_second_with_a_past_leaves_nothing_of_it(room: Room) -> None:
    """Two who begin a fork by one key at once: the loser had written its past before it knew."""

    def fork() -> Newborn:
        first = newborn()
        past = change(first.run)
        return replace(first, run=past.run, past=(past.entry,))

    winner, loser = fork(), fork()
    rival = FirestoreStore.open(room.store.database.project, room.blobs, host=host_of(FIRESTORE))

    async def meanwhile(passing: Passing) -> None:
        if passing.when == "before" and not room.network.calls["overtaken"]:
            room.network.calls["overtaken"] += 1
            await rival.create(winner, key="k")

    room.network.guards["Commit"] = meanwhile
    try:
        assert (await room.store.create(loser, key="k")).id == winner.run.id
    finally:
        await rival.close()
    assert await left_of(room, loser.run.id) == []
    assert len(await room.store.journal(winner.run.id)) == 2


@pytest.mark.proves("L4")
@in_a_room
async def test_what_a_commit_says_to_an_erased_run_is_swept_away(room: Room) -> None:
    """What runs tell each other is no reason to refuse a commit; nobody is due for it, and it does not stay."""
    gone, ended, run = [await room.store.create(newborn(wake_at=None)) for _ in range(3)]
    await room.store.commit(change(ended, FAILED))
    await room.store.erase(gone.id)
    sends = tuple(Send(run=to.id, message=message()) for to in (gone, ended, run))
    await room.store.commit(change(run, sends=sends))
    assert len(await left_of(room, gone.id)) == 1

    assert await room.store.due(NOON) == [run.id]

    assert await left_of(room, gone.id) == []
    assert await room.store.inbox(ended.id) == [] and len(await room.store.inbox(run.id)) == 1
