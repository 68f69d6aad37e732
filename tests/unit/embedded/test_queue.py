"""What the SQLite queue does beyond the port's laws; time is virtual."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.queue import CLAIM, FIRST_RETRY, LONGEST_RETRY, SqliteQueue
from auteryn.testing.clock import SkippingClock, skipping

WEEK = timedelta(days=7)


def test_a_failing_wake_comes_back_ever_later_and_never_stops(tmp_path: Path) -> None:
    async def main() -> None:
        database, clock, seen, enough = Database(tmp_path), SkippingClock(), list[float](), asyncio.Event()
        queue = SqliteQueue(database, clock)

        async def fail(run: str) -> None:
            seen.append(clock.now().timestamp())
            if len(seen) == 10:
                enough.set()
            raise RuntimeError("still not")

        queue.on_wake(fail)
        await queue.start()
        await queue.enqueue("run_a", clock.now())
        await enough.wait()
        await queue.close()
        database.close()

        pauses = [round(later - earlier) for earlier, later in pairwise(seen)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    assert (timedelta(seconds=1), timedelta(seconds=60)) == (FIRST_RETRY, LONGEST_RETRY)
    skipping(main())


@pytest.mark.proves("P42")
def test_a_week_of_waiting_is_one_wake_at_its_time(tmp_path: Path) -> None:
    async def main() -> None:
        database, clock, woken = Database(tmp_path), SkippingClock(), asyncio.Event()
        queue, seen = SqliteQueue(database, clock), []

        async def wake(run: str) -> None:
            seen.append(clock.now())
            woken.set()

        queue.on_wake(wake)
        await queue.start()
        due = clock.now() + WEEK
        await queue.enqueue("run_a", due)
        await woken.wait()
        await clock.sleep(timedelta(minutes=1))

        assert len(seen) == 1
        assert due <= seen[0] <= due + timedelta(seconds=1)
        assert database.rows("SELECT * FROM wakes") == []  # nothing is left of what was delivered
        await queue.close()
        database.close()

    skipping(main())


def test_a_wake_for_now_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    async def main() -> None:
        database, clock, woken = Database(tmp_path), SkippingClock(), asyncio.Event()
        queue = SqliteQueue(database, clock)
        commits: list[str] = []

        async def wake(run: str) -> None:
            commits.extend(statement for statement in seen if statement == "COMMIT")
            woken.set()

        queue.on_wake(wake)
        await queue.start()
        seen: list[str] = []
        database.connection.set_trace_callback(seen.append)
        await queue.enqueue("run_a", clock.now())
        await woken.wait()

        assert commits == []
        await queue.close()
        database.close()

    skipping(main())


def test_two_processes_do_not_deliver_one_wake_twice(tmp_path: Path) -> None:
    async def main() -> None:
        clock, seen, all_seen = SkippingClock(), list[str](), asyncio.Event()

        async def wake(run: str) -> None:
            seen.append(run)
            if len(set(seen)) == 50:
                all_seen.set()

        opened = [Database(tmp_path), Database(tmp_path)]
        queues = [SqliteQueue(database, clock) for database in opened]
        for i in range(50):
            await queues[0].enqueue(f"run_{i}", clock.now())
        for queue in queues:
            queue.on_wake(wake)
            await queue.start()
        await all_seen.wait()
        await clock.sleep(CLAIM / 2)

        assert sorted(seen) == sorted(f"run_{i}" for i in range(50))
        for queue, database in zip(queues, opened, strict=True):
            await queue.close()
            database.close()

    skipping(main())


def test_a_handler_that_never_comes_back_does_not_keep_others_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        database, clock, woken = Database(tmp_path), SkippingClock(), asyncio.Event()
        queue = SqliteQueue(database, clock)

        async def wake(run: str) -> None:
            if run == "run_stuck":
                await asyncio.Event().wait()
            woken.set()

        queue.on_wake(wake)
        await queue.start()
        await queue.enqueue("run_stuck", clock.now())
        await clock.sleep(2 * CLAIM)
        await queue.enqueue("run_b", clock.now() + timedelta(hours=1))
        await woken.wait()
        await queue.close()
        database.close()

    skipping(main())


@pytest.mark.proves("L4")
def test_a_database_that_was_locked_for_long_ends_no_queue(tmp_path: Path) -> None:
    """Another process held it longer than patience lasts: the wake is delivered when it has let go."""

    async def main() -> None:
        database, clock, woken = Database(tmp_path, patience=timedelta(0)), SkippingClock(), asyncio.Event()
        queue = SqliteQueue(database, clock)

        async def wake(run: str) -> None:
            woken.set()

        queue.on_wake(wake)
        await queue.enqueue("run_a", clock.now() + timedelta(minutes=1))
        await queue.start()
        other = sqlite3.connect(database.file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await clock.sleep(timedelta(minutes=2))
        assert not woken.is_set()
        other.execute("ROLLBACK")
        other.close()
        await asyncio.wait_for(woken.wait(), 60)
        await queue.close()
        database.close()

    skipping(main())


@pytest.mark.parametrize("served", [True, False])
def test_a_wake_that_is_left_is_anothers_at_once_or_comes_again_later(tmp_path: Path, served: bool) -> None:
    async def main() -> None:
        clock, seen, over = SkippingClock(), list[tuple[str, float]](), asyncio.Event()
        began = clock.now()
        opened = [Database(tmp_path), Database(tmp_path)]
        leaving, other = (SqliteQueue(database, clock) for database in opened)

        async def leave(run: str) -> None:
            seen.append(("leaving", (clock.now() - began).total_seconds()))
            if len(seen) == 1:
                await leaving.leave(run, clock.now() + CLAIM)
            else:
                over.set()

        async def take(run: str) -> None:
            seen.append(("other", (clock.now() - began).total_seconds()))
            over.set()

        leaving.on_wake(leave)
        other.on_wake(take)
        await leaving.start()
        if served:
            await other.start()
        await leaving.enqueue("run_a", clock.now())
        await over.wait()
        await clock.sleep(2 * CLAIM)

        assert seen[0] == ("leaving", 0)
        assert [(who, round(at)) for who, at in seen[1:]] == ([("other", 0)] if served else [("leaving", 60)])
        assert opened[0].rows("SELECT * FROM wakes") == []
        for queue, database in zip((leaving, other), opened, strict=True):
            await queue.close()
            database.close()

    skipping(main())
