"""What the disk may do to the database and the blobs, and what then holds."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.adapters.embedded.tables import MIGRATIONS, PAGE_BYTES
from auteryn.errors import Corrupt, DiskFull, Invalid, NotFound, Unavailable
from auteryn.schema.event import Logged
from auteryn.schema.inbox import UserMessage
from auteryn.testing.clock import skipping
from auteryn.testing.crash import Fate, mortal
from auteryn.testing.world import World
from conformance.samples import NOON, change, newborn
from unit.embedded.children import child


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A disk of 2 MB of its own; None where this user may not mount one: the tests then run out of space another way."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["sh", "-c", 'mount -t tmpfs -o size=2m tmpfs "$0"', str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.proves("L5")
def test_what_was_said_and_taken_survives_a_power_cut(tmp_path: Path) -> None:
    async def story() -> None:
        fate = Fate(cuts_power=True)
        before = await World(tmp_path, synchronous="full", around=mortal(fate)).open(hosting=False)
        run = await before.start("Wait for me")
        assert await before.say(run, "Use euros")
        fate.last_words(False)
        after = await World(tmp_path).open(hosting=False)
        assert [said.text for said in await after.services.store.inbox(run) if isinstance(said, UserMessage)] == ["Use euros"]
        await after.close()

    skipping(story())


@pytest.mark.proves("P47")
def test_a_full_disk_refuses_whole_commits_and_takes_them_once_there_is_room(tmp_path: Path, small_disk: Path | None) -> None:
    """Both ways of running out: the disk's, and where it cannot be mounted SQLite's own limit, which says the same."""
    home = small_disk or tmp_path

    async def main() -> None:
        store = SqliteStore.open(home)
        ballast = home / "ballast"
        if small_disk:
            ballast.write_bytes(bytes(1_200_000))
        else:
            store.database.connection.execute("PRAGMA max_page_count = 100")
        run, refused = await store.create(newborn()), None
        while refused is None:
            commit = change(run, Logged(level="info", message=os.urandom(20_000).hex()))
            try:
                await store.commit(commit)
                run = commit.run
            except DiskFull as error:
                refused = error
                assert str(home) in str(error)
                assert "free some" in str(error).lower()

        assert await store.get(run.id) == run
        beside = await asyncio.gather(store.commit(commit), store.create(newborn("x" * 30_000)), return_exceptions=True)
        assert [type(outcome) for outcome in beside] == [DiskFull, DiskFull]

        ballast.unlink(missing_ok=True)
        store.database.connection.execute("PRAGMA max_page_count = 1000000")
        await store.commit(commit)
        await store.close()

        store = SqliteStore.open(home)
        assert await store.get(run.id) == commit.run
        await store.close()

    asyncio.run(main())


@pytest.mark.proves("P47")
def test_a_blob_that_does_not_fit_leaves_nothing_and_fits_once_there_is_room(tmp_path: Path, small_disk: Path | None) -> None:
    async def main() -> None:
        if small_disk is None:  # the file-size limit is a limit of this process alone
            import resource

            blobs, soft = FolderBlobs(tmp_path / "blobs"), resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, soft[1]))
            try:
                with pytest.raises(DiskFull):
                    await blobs.put(bytes(300_000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, soft)
        else:
            blobs = FolderBlobs(small_disk / "blobs")
            (small_disk / "ballast").write_bytes(bytes(1_900_000))
            with pytest.raises(DiskFull):
                await blobs.put(bytes(300_000))
            (small_disk / "ballast").unlink()

        assert [path for path in blobs.folder.rglob("*") if path.is_file()] == []
        assert await blobs.get(await blobs.put(bytes(300_000))) == bytes(300_000)

    asyncio.run(main())


@pytest.mark.proves("P47")
def test_a_full_disk_is_first_cleared_of_what_crashed_writers_left(
    tmp_path: Path, small_disk: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        blobs = FolderBlobs((small_disk or tmp_path) / "blobs")
        left = blobs.folder / "aside" / "left"
        left.write_bytes(bytes(1_900_000))
        os.utime(left, (0, 0))
        if small_disk is None:
            monkeypatch.setattr(os, "fsync", lambda handle: _no_space_while(left))

        await blobs.put(bytes(300_000))

        assert not left.exists()

    asyncio.run(main())


def _no_space_while(left: Path) -> None:
    if left.exists():
        raise OSError(errno.ENOSPC, "No space left on device")


READER = """
import os, sys
from pathlib import Path
from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.errors import NotAllowed

