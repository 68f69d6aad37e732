"""Several processes on one folder, and what one that is killed leaves behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.adapters.embedded.alive import Alive
from auteryn.adapters.embedded.bus import LocalBus
from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.embedded.elsewhere import News
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.errors import Conflict
from conformance.samples import NOON, change, newborn
from unit.embedded.children import child, line

LATER = NOON + timedelta(hours=1)

WORKER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from auteryn.adapters.embedded.store import SqliteStore
from conformance.samples import NOON, change

async def main(home, run_id):
    store = SqliteStore.open(Path(home))
    assert await store.take_lease(run_id, holder=store.holder, now=NOON, until=NOON + timedelta(hours=1))
    run = await store.get(run_id)
    while True:
        commit = change(run, summary=run.seq % 16 == 0)
        await store.commit(commit)
        run = commit.run
        print(run.seq, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.proves("P31", "F9", "L4")
def test_a_killed_process_loses_no_commit_and_its_lease_ends_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        with child(WORKER, tmp_path, run.id) as worker:
            while int(line(worker)) < 50:
                pass
            assert list(await store.due(NOON)) == []
            assert await store.take_lease(run.id, holder="next", now=NOON, until=LATER) is None

            worker.send_signal(signal.SIGKILL)
            told = worker.communicate()[0].split()

        last = int(told[-1]) if told else 50
        assert (await store.get(run.id)).seq >= last
        assert [entry.seq for entry in await store.journal(run.id)][:last] == list(range(1, last + 1))
        assert list(await store.due(NOON)) == [run.id]
        dead = await store.lease(run.id)
        assert dead and dead.until < NOON
        assert await store.take_lease(run.id, holder="next", now=NOON, until=LATER)
        await store.close()

    asyncio.run(main())


def test_what_dead_processes_left_is_cleared_away(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        with child(WORKER, tmp_path, run.id) as worker:
            line(worker)
            assert len(list((tmp_path / "alive").iterdir())) == 2
            worker.kill()
            worker.wait()
            second = SqliteStore.open(tmp_path)
            assert {path.name for path in (tmp_path / "alive").iterdir()} == {store.holder, second.holder}
            await second.close()
        await store.close()
        assert list((tmp_path / "alive").iterdir()) == []

    asyncio.run(main())


def test_two_who_look_at_a_dead_process_at_once_both_see_that_it_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one of them takes its lease for a live one, and waits for its end."""
    here, there, dead = Alive(tmp_path), Alive(tmp_path), Alive(tmp_path)
    os.close(dead._lock)
    seen, flock = list[bool](), fcntl.flock

    def and_the_other(handle: int, how: int) -> None:
        flock(handle, how)
        if not seen:
            seen.append(True)
            seen.append(there.lives(dead.token))

    monkeypatch.setattr(fcntl, "flock", and_the_other)
    assert (here.lives(dead.token), seen[1:]) == (False, [False])
    assert (here.lives(there.token), there.lives(here.token)) == (True, True)
    here.close()
    there.close()


FORKING = """
import os, sys
from pathlib import Path
from auteryn.adapters.embedded.alive import Alive

alive = Alive(Path(sys.argv[1]))
if os.fork() == 0:
    print(alive.token, flush=True)
    os.read(int(sys.argv[2]), 1)
    os._exit(0)
os.wait()
"""


