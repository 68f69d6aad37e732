"""Firestore's own promises: one request a commit, lost replies change nothing, nothing is too big."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from base64 import urlsafe_b64encode as b64encode
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.gcp.database import Database
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import Conflict, Invalid, NotFound, Unavailable, Unread, WrongState
from auteryn.schema import event as e
from auteryn.schema.change import Doc, Send
from auteryn.schema.inbox import Poke
from auteryn.testing.emulators.proxy import Dropped, Passing
from auteryn.testing.emulators.servers import FIRESTORE, host_of
from conformance.samples import MINUTE, NOON, change, completed, message, newborn
from unit.gcp.rooms import HANG, Room, in_a_room, room

SOON = NOON + 10 * MINUTE
LATER = NOON + 20 * MINUTE


def a_poke(number: int = 1) -> Poke:
    return Poke(id=f"poke_{number}", sent_at=NOON)


def a_doc(body: Any = "one") -> Doc:
    return Doc(kind="note", id="n", scope="s", body=body, at=NOON)


async def taken(room: Room, run: str, holder: str = "one"):
    lease = await room.store.take_lease(run, holder=holder, now=NOON, until=SOON)
    assert lease
    return lease


# ---- what it costs


@pytest.mark.proves("L1", "L8")
@in_a_room
async def test_a_commit_is_one_request_and_reads_nothing(room: Room) -> None:
    """However much changes with it."""
    run, other = await room.store.create(newborn()), await room.store.create(newborn())
    await room.store.send(run.id, a_poke())
    await taken(room, run.id)
    room.network.calls.clear()

    await room.store.commit(small := change(run, summary=False))
    assert room.network.calls == {"Commit": 1}
    await room.store.commit(
        change(
            small.run,
            consumed=("poke_1",),
            sends=(Send(run=other.id, message=message()),),
            children=tuple(newborn(parent=run) for _ in range(250)),
            docs=(a_doc(),),
            leave=True,
        )
    )

    assert room.network.calls == {"Commit": 2}


@in_a_room
async def test_a_full_inbox_is_read_page_by_page_in_the_order_of_arrival(room: Room) -> None:
    """However much was said while nobody listened, no reply grows with it."""
    run = await room.store.create(newborn())
    sends = [Send(run=run.id, message=a_poke(number)) for number in range(700, 0, -1)]
    await room.store.commit(change(await room.store.create(newborn()), sends=tuple(sends)))
    room.network.calls.clear()

    found = await room.store.inbox(run.id)

    assert [one.id for one in found] == [one.message.id for one in sends]
    assert room.network.calls == {"RunQuery": 3}


@pytest.mark.proves("L4")
@in_a_room
async def test_what_a_slice_does_most_is_one_request(room: Room) -> None:
    """Heartbeats, looks into the inbox, the second message to a run, giving back what a commit has ended already."""
    run = await room.store.create(newborn())
    await room.store.send(run.id, a_poke(1))
    calls = room.network.calls

    async def cost(work: Awaitable[Any]) -> dict[str, int]:
        calls.clear()
        await work
        return dict(calls)

    lease = await taken(room, run.id)
    assert await cost(room.store.renew(lease, until=LATER)) == {"Commit": 1}
    assert await cost(room.store.inbox(run.id)) == {"RunQuery": 1}
    assert await cost(room.store.send(run.id, a_poke(2))) == {"Commit": 1}
    assert await cost(room.store.due(NOON)) == {"RunQuery": 2, "BatchGetDocuments": 1}
    assert await cost(room.store.get(run.id)) == {"BatchGetDocuments": 1, "RunQuery": 1}
    assert await cost(room.store.commit(change(run, leave=True))) == {"Commit": 1}
    assert await cost(room.store.give_back(lease)) == {}
    assert await cost(room.store.send(run.id, message(), heard=True)) == {"Commit": 1, "BatchGetDocuments": 1}
    assert await cost(taken(room, run.id, "two")) == {"BatchGetDocuments": 1, "Commit": 1}


@pytest.mark.proves("L1", "L8")
@in_a_room
async def test_a_commit_that_completes_its_run_is_one_request_more(room: Room) -> None:
    """Its look into the inbox, which the slice would make otherwise."""
    run = await room.store.create(newborn())
    await room.store.send(run.id, a_poke())
    await taken(room, run.id)
    ends = change(run, completed(), leave=True)
    room.network.calls.clear()

    with pytest.raises(Unread):
        await room.store.commit(ends)
    assert room.network.calls == {"RunQuery": 1, "BatchGetDocuments": 1}
    room.network.calls.clear()
    await room.store.commit(replace(ends, consumed=("poke_1",)))

    assert room.network.calls == {"RunQuery": 1, "Commit": 1}


# ---- between a look and its act


@pytest.mark.proves("L5", "F10")
@in_a_room
async def test_what_is_said_between_the_look_into_the_inbox_and_the_completion_is_read_first(room: Room) -> None:
    """The completion has looked, and is held until another process was told that he is heard."""
    beside = Database(room.store.database.project, host=host_of(FIRESTORE))
    run, rival = await room.store.create(newborn()), FirestoreStore(beside, room.blobs)
    await taken(room, run.id)
    said, looks = message(), room.network.calls

    async def speak(passing: Passing) -> asyncio.Event | None:
        if passing.when == "before" and looks["RunQuery"] == 1:
            assert await rival.send(run.id, said, heard=True) is True
        return None

    looks.clear()
    room.network.guards["Commit"] = speak
    ends = change(run, completed(), leave=True)
    try:
        with pytest.raises(Unread, match=said.id):
            await room.store.commit(ends)
    finally:
        await rival.close()

    assert await room.store.get(run.id) == run and looks["RunQuery"] >= 2
    await room.store.commit(replace(ends, consumed=(said.id,)))
    assert await room.store.get(run.id) == ends.run


@pytest.mark.proves("L4", "L5")
@in_a_room
async def test_neither_a_renewal_nor_a_word_takes_the_other_s_place_in_the_lease(room: Room) -> None:
    """A lease is renewed though somebody spoke, and a run completes though its lease was renewed after its look."""
    run = await room.store.create(newborn())
    lease, said = await taken(room, run.id), message()
    await room.store.send(run.id, said, heard=True)
    lease = await room.store.renew(lease, until=LATER)

    async def renew(passing: Passing) -> asyncio.Event | None:
        room.network.guards.clear()
        await room.store.renew(lease, until=LATER + MINUTE)
        return None

    room.network.guards["Commit"] = renew
    await room.store.commit(ends := change(run, completed(), consumed=(said.id,), leave=True))

    assert await room.store.get(run.id) == ends.run and await room.store.lease(run.id) is None


@pytest.mark.proves("F13", "L1")
@in_a_room
async def test_a_completion_whose_reply_was_lost_is_not_undone_by_a_message_that_came_since(room: Room) -> None:
    """Said again it finds the message, and looks whether it had been made."""
    run = await room.store.create(newborn())

    async def lose(passing: Passing) -> asyncio.Event | None:
        if passing.when == "before":
            return None
        room.network.guards.clear()
        await room.store.send(run.id, a_poke())
        raise Dropped

    room.network.guards["Commit"] = lose
    await room.store.commit(ends := change(run, completed(), leave=True))

    assert await room.store.get(run.id) == ends.run and len(await room.store.journal(run.id)) == 2


# ---- lost replies


Act = Callable[[Room], Awaitable[Any]]


async def create(room: Room) -> Any:
    born = newborn(run_id="run_a")
    return await room.store.create(born) == born.run, len((await room.store.runs()).runs)


async def create_with_key(room: Room) -> Any:
    made = [await room.store.create(newborn(text, run_id=f"run_{text}"), key="k") for text in ("a", "b")]
    return [run.id for run in made], len((await room.store.runs()).runs)


async def commit(room: Room) -> Any:
    run = await room.store.create(newborn())
    await room.store.commit(first := change(run, summary=False))
    await room.store.commit(change(first.run, summary=False))
    return (await room.store.get(run.id)).seq, len(await room.store.journal(run.id))


async def commit_everything(room: Room) -> Any:
    run, other = await room.store.create(newborn()), await room.store.create(newborn())
    await room.store.send(run.id, a_poke(1))
    await room.store.send(run.id, a_poke(2))
    lease = await taken(room, run.id)
    await room.store.commit(
        change(
            run,
            consumed=("poke_1",),
            sends=(Send(run=other.id, message=a_poke(3)),),
            children=(newborn(run_id="run_child", parent=run),),
            docs=(a_doc(),),
            leave=True,
            wake_at=LATER,
        )
    )
    await room.store.give_back(lease)
    inboxes = [[said.id for said in await room.store.inbox(one.id)] for one in (run, other)]
    child = await room.store.get("run_child")
    return inboxes, child.seq, await room.store.doc("note", "n") == a_doc(), await room.store.lease(run.id)


async def send(room: Room) -> Any:
    run = await room.store.create(newborn())
    new = [await room.store.send(run.id, message(text, message_id="answer-ask_1")) for text in ("yes", "no")]
    return new, [said.text for said in await room.store.inbox(run.id)]  # pyright: ignore[reportAttributeAccessIssue]


async def complete(room: Room) -> Any:
    run, told = await room.store.create(newborn()), list[Any]()
    await room.store.send(run.id, message(message_id="in time"), heard=True)
    await room.store.commit(change(run, completed(), consumed=("in time",), leave=True))
    for said in ("in time", "late"):
        try:
            told.append(await room.store.send(run.id, message(message_id=said), heard=True))
        except WrongState:
            told.append("refused")
    return told, (await room.store.get(run.id)).status, list(await room.store.inbox(run.id))


async def leases(room: Room) -> Any:
    run = await room.store.create(newborn())
    first = await taken(room, run.id)
    renewed = await room.store.renew(first, until=LATER)
    refused = await room.store.take_lease(run.id, holder="two", now=NOON, until=SOON)
    await room.store.give_back(renewed)
    second = await taken(room, run.id, "three")
    return first.number, renewed.until, refused, second.number


async def documents(room: Room) -> Any:
    kept = [await room.store.put(a_doc(body), if_absent=True) for body in ("first", "second")]
    read = await room.store.doc("note", "n")
    await room.store.put(a_doc("third"))
    third = await room.store.doc("note", "n")
    await room.store.drop("note", "n")
    return kept, read and read.body, third and third.body, await room.store.doc("note", "n")


ACTS: list[Act] = [create, create_with_key, commit, commit_everything, send, complete, leases, documents]


@pytest.mark.proves("F13", "L1")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_a_lost_reply_is_the_same_as_none_lost(act: Act, tmp_path: Path) -> None:
    """Whichever commit's reply it is, lost once or twice: everybody is told the same, and the same is stored."""

    async def outcome(commit: int, times: int) -> tuple[Any, int]:
        """With this commit (from 1) applied and its reply lost so often; and how many commits there were."""
        async with room(tmp_path / f"{commit}-{times}") as opened:
            opened.network.lose("Commit", times, after=commit - 1)
            return await act(opened), opened.network.calls["Commit"]

    async def main() -> None:
        usual, commits = await outcome(commit=1_000, times=1)
        for number in range(1, commits + 1):
            for times in (1, 2):
                told, sent = await outcome(number, times)
                assert told == usual, f"the reply of commit {number} was lost {times} times"
                assert sent >= commits + times

    asyncio.run(main())


