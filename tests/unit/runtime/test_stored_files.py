"""Files of slices that share no folder: what is committed is there for the next one, and what is not never was."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.adapters.gcp.blobs import CloudBlobs
from auteryn.errors import Corrupt, Invalid, NotFound
from auteryn.policy.cloud import BLOBS_RENEWED
from auteryn.runtime.files import Files
from auteryn.runtime.stored_files import MERGE_AT, StoredFiles
from auteryn.schema.change import Doc
from auteryn.schema.files import KIND
from auteryn.testing.emulators.storage import Storage
from auteryn.tools.workspace import Workspace
from conformance.samples import newborn

NOWHERE = ("", ".", "..", "a/b", "/a", "../a", "a\\b")
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("name", NOWHERE)
def test_the_folder_of_a_tree_is_one_of_its_own(name: str, tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert files.of("run_1").root.parent == tmp_path
    with pytest.raises(Invalid, match="no name a run can have"):
        files.of(name)


class Machine:
    """One machine after another; the store and the blobs outlive them."""

    def __init__(self, home: Path) -> None:
        self.home, self.count = home, 0
        self.store = SqliteStore.open(home, synchronous="off")
        self.blobs = FolderBlobs(home / "blobs")
        self.run = newborn().run

    def another(self) -> StoredFiles:
        self.count += 1
        return StoredFiles(self.home / f"machine{self.count}", self.store, self.blobs, tree_bytes=1 << 20)

    async def commit(self, files: StoredFiles, folder: Workspace, *keys: str, late: int = 0) -> None:
        for document in await files.changed(self.run, folder, keys, NOW + timedelta(seconds=late)):
            await self.store.put(document)


def story(test):
    def go(tmp_path: Path) -> None:
        async def main() -> None:
            machine = Machine(tmp_path)
            await test(machine)
            await machine.store.close()

        asyncio.run(main())

    go.__name__ = test.__name__
    return go


@pytest.mark.proves("P37")
@story
async def test_what_was_committed_is_there_on_the_next_machine(there: Machine):
    first = there.another()
    here = await first.begin(there.run)
    here.write("a/b.bin", os.urandom(5_000))
    here.write("gone.txt", b"old")
    here.write("tool.sh", b"#!/bin/sh\n")
    os.utime(here.root / "a/b.bin", (1e9, 1e9))
    with here.path_to_write(".auteryn/known/page", engine=True) as page:
        page.write_bytes(b"the engine's own")
    await there.commit(first, here)
    (here.root / "tool.sh").chmod(0o755)
    before = here.stat("a/b.bin").modified_at, here.read("a/b.bin")
    (here.root / "gone.txt").unlink()
    await there.commit(first, here)
    await first.end(here)
    assert not here.root.exists()

    second = there.another()
    again = await second.begin(there.run)
    assert sorted(found.path for found in again.walk()) == ["a/b.bin", "tool.sh"]
    assert (again.stat("a/b.bin").modified_at, again.read("a/b.bin")) == before
    assert os.access(again.root / "tool.sh", os.X_OK)
    with again.reading(".auteryn/known/page", engine=True) as page:
        assert page.read() == b"the engine's own"
    assert await second.changed(there.run, again, (), NOW) == ()


@story
async def test_what_was_not_committed_never_was(there: Machine):
    """The machine goes after the write; neither the file nor the knowledge that it was written is left."""
    first = there.another()
    here = await first.begin(there.run)
    here.write("draft.txt", b"half", key="k1", output="done")
    await first.changed(there.run, here, ["k1"], NOW)  # the commit it was for is refused

    again = await there.another().begin(there.run)
    assert not again.exists("draft.txt") and again.receipt("k1") is None


@pytest.mark.proves("L6")
@story
async def test_a_call_without_an_answer_finds_out_on_the_next_machine_that_it_was_done(there: Machine):
    """Another call's answer was committed between its effect and its own answer."""
    first = there.another()
    here = await first.begin(there.run)
    here.write("old.txt", b"x")
    await there.commit(first, here)
    here.move("old.txt", "new.txt", key="moving", output={"moved": True})
    await there.commit(first, here, "moving", "untouched")

    again = await there.another().begin(there.run)
    assert again.receipt("moving") == {"moved": True}
    assert again.receipt("untouched") is None
    assert [found.path for found in again.walk()] == ["new.txt"]


@story
async def test_steps_side_by_side_keep_each_other_s_files(there: Machine):
    left, right = there.another(), there.another()
    here, yonder = await left.begin(there.run), await right.begin(there.run)
    here.write("left.txt", b"l")
    yonder.write("right.txt", b"r")
    await there.commit(left, here)
    await there.commit(right, yonder)
    here.write("mine.txt", b"not committed yet")
    await left.news(there.run, here)
    assert sorted(found.path for found in here.walk()) == ["left.txt", "mine.txt", "right.txt"]
    yonder.write("left.txt", b"changed there")
    await there.commit(right, yonder)
    here.write("right.txt", b"changed here, not committed")
    await left.news(there.run, here)
    assert here.read("left.txt") == b"changed there"
    assert here.read("right.txt") == b"changed here, not committed"


