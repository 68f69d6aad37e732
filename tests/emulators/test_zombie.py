"""A slice that was frozen and comes back, as a real process on Firestore: it writes nothing more."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.clock import SystemClock
from auteryn.adapters.gcp.jobs import CloudRunJobs
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.testing.emulators.executions import CloudRunJobs as Service
from auteryn.testing.emulators.executions import Execution, Job
from conformance.samples import newborn

HANG = 60
JOB = "projects/p/locations/here/jobs/slice"
LOST = 7

SLICE = """
import asyncio, os, pathlib, sys
from datetime import UTC, datetime, timedelta
from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import Conflict
from auteryn.schema.change import Change
from auteryn.schema.event import Entry, Logged
from auteryn.schema.fold import after
from auteryn.schema.record import new_id

async def main():
    folder, run_id, me = pathlib.Path(os.environ["FOLDER"]), os.environ["AUTERYN_RUN"], os.environ["CLOUD_RUN_EXECUTION"]
    store = FirestoreStore.open(os.environ["PROJECT"], FolderBlobs(folder / "blobs"))
    now = datetime.now(UTC)
    lease = await store.take_lease(run_id, holder=me, now=now, until=now + timedelta(seconds=0.3))
    assert lease
    run = await store.get(run_id)
    for _ in range(5 if lease.number == 2 else 100_000):
        fact = Logged(level="info", message=me)
        entry = Entry(seq=run.seq + 1, at=now, slice=lease.number, commit=new_id("c"), events=(fact,))
        run = after(run, entry)
        try:
            await store.commit(Change(run=run, entry=entry, summary=False))
        except Conflict:
            sys.exit(7)
        (folder / me).write_text(str(run.seq))

asyncio.run(main())
"""


@pytest.mark.proves("F10", "L1", "L4")
def test_a_frozen_slice_that_comes_back_is_refused_at_its_first_write(
    tmp_path: Path, project: str, firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ends, the next slice works, and of the first one nothing follows."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)

    async def story() -> None:
        store, clock = FirestoreStore.open(project, FolderBlobs(tmp_path / "blobs")), SystemClock()
        run = await store.create(newborn(wake_at=None))
        async with Service(clock) as service:
            service.add_job(JOB, Job([sys.executable, "-c", SLICE], {"FOLDER": str(tmp_path), "PROJECT": project}))
            jobs = CloudRunJobs(JOB, host=service.host)
            await jobs.start(run.id)
            (zombie,) = service.executions.values()
            while not has_written(tmp_path, zombie):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)

            service.freeze(zombie)
            while run.id not in await store.due(datetime.now(UTC)):  # noqa: ASYNC110 - time has no event
                await asyncio.sleep(0.02)
            await jobs.start(run.id)
            await service.ended()
            service.thaw(zombie)
            await service.ended(2)

            assert {one.name: (one.state, one.code) for one in service.executions.values()} == {
                zombie.name: ("failed", LOST),
                **{one.name: ("succeeded", 0) for one in others(service, zombie)},
            }
            await jobs.close()
        slices = [entry.slice for entry in await store.journal(run.id)]
        assert slices == sorted(slices)
        assert slices.count(2) == 5
        assert (await store.get(run.id)).seq == len(slices)
        await store.close()

    asyncio.run(asyncio.wait_for(story(), HANG))


def has_written(folder: Path, execution: Execution) -> bool:
    return (folder / execution.name.rpartition("/")[2]).exists()


def others(service: Service, this: Execution) -> list[Execution]:
    return [one for one in service.executions.values() if one is not this]