@pytest.mark.proves("F13", "F32")
@in_a_room
async def test_a_request_that_does_not_arrive_is_sent_again(room: Room) -> None:
    """Reads and writes, as long as patience lasts."""
    run = await room.store.create(newborn())
    for method in ("Commit", "BatchGetDocuments", "RunQuery"):
        room.network.refuse(method, times=3)

    await room.store.commit(commit := change(run))

    assert await room.store.get(run.id) == commit.run
    assert room.network.calls["Commit"] == 1 + 4


@pytest.mark.proves("F13", "L1")
def test_a_reply_that_is_too_slow_counts_as_lost_and_the_change_is_made_once(tmp_path: Path) -> None:
    """The first request arrives only when the second one does: each may be the one that is carried out."""

    async def main() -> None:
        arrives = asyncio.Event()

        async def first_waits(passing: Passing) -> asyncio.Event | None:
            if passing.when == "after" or passing.number > first:
                arrives.set()
                return None
            return arrives

        async with room(tmp_path, patience=timedelta(seconds=HANG), reply_seconds=1) as opened:
            run = await opened.store.create(newborn())
            first = opened.network.calls["Commit"] + 1
            opened.network.guards["Commit"] = first_waits
            await opened.store.commit(commit := change(run))
            assert opened.network.calls["Commit"] > first
            assert await opened.store.get(run.id) == commit.run and len(await opened.store.journal(run.id)) == 2

    asyncio.run(main())


