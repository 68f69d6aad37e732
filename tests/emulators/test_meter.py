"""The figures of `shared/docs/scale.md` rest on a meter; it counts what Firestore is really sent."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1.async_batch import AsyncWriteBatch
from msgspec.structs import replace

from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.ports import Services
from auteryn.testing.scenarios import SCENARIOS
from auteryn.testing.world import World
from bench.meter import Meter

ROOT = Path(__file__).resolve().parents[2]
HANG = 60


@pytest.mark.parametrize("name", ["plan", "once"])
def test_the_meter_counts_the_documents_that_are_written(
    name: str, tmp_path: Path, project: str, firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    written = list[int]()
    commit: Any = AsyncWriteBatch.commit

    async def counted(batch: Any, *args: Any, **how: Any) -> Any:
        written.append(len(batch))
        return await commit(batch, *args, **how)

    monkeypatch.setattr(AsyncWriteBatch, "commit", counted)
    meter, scenario = Meter(lambda _: timedelta()), SCENARIOS[name]
    stores = list[Any]()

    def around(services: Services) -> Services:
        stores.extend([services.store, FirestoreStore.open(project, services.blobs)])
        return meter.around(replace(services, store=stores[1]))

    async def story() -> None:
        async with World(
            tmp_path / "home",
            model=scenario.model(),
            tools=scenario.tools,
            real_time=True,
            around=around,
            sweep_every=timedelta(days=1),
        ) as world:
            await scenario.play(world)
        await stores[0].close()

    asyncio.run(asyncio.wait_for(story(), HANG))
    assert meter.total().writes == sum(written) > 10


def test_the_first_table_of_scale_md_is_what_is_metered_today() -> None:
    """A change that costs a write or a read more for a run is seen, and said."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "bench" / "scale.py"), "--stories"], capture_output=True, text=True, check=True
    )

    assert ran.stdout.count("\n") == 6
    assert ran.stdout in (ROOT / "shared" / "docs" / "scale.md").read_text(encoding="utf-8")