@story
async def test_a_clock_that_is_behind_loses_no_change(there: Machine):
    first = there.another()
    here = await first.begin(there.run)
    here.write("a.txt", b"1")
    await there.commit(first, here, late=60)
    second = there.another()
    again = await second.begin(there.run)
    again.write("a.txt", b"2")
    await there.commit(second, again, late=0)
    assert (await there.another().begin(there.run)).read("a.txt") == b"2"


@story
async def test_many_changes_become_one_document(there: Machine):
    first = there.another()
    here = await first.begin(there.run)
    for number in range(MERGE_AT + 1):
        here.write("a.txt" if number % 2 else "b.txt", b"%d" % number)
        await there.commit(first, here, late=number)
    assert len(await there.store.docs(KIND, there.run.root)) == MERGE_AT + 1
    again = await there.another().begin(there.run)
    assert len(await there.store.docs(KIND, there.run.root)) == 1
    third = await there.another().begin(there.run)
    for files in (again, third):
        assert {found.path: files.read(found.path) for found in files.walk()} == {
            "a.txt": b"%d" % (MERGE_AT - 1),
            "b.txt": b"%d" % MERGE_AT,
        }


@story
async def test_news_do_not_bring_back_what_this_slice_has_changed_since(there: Machine):
    """Many changes became one document as it began, and a step has changed the same file before it did."""
    first, step = there.another(), there.another()
    here = await first.begin(there.run)
    for number in range(MERGE_AT + 1):
        here.write("a.txt", b"%d" % number)
        await there.commit(first, here)
    again, yonder = await first.begin(there.run), await step.begin(there.run)
    yonder.write("b.txt", b"the step's")
    await there.commit(step, yonder)
    for name in ("a.txt", "b.txt"):
        again.write(name, b"newer")
    await there.commit(first, again, late=1)
    await first.news(there.run, again)
    assert {found.path: again.read(found.path) for found in again.walk()} == {"a.txt": b"newer", "b.txt": b"newer"}


@story
async def test_a_call_without_an_answer_is_not_forgotten_when_changes_become_one_document(there: Machine):
    """The slice that made one of them dies before it says anything."""
    first = there.another()
    here = await first.begin(there.run)
    for key in ("answered", "open"):
        here.write(f"{key}.txt", b"x", key=key, output=key)
    await there.commit(first, here, "answered", "open")
    for number in range(MERGE_AT):
        here.write("a.txt", b"%d" % number)
        await there.commit(first, here)
    await there.another().begin(there.run, ["open"])
    assert len(await there.store.docs(KIND, there.run.root)) == 1
    later = await there.another().begin(there.run, ["open"])
    assert later.receipt("open") == "open" and later.receipt("answered") is None


@story
async def test_a_folder_whose_files_cannot_be_brought_is_not_left_behind(there: Machine):
    first, second = there.another(), there.another()
    here = await first.begin(there.run)
    here.write("there.txt", b"x")
    here.write("lost.txt", b"y")
    await there.commit(first, here)
    await there.blobs.delete(sha256(b"y").hexdigest())
    with pytest.raises(NotFound):
        await second.begin(there.run)
    assert list(second.folder.iterdir()) == []


@story
async def test_links_and_names_that_are_no_text_stay_where_they_are(there: Machine):
    first = there.another()
    here = await first.begin(there.run)
    here.write("a.txt", b"1")
    (here.root / "link").symlink_to("/etc/passwd")
    (here.root / os.fsdecode(b"\xff.txt")).write_bytes(b"x")
    await there.commit(first, here)
    assert [found.path for found in (await there.another().begin(there.run)).walk()] == ["a.txt"]


@story
async def test_a_link_that_takes_a_file_s_place_is_not_followed(there: Machine):
    first, second = there.another(), there.another()
    here, yonder = await first.begin(there.run), await second.begin(there.run)
    here.write("a.txt", b"1")
    await there.commit(first, here)
    secret = there.home / "secret"
    secret.write_bytes(b"secret")
    (yonder.root).mkdir(parents=True, exist_ok=True)
    (yonder.root / "a.txt").symlink_to(secret)
    await second.news(there.run, yonder)
    assert secret.read_bytes() == b"secret"


