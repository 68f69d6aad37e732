"""Ten thousand runs that wait cost a folder and nothing else."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.agent.mind import Mind
from auteryn.runtime.children import birth
from auteryn.runtime.slice import Slice
from auteryn.schema.change import Newborn
from auteryn.schema.record import derived_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Input, Limits, Run
from auteryn.testing.clock import START, skipping
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.human import ask_approval

MANY = 10_000
WEEK = timedelta(days=7)


def parked(number: int) -> Newborn:
    """A run whose first slice is due in some days."""
    run = Run(
        id=derived_id("run", "parked", number),
        title="parked",
        mode="deep",
        routing=Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason=""),
        created_at=START + timedelta(days=2, seconds=number),
        deadline_at=START + WEEK,
        limits=Limits(llm_calls=10),
    )
    return replace(birth(run, Input(text="Wait"), START), wake_at=run.created_at)


@pytest.mark.proves("P65", "L4")
def test_ten_thousand_parked_runs_keep_no_task_and_waking_one_works(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=["awake"]) as world:
            alone = len(asyncio.all_tasks())
            store = world.services.store
            for start in range(0, MANY, 1_000):
                await asyncio.gather(*(store.create(parked(number)) for number in range(start, start + 1_000)))
            await world.after(timedelta(minutes=5))
            assert len(asyncio.all_tasks()) <= alone + 1
            assert not world.host.engine.live and world.model.calls == 0  # type: ignore[attr-defined]
            one = derived_id("run", "parked", 5_000)
            await world.say(one, "wake up")
            assert (await world.ended(one, timedelta(minutes=1))).result == "awake"
            assert world.model.calls == 1  # type: ignore[attr-defined]
            await world.reopen()
            assert not world.host.engine.live and world.model.calls == 1  # type: ignore[attr-defined]

    skipping(story())


@pytest.mark.proves("P65")
def test_nothing_is_left_of_a_slice_whose_run_waits(tmp_path: Path) -> None:
    """Not even until memory is tidied: ten thousand of them would be in it at once."""

    async def story() -> None:
        script = [call("ask_approval", message="Go on?", options=["yes", "no"]), "done"]
        async with World(tmp_path, model=script, tools=[ask_approval]) as world:
            gc.collect()
            gc.disable()
            try:
                for number in range(20):
                    await world.asked(await world.start(f"Ask {number}"))
                await world.after(timedelta(seconds=1))
                left = [one for one in gc.get_objects() if isinstance(one, Slice | Mind)]
                assert left == []
            finally:
                gc.enable()

    skipping(story())