if os.geteuid() == 0:
    os.setuid(65534)  # root may write everywhere, nobody may not
for make in (lambda: SqliteStore.open(Path(sys.argv[1])), lambda: FolderBlobs(Path(sys.argv[1]) / "blobs")):
    try:
        make()
    except NotAllowed as error:
        print(error)
"""


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_may_not_be_written_says_so_and_what_to_do(exists: bool) -> None:
    with tempfile.TemporaryDirectory() as outer:
        home = Path(outer) / "home"
        Path(outer).chmod(0o755)
        home.mkdir()
        if exists:
            store = SqliteStore.open(home)
            asyncio.run(store.close())
        home.chmod(0o555)
        with child(READER, home) as reader:
            said = reader.communicate()[0].splitlines()
        home.chmod(0o755)

    assert len(said) == 2
    for error in said:
        assert str(home) in error
        assert "AUTERYN_HOME" in error


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(Invalid, match="must be a folder"):
        Database(tmp_path / "home")


def test_a_damaged_page_is_corrupt_and_other_pages_are_read(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        runs = [await store.create(newborn(os.urandom(700).hex())) for _ in range(40)]
        key = store.database.rows("SELECT max(key) FROM journal")[0][0]
        await store.close()
        _break_page_of(tmp_path / "auteryn.db", key)

        store = SqliteStore.open(tmp_path)
        outcomes = await asyncio.gather(*(store.get(run.id) for run in runs), return_exceptions=True)
        broken = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert broken
        assert all(isinstance(error, Corrupt) and ".recover" in str(error) for error in broken)
        assert outcomes[0] == runs[0]
        await store.commit(change(runs[0]))
        await store.close()

    asyncio.run(main())


def _break_page_of(file: Path, key: int) -> None:
    """Overwrite the page that holds this entry's row."""
    raw = bytearray(file.read_bytes())
    with sqlite3.connect(file) as c:
        body = c.execute("SELECT body FROM journal WHERE key=?", (key,)).fetchone()[0]
    c.close()
    page = raw.index(body[:60]) // PAGE_BYTES  # a long row's beginning lies in its leaf
    raw[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = b"\xff" * PAGE_BYTES
    file.write_bytes(raw)


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "auteryn.db").write_bytes(b"something else entirely" * 1_000)
    with pytest.raises(Corrupt, match="not a database"):
        Database(tmp_path)


@pytest.mark.proves("L13")
def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(Corrupt, match="newer release"):
        Database(tmp_path)


def test_a_writer_that_holds_the_lock_is_waited_for_without_holding_up_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        other = sqlite3.connect(tmp_path / "auteryn.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.create(newborn()))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        with pytest.raises(NotFound):  # reading waits for nobody
            await store.get("run_unknown")

        other.execute("COMMIT")
        run = await waiting

        assert await store.get(run.id) == run
        other.close()
        await store.close()

    asyncio.run(main())


def test_a_lock_that_is_never_let_go_is_unavailable_and_the_write_succeeds_later(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(Database(tmp_path, patience=timedelta(milliseconds=20)))
        other = sqlite3.connect(tmp_path / "auteryn.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        born = newborn()

        with pytest.raises(Unavailable, match="locked by another writer"):
            await store.create(born)

        other.execute("COMMIT")
        assert await store.create(born) == born.run
        other.close()
        await store.close()

    asyncio.run(main())


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        await store.close()
        with pytest.raises(Unavailable):
            await store.create(newborn())
        with pytest.raises(Unavailable):
            await store.due(NOON)

    asyncio.run(main())


def test_a_commit_waits_until_the_drive_itself_has_it_also_where_fsync_alone_does_not(tmp_path: Path) -> None:
    database = Database(tmp_path)
    assert database.rows("PRAGMA synchronous") == [(2,)] and database.rows("PRAGMA fullfsync") == [(1,)]
    database.close()