@pytest.mark.proves("P37")
@story
async def test_a_file_and_a_folder_of_one_name_that_steps_made_side_by_side_are_both_kept(there: Machine):
    left, right = there.another(), there.another()
    here, yonder = await left.begin(there.run), await right.begin(there.run)
    here.write("out", b"file")
    yonder.write("out/x", b"in the folder")
    (yonder.root / "link").symlink_to("out")
    here.write("link/y", b"behind a link")
    await there.commit(left, here)
    await there.commit(right, yonder)

    async def everything() -> list[bytes]:
        machine = there.another()
        files = await machine.begin(there.run)
        bodies = sorted(files.read(found.path) for found in files.walk())
        await there.commit(machine, files, late=9)
        return bodies

    all_three = [b"behind a link", b"file", b"in the folder"]
    for who, files in ((left, here), (right, yonder)):
        await who.news(there.run, files)
        assert sorted(files.read(found.path) for found in files.walk()) == all_three
        assert any("was moved to 'moved_" in one for one in files.said)
    assert await everything() == all_three
    for who, files in ((left, here), (right, yonder)):
        await there.commit(who, files, late=10)
    assert await everything() == await everything() == all_three


@story
async def test_a_file_takes_the_name_of_a_folder_that_another_step_has_removed_and_back(there: Machine):
    left, right = there.another(), there.another()
    here = await left.begin(there.run)
    here.write("out/deep/x", b"1")
    await there.commit(left, here)
    yonder = await right.begin(there.run)
    for late, (gone, new) in enumerate((("out/deep/x", "out"), ("out", "out/deep/x")), 1):
        (here.root / gone).unlink()
        if late == 1:
            (here.root / "out/deep").rmdir()
            (here.root / "out").rmdir()
        here.write(new, b"2")
        await there.commit(left, here, late=late)
        await right.news(there.run, yonder)
        assert [found.path for found in yonder.walk()] == [new] and yonder.said == []


@story
async def test_files_given_with_the_task_and_files_of_an_earlier_run_are_there(there: Machine):
    first = there.another()
    await first.given(there.run.id, lambda files: files.write("in.csv", b"1,2") and None, NOW)
    await first.copied(there.run.id, "run_next", NOW)
    await first.drop(there.run.id)
    assert not (await there.another().begin(there.run)).exists("in.csv")
    assert [doc.scope for doc in await there.store.docs(KIND, "run_next")] == ["run_next"]


@story
async def test_a_copy_of_a_tree_has_every_file_as_it_was_at_home_and_in_the_cloud(there: Machine):
    def write(files: Workspace) -> None:
        for path in (".git/HEAD", "node_modules/x.js", "tool.sh"):
            files.write(path, path.encode())
            os.utime(files.root / path, (1e9, 1e9))
        (files.root / "tool.sh").chmod(0o755)

    for of in (Files(there.home / "folders"), there.another()):
        await of.given(there.run.root, write, NOW)
        await of.copied(there.run.root, "run_next", NOW)
        files = await of.begin(replace(there.run, id="run_next"))
        found = list(files.walk(skip=frozenset()))
        assert sorted(file.path for file in found) == [".git/HEAD", "node_modules/x.js", "tool.sh"]
        assert {file.modified_at.timestamp() for file in found} == {1e9}
        assert os.access(files.root / "tool.sh", os.X_OK) and not os.access(files.root / ".git/HEAD", os.X_OK)


@story
async def test_a_document_that_cannot_be_read_says_which(there: Machine):
    await there.store.put(Doc(kind=KIND, id="files_x", scope=there.run.root, body={"files": 3}, at=NOW))
    with pytest.raises(Corrupt, match="files_x"):
        await there.another().begin(there.run)


@pytest.mark.proves("F30")
def test_a_run_that_begins_with_the_files_of_an_old_one_keeps_them_as_long_as_it_lives(tmp_path: Path) -> None:
    """The bucket deletes what was written 90 days ago, and a run lives for a week."""
    storage = Storage()

    async def main() -> None:
        store = SqliteStore.open(tmp_path, synchronous="off")
        blobs = CloudBlobs("b", endpoint=storage.endpoint, renew_after=BLOBS_RENEWED)
        files, run, old = StoredFiles(tmp_path / "machine", store, blobs, tree_bytes=1 << 20), newborn().run, timedelta(days=85)
        try:
            here = await files.begin(run)
            for text in (b"old", b"older"):
                here.write("a.txt", text)
                for document in await files.changed(run, here, (), NOW):
                    await store.put(document)
            await files.end(here)
            for stored in storage.objects.values():
                stored.created_at -= old
            before = dict(storage.objects)
            await files.copied(run.root, "run_new", NOW + old)
            anew = [stored.body for place, stored in storage.objects.items() if stored is not before[place]]
            assert anew == [b"older"]
            assert list((tmp_path / "machine").iterdir()) == []
        finally:
            await blobs.close()
            await store.close()

    asyncio.run(main())
    storage.stop()