def test_a_killed_process_is_dead_though_a_child_it_forked_lives_on(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with child(FORKING, tmp_path, reading, pass_fds=(reading,)) as parent:
        token = line(parent)
        here = Alive(tmp_path)
        assert here.lives(token)

        parent.kill()
        parent.wait()

        assert not here.lives(token)
        here.close()
        os.close(writing)
        os.close(reading)


def test_a_process_is_never_seen_unlocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while it makes its sign of life: whoever comes then would take it for dead."""
    here, seen, flock = Alive(tmp_path), list[str](), fcntl.flock

    def looked_at(handle: int, how: int) -> None:
        seen.extend(path.name for path in (tmp_path / "alive").glob("proc_*"))
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", looked_at)
    handle = here._hold()
    assert seen == [here.token]
    os.close(handle)
    here.close()


OPENER = """
import asyncio, sys
from pathlib import Path
from auteryn.adapters.embedded.store import SqliteStore
from conformance.samples import newborn

async def main(home):
    store = SqliteStore.open(Path(home))
    print((await store.create(newborn())).id, flush=True)
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


def test_several_first_openers_of_one_folder_make_one_database(tmp_path: Path) -> None:
    with child(OPENER, tmp_path) as a, child(OPENER, tmp_path) as b, child(OPENER, tmp_path) as c:
        made = {line(one) for one in (a, b, c)}

    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        assert {run.id for run in (await store.runs()).runs} == made
        await store.close()

    assert len(made) == 3
    asyncio.run(main())


SPEAKER = """
import asyncio, sys
from pathlib import Path
from auteryn.adapters.embedded.bus import LocalBus
from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.embedded.elsewhere import News
from auteryn.adapters.embedded.database import Database
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.schema.message import Delta

async def main(home):
    database = Database(Path(home))
    clock = SystemClock()
    LocalBus(database).delta("run_root", "run_step", Delta(kind="thought", text="hm"))
    await SqliteQueue(database, clock).enqueue("run_step", clock.now())
    database.close()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.proves("L12")
def test_another_process_is_heard_without_polling(tmp_path: Path) -> None:
    """Its wakes are delivered, and what its slices stream arrives here."""

    async def main() -> None:
        store, woken = SqliteStore.open(tmp_path), asyncio.Event()
        queue, bus = SqliteQueue(store.database, SystemClock()), LocalBus(store.database)

        async def wake(run: str) -> None:
            woken.set()

        queue.on_wake(wake)
        await queue.start()
        watch = bus.watch("run_root")
        with child(SPEAKER, tmp_path):
            assert await watch.next(timedelta(seconds=20))
            await asyncio.wait_for(woken.wait(), 20)

        assert [(run, delta.text) for run, delta in watch.deltas()] == [("run_step", "hm")]
        await queue.close()
        await bus.close()
        await store.close()

    asyncio.run(main())


def test_whoever_cannot_keep_up_hears_that_it_missed_something(tmp_path: Path) -> None:
    """An ear holds few news, ten on many machines: a wake that found it full is delivered all the same."""

    async def main() -> None:
        here, there = SqliteStore.open(tmp_path), SqliteStore.open(tmp_path)
        queue, woken, clock = SqliteQueue(here.database, SystemClock()), asyncio.Queue[str](), SystemClock()
        queue.on_wake(woken.put)
        await queue.start()
        await SqliteQueue(there.database, clock).enqueue("run_first", clock.now())
        assert await asyncio.wait_for(woken.get(), 20) == "run_first"  # from here on it only listens

        for number in range(2_000):  # before this loop comes to hear one of them
            LocalBus(there.database).tell("run_root", "run_root", number)
        there.database.connection.execute("INSERT INTO wakes (run, at) VALUES ('run_a', 0)")
        there.database.elsewhere.say(News(topic="wakes"))
        assert await asyncio.wait_for(woken.get(), 20) == "run_a"
        await queue.close()
        await here.close()
        await there.close()

    asyncio.run(main())


LISTENER = """
import asyncio, sys
from pathlib import Path
from auteryn.adapters.embedded.bus import LocalBus
from auteryn.adapters.embedded.database import Database

async def main(home):
    LocalBus(Database(Path(home))).watch("run_root")
    print("listening", flush=True)
    await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


def test_a_listener_that_was_killed_is_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore.open(tmp_path)
        with child(LISTENER, tmp_path) as listener:
            assert line(listener) == "listening"
            assert len(list((tmp_path / "ears").iterdir())) == 1
            listener.kill()
            listener.wait()

            LocalBus(store.database).tell("run_root", "run_root", 2)

        assert list((tmp_path / "ears").iterdir()) == []
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("depth", [0, 12])
def test_a_folder_with_a_very_long_name_has_ears_too(tmp_path: Path, depth: int) -> None:
    """Names of sockets are short; the folder's may be long."""
    home = tmp_path.joinpath(*["a-rather-long-folder-name"] * depth)

    async def main() -> None:
        here, there = SqliteStore.open(home), SqliteStore.open(home)
        watch = LocalBus(here.database).watch("run_root")
        assert [path.is_socket() for path in (home / "ears").iterdir()] == [True]
        LocalBus(there.database).tell("run_root", "run_root", 2)
        assert await watch.next(timedelta(seconds=20))
        await here.close()
        await there.close()

    asyncio.run(main())


def test_without_sockets_the_change_number_is_polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none: news come a little later and say less."""
    monkeypatch.setattr("auteryn.adapters.embedded.elsewhere.LONGEST_SOCKET_NAME", 10_000)
    home = tmp_path.joinpath(*["a-rather-long-folder-name"] * 12)

    async def main() -> None:
        here, there = SqliteStore.open(home), SqliteStore.open(home)
        watch = LocalBus(here.database).watch("run_root")
        assert list((home / "ears").iterdir()) == []
        waiting = asyncio.create_task(watch.next(timedelta(seconds=20)))
        await asyncio.sleep(0)
        await there.create(newborn())
        assert await waiting is True
        await here.close()
        await there.close()

    asyncio.run(main())


@pytest.mark.proves("L1")
def test_a_commit_to_a_run_that_was_erased_elsewhere_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        store, elsewhere = SqliteStore.open(tmp_path), SqliteStore.open(tmp_path)
        run = await store.create(newborn())
        await elsewhere.get(run.id)
        await store.erase(run.id)
        await store.create(newborn())
        with pytest.raises(Conflict, match="was erased"):
            await elsewhere.commit(change(run))
        await store.close()
        await elsewhere.close()

    asyncio.run(story())