@pytest.mark.proves("F13", "F10")
@in_a_room
async def test_another_writer_s_commit_is_told_from_one_s_own_lost_one(room: Room) -> None:
    """A reply was lost, and the entry that is found is not ours."""
    run = await room.store.create(newborn())
    await room.store.commit(first := change(run))
    room.network.refuse("Commit")

    with pytest.raises(Conflict, match="another slice was first"):
        await room.store.commit(change(run))

    assert await room.store.get(run.id) == first.run


@pytest.mark.proves("F32")
def test_a_store_that_cannot_be_reached_is_unavailable_and_then_goes_on(tmp_path: Path) -> None:
    """Nothing is half done; the same store works again once it can be reached."""

    async def main() -> None:
        async with room(tmp_path, patience=timedelta(milliseconds=300)) as opened:
            run = await opened.store.create(newborn())
            opened.network.refuse("Commit", times=1_000)
            with pytest.raises(Unavailable, match="Firestore") as caught:
                await opened.store.commit(change(run))
            assert caught.value.__cause__ is not None
            opened.network.faults.heal()
            await opened.store.commit(commit := change(run))
            assert await opened.store.get(run.id) == commit.run

    asyncio.run(main())


# ---- size


@pytest.mark.proves("F14", "L8")
@in_a_room
async def test_a_body_over_32_kb_is_kept_in_a_blob(room: Room) -> None:
    """Of some kilobytes more as of some megabytes: entries, summaries, messages and documents are read back as they were."""
    for huge in ("x" * 40_000, "x" * 3_000_000):
        run = await room.store.create(newborn(huge))
        said = message(huge)
        await room.store.send(run.id, said)
        await room.store.put(a_doc(huge))
        commit = change(
            run,
            e.RunFailed(reason="error", message=huge),
            sends=(Send(run=run.id, message=message(huge, message_id="m2")),),
            leave=True,
        )
        await room.store.commit(commit)

        assert await room.store.get(run.id) == commit.run
        assert [entry.seq for entry in await room.store.journal(run.id)] == [1, 2]
        assert [one.id for one in await room.store.inbox(run.id)] == [said.id, "m2"]
        assert await room.store.doc("note", "n") == a_doc(huge)
        assert commit.run in (await room.store.runs()).runs
        aside = [file for file in room.blobs.folder.rglob("*") if file.is_file() and file.stat().st_size >= len(huge)]
        assert len(aside) == 6, "two entries, a summary of two states, two messages"  # a document's body is in one of them


