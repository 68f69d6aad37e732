"""What a commit costs, in fsyncs and bytes: counted, never timed."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import string
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from auteryn.adapters.embedded import database
from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.errors import Conflict
from auteryn.ports.store import Lease
from auteryn.schema import event as e
from auteryn.schema.change import Change
from auteryn.schema.human import Ask
from auteryn.schema.inbox import Poke
from auteryn.schema.record import to_json
from auteryn.schema.run import ForPerson, Run
from conformance.samples import MINUTE, NOON, change, message, newborn

PAYLOAD = 1_300


def statements(store: SqliteStore) -> list[str]:
    """From now on, every statement SQLite runs."""
    seen: list[str] = []
    store.database.connection.set_trace_callback(seen.append)
    return seen


def waits(seen: list[str]) -> int:
    """How many of these commits waited for the disk."""
    full, count = True, 0
    for statement in seen:
        if statement.startswith("PRAGMA synchronous"):
            full = statement.endswith("full")
        count += full and statement == "COMMIT"
    return count


def answered(run: Run, size_bytes: int = 2_000) -> Change:
    """A bare commit: a tool's answer, no summary, so many bytes in all."""
    body = os.urandom(size_bytes // 2 - 80).hex()
    return change(run, e.CallAnswered(call=f"call_{run.seq}", tool="web_fetch", output=body), summary=False)


def wal_bytes(home: Path) -> int:
    return (home / "auteryn.db-wal").stat().st_size


def test_what_is_written_in_one_tick_shares_one_transaction(tmp_path: Path) -> None:
    """A hundred steps that end together cost one fsync; one that is refused costs the others nothing."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        runs = await asyncio.gather(*(store.create(newborn()) for _ in range(100)))
        stale = change(runs[0])
        await store.commit(change(runs[0]))
        seen = statements(store)

        outcomes = await asyncio.gather(*(store.commit(c) for c in (stale, *map(change, runs[1:]))), return_exceptions=True)

        assert seen.count("COMMIT") == 1
        assert [type(outcome) for outcome in outcomes] == [Conflict, *[type(None)] * 99]
        await store.close()

    asyncio.run(main())


def test_a_message_waits_for_the_disk_with_the_next_who_does(tmp_path: Path) -> None:
    """Or, if nobody does, by itself: whoever sent it is told once a power cut would not take it."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        stale = change(run)
        await store.commit(change(run))
        seen = statements(store)

        await store.send(run.id, message(message_id="msg_1"))
        safe = asyncio.create_task(store.safe())
        await asyncio.sleep(0)
        await store.take_lease(run.id, holder="h", now=NOON, until=NOON + MINUTE)
        assert not safe.done() and waits(seen) == 0
        refused, _ = await asyncio.gather(store.commit(stale), safe, return_exceptions=True)
        assert isinstance(refused, Conflict) and waits(seen) == 1

        await store.send(run.id, message(message_id="msg_2"))
        before = wal_bytes(tmp_path)
        await store.safe()
        assert waits(seen) == 2 and wal_bytes(tmp_path) > before
        await store.close()

    asyncio.run(main())


def test_a_write_that_stops_half_way_is_taken_back_alone(tmp_path: Path) -> None:
    """The others of its transaction are carried out once more without it, in their order."""

    async def main() -> None:
        database = Database(tmp_path)
        database.connection.execute("CREATE TABLE t (who TEXT)")

        def half(c) -> None:
            c.execute("INSERT INTO t VALUES ('half')")
            raise Conflict("no further")

        outcomes = await asyncio.gather(
            database.write(lambda c: c.execute("INSERT INTO t VALUES ('a')").rowcount),
            database.write(half),
            database.write(lambda c: c.execute("INSERT INTO t VALUES ('b')").rowcount),
            return_exceptions=True,
        )

        assert [type(outcome) for outcome in outcomes] == [int, Conflict, int]
        assert database.rows("SELECT who FROM t") == [("a",), ("b",)]
        database.close()

    asyncio.run(main())


def test_a_write_whose_writer_is_cancelled_is_made_all_the_same(tmp_path: Path) -> None:
    """What a tool gave is not lost because its slice is told to stop as it is written down."""

    async def main() -> None:
        database = Database(tmp_path)
        database.connection.execute("CREATE TABLE t (who TEXT)")
        writer = asyncio.create_task(database.write(lambda c: c.execute("INSERT INTO t VALUES ('a')").rowcount))
        await asyncio.sleep(0)

        writer.cancel()

        with pytest.raises(asyncio.CancelledError):
            await writer
        assert database.rows("SELECT who FROM t") == [("a",)]
        database.close()

    asyncio.run(main())


def test_a_posted_write_travels_with_the_next_one(tmp_path: Path) -> None:
    async def main() -> None:
        database, seen = Database(tmp_path), list[str]()
        database.connection.execute("CREATE TABLE t (who TEXT)")
        database.connection.set_trace_callback(seen.append)

        database.post(lambda c: c.execute("INSERT INTO t VALUES ('posted')"))
        await asyncio.sleep(0)
        assert seen == []
        await database.write(lambda c: c.execute("INSERT INTO t VALUES ('written')").rowcount)

        assert seen.count("COMMIT") == 1
        database.post(lambda c: c.execute("INSERT INTO t VALUES ('last')"))
        database.close()
        reopened = Database(tmp_path)
        assert reopened.rows("SELECT who FROM t") == [("posted",), ("written",), ("last",)]
        reopened.close()

    asyncio.run(main())


def test_a_posted_write_without_company_goes_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        database, written = Database(tmp_path), asyncio.Event()
        database.connection.execute("CREATE TABLE t (who TEXT)")
        loop = asyncio.get_running_loop()
        database.post(lambda c: (c.execute("INSERT INTO t VALUES ('posted')"), loop.call_soon(written.set)))
        await written.wait()
        assert database.rows("SELECT who FROM t") == [("posted",)]
        database.close()

    asyncio.run(main())


def test_a_bare_commit_is_one_insert(tmp_path: Path) -> None:
    """No read, no second row: begin, insert, commit."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        await store.commit(first := answered(run))
        seen = statements(store)

        await store.commit(answered(first.run))

        assert [statement.split()[0] for statement in seen] == ["BEGIN", "INSERT", "COMMIT"]
        await store.close()

    asyncio.run(main())


@pytest.mark.proves("L1")
def test_facts_wait_for_the_disk_and_leases_do_not(tmp_path: Path) -> None:
    """A lease alone is not worth an fsync; whatever is committed under it, or beside it, is, and takes it along."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        seen = statements(store)

        async def how(*writes: Awaitable[Any]) -> list[str]:
            seen.clear()
            await asyncio.gather(*writes)
            return [one for one in seen if one.startswith("PRAGMA") or one == "COMMIT"]

        async def lease(n: int) -> Lease | None:
            return await store.take_lease(run.id, holder=f"h{n}", now=NOON + n * MINUTE, until=NOON + (n + 1) * MINUTE)

        assert await how(lease(0)) == ["PRAGMA synchronous = normal", "COMMIT"]
        assert await how(lease(1)) == ["COMMIT"]
        assert await how(lease(2), store.commit(first := answered(run))) == ["PRAGMA synchronous = full", "COMMIT"]
        assert await how(store.commit(answered(first.run))) == ["COMMIT"]
        await store.close()

    asyncio.run(main())


@pytest.mark.proves("L8", "P18")
@pytest.mark.parametrize("sizes", [(2_000, 2_000), (950, 1_500), (850, 300)], ids=str)
def test_a_turn_writes_the_same_few_bytes_however_long_the_run_is(
    tmp_path: Path, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commits: at most 12 kB of log, at turn 100 and at turn 1,000, and at most 1.4 times the payload is kept."""
    monkeypatch.setattr(database, "FOLD_COMMITS", 1_000_000)

    async def main() -> None:
        store = SqliteStore.open(tmp_path, synchronous="off")
        store.database.connection.execute("PRAGMA wal_autocheckpoint = 0")
        run = await store.create(newborn())
        per_turn: list[float] = []
        payload = 0
        for _ in range(10):
            before = wal_bytes(tmp_path)
            for size in sizes * 100:
                commit = answered(run, size)
                payload += len(to_json(commit.entry))
                await store.commit(commit)
                run = commit.run
            per_turn.append((wal_bytes(tmp_path) - before) / 100)

        assert max(per_turn) < 12_000
        assert max(per_turn) < 1.1 * min(per_turn)
        await store.close()
        assert (tmp_path / "auteryn.db").stat().st_size < 1.4 * payload

    asyncio.run(main())


@pytest.mark.proves("L8")
def test_the_log_is_overwritten_however_long_the_run_is(tmp_path: Path) -> None:
    """It stays as long as the commits between two folds make it, and whoever reads meanwhile holds that up, not the commits."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path, synchronous="off")
        run = await store.create(newborn())

        async def folds(count: int) -> int:
            nonlocal run
            for _ in range(count * database.FOLD_COMMITS):
                await store.commit(commit := answered(run, 2_000))
                run = commit.run
            return wal_bytes(tmp_path)

        once = await folds(1)
        assert await folds(5) < 1.1 * once
        reader = sqlite3.connect(tmp_path / "auteryn.db", isolation_level=None)
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM journal").fetchone()
        assert await folds(3) > 2 * once
        assert reader.execute("SELECT count(*) FROM journal").fetchone() == seen
        reader.close()
        longest = await folds(1)
        assert await folds(5) == longest
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "alphabet", [string.ascii_letters + string.digits + " ", "the run waits for a person"], ids=["noise", "words"]
)
def test_a_waiting_run_takes_two_kilobytes(tmp_path: Path, alphabet: str) -> None:
    """Ten thousand of them, with inputs of 1.3 kB, take less than 20 MB, even if the inputs are noise."""
    count = 500

    async def main() -> None:
        store = SqliteStore.open(tmp_path, synchronous="off")
        for i in range(count):
            await park(store, "".join(random.Random(i).choices(alphabet, k=PAYLOAD)))
        await store.close()

    asyncio.run(main())
    assert (tmp_path / "auteryn.db").stat().st_size / count < 2_000


async def park(store: SqliteStore, text: str) -> Run:
    """A run whose first slice asked a person and left."""
    run = await store.create(newborn(text))
    await store.take_lease(run.id, holder=store.holder, now=NOON, until=NOON + MINUTE)
    ask = Ask(id=f"ask_{run.id}", run=run.id, message="May I?", opened_at=NOON, options=("Yes", "No"), call=f"call_{run.id}")
    wait = ForPerson(ask=ask.id, call=ask.call)
    left = change(
        run,
        e.SliceStarted(slice=1),
        e.CallSuspended(call=f"call_{run.id}", tool="request_approval", wait=wait),
        e.AskOpened(ask=ask),
        e.Left(why="waiting"),
        leave=True,
        wake_at=run.deadline_at,
    )
    await store.commit(left)
    return left.run


def test_finding_what_is_due_reads_no_run_that_is_not(tmp_path: Path) -> None:
    """Every query of `due` goes by a partial index that holds the candidates only."""

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await park(store, "one that waits")
        await store.send(run.id, Poke(id="p", sent_at=NOON))
        seen = statements(store)
        assert list(await store.due(NOON)) == [run.id]
        store.database.connection.set_trace_callback(None)

        plans = [row[3] for query in seen for row in store.database.rows(f"EXPLAIN QUERY PLAN {query}")]
        assert plans
        assert not [step for step in plans if step.startswith("SCAN") and step != "SCAN inbox USING INDEX unread"]
        await store.close()

    asyncio.run(main())