@pytest.mark.proves("F14")
@in_a_room
async def test_a_commit_of_many_middling_bodies_fits_too(room: Room) -> None:
    """Two hundred children with thirty kilobytes each are 12 MB: still one batch."""
    run = await room.store.create(newborn())
    children = tuple(newborn("y" * 30_000, parent=run) for _ in range(200))
    room.network.calls.clear()

    await room.store.commit(change(run, children=children))

    assert room.network.calls == {"Commit": 1}
    assert await room.store.get(children[199].run.id) == children[199].run


@pytest.mark.proves("F30")
@in_a_room
async def test_a_refused_commit_leaves_a_blob_that_nobody_names(room: Room) -> None:
    run = await room.store.create(newborn())
    await room.store.commit(first := change(run))

    with pytest.raises(Conflict):
        await room.store.commit(change(run, e.Logged(level="info", message="z" * 50_000)))

    assert await room.store.get(run.id) == first.run


# ---- messages


@pytest.mark.proves("L5", "F19")
@in_a_room
async def test_of_two_messages_of_one_id_in_two_commits_the_first_one_s_words_stay(room: Room) -> None:
    """And the second commit holds all the same: a repeated message is a no-op."""
    run, one, two = [await room.store.create(newborn()) for _ in range(3)]

    for author, text in ((one, "first"), (two, "second")):
        said = message(text, message_id="msg_1")
        await room.store.commit(change(author, sends=(Send(run=run.id, message=said),)))

    assert [said.text for said in await room.store.inbox(run.id)] == ["first"]  # pyright: ignore[reportAttributeAccessIssue]
    assert await room.store.send(run.id, message("third", message_id="msg_1")) is False


@pytest.mark.proves("L10")
@in_a_room
async def test_messages_to_the_ended_do_not_keep_the_sweeper_busy(room: Room) -> None:
    """They are looked at once, and however many there are, the living are found."""
    over = await room.store.create(newborn())
    await room.store.commit(change(over, completed(), leave=True))
    for number in range(20):
        await room.store.send(over.id, a_poke(number))
    living = await room.store.create(newborn(wake_at=None))
    await room.store.send(living.id, a_poke())

    assert list(await room.store.due(NOON, limit=5)) == [living.id]
    room.network.calls.clear()
    assert list(await room.store.due(NOON, limit=5)) == [living.id]
    assert room.network.calls == {"RunQuery": 2, "BatchGetDocuments": 1}


@pytest.mark.proves("L5")
@in_a_room
async def test_a_sweep_does_not_take_for_late_what_a_run_hears_as_it_ends(room: Room) -> None:
    """It has seen the message unread, and looks at the run when that has completed."""
    beside = Database(room.store.database.project, host=host_of(FIRESTORE))
    run, rival = await room.store.create(newborn(wake_at=None)), FirestoreStore(beside, room.blobs)
    await room.store.send(run.id, said := message(), heard=True)

    async def complete(passing: Passing) -> asyncio.Event | None:
        room.network.guards.clear()
        await rival.commit(change(run, completed(), consumed=(said.id,), leave=True))
        return None

    room.network.guards["BatchGetDocuments"] = complete
    try:
        assert list(await room.store.due(NOON)) == []
    finally:
        await rival.close()

    assert await room.store.send(run.id, said, heard=True) is False


# ---- the door


@pytest.mark.proves("L15")
@in_a_room
async def test_odd_names_lead_nowhere_else(room: Room) -> None:
    """Slashes, dots and emptiness in ids are names like any other."""
    run = await room.store.create(newborn())
    for name in ("", ".", "..", "__x__", f"{run.id}/journal/00000001", "a/b", "é" * 2_000):
        with pytest.raises(NotFound):
            await room.store.get(name)
        with pytest.raises(NotFound):
            await room.store.send(name, a_poke())
        said, doc = message(message_id=name), Doc(kind="note", id=name, scope=name, body=name, at=NOON)
        assert await room.store.send(run.id, said) is True
        assert await room.store.send(run.id, said) is False
        assert await room.store.put(doc)
        assert await room.store.doc("note", name) == doc
    forged = [f'[1,"{name}"]' for name in ("", "..", "__all__", "a/b", "é", "x" * 1_500)]
    for cursor in ("x", "!!", "W10", *(b64encode(one.encode()).decode() for one in forged)):
        with pytest.raises(Invalid, match="cursor"):
            await room.store.runs(cursor=cursor)


def test_one_store_works_in_one_event_loop_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: str) -> None:
    """Clients are made where they are used."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", host_of(FIRESTORE))
    store = FirestoreStore.open(project, FolderBlobs(tmp_path))

    run = asyncio.run(store.create(newborn()))

    assert asyncio.run(store.get(run.id)) == run


def test_no_client_is_made_at_import_nor_by_making_a_store(tmp_path: Path) -> None:
    """A server that forks after the import must not take a connection with it."""
    program = """
import sys
import auteryn.adapters.gcp.store as module
from auteryn.adapters.embedded.blobs import FolderBlobs
from pathlib import Path
module.FirestoreStore.open("p", FolderBlobs(Path(sys.argv[1])))
import grpc, gc
print(sum(isinstance(one, (grpc.Channel, grpc.aio.Channel)) for one in gc.get_objects()))
"""
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "0"
