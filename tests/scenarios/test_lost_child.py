"""A step whose stored form is damaged has failed, and the whole goes on by its join."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.runtime.dispatch import SWEPT
from auteryn.schema.plan import StepDraft
from auteryn.schema.run import Run
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.time import schedule, wait


def script(ask: Ask) -> Line:
    match given(ask):
        case "sleep":
            return "slept" if ask.turn else call("wait", until="6h")
        case "tick":
            return "ticked" if ask.turn else call("wait", until="1h")
        case "Watch":
            return "watched" if ask.turn else call("schedule", every="6h", until="12h", instruction="tick")
        case "join":
            return "joined"
        case _:
            return "over"


def damage(world: World, run: str, rows: str = "1") -> None:
    """Every entry of the run, or those `rows` picks, becomes what nobody can read."""
    database: Any = world.services.store.database  # type: ignore[attr-defined]
    (number,) = database.row("SELECT n FROM runs WHERE id=?", (run,))
    condition = f"key >> 24 = {number} AND {rows}"
    database.connection.execute(f"UPDATE journal SET body=X'626164' WHERE {condition}")


async def child_of(world: World, run: str) -> Run:
    await world.waiting(run)
    while not (found := [one for one in await world.tree(run) if one.parent and one.status == "waiting"]):
        await world.after(timedelta(minutes=1))
    return found[0]


@pytest.mark.proves("F29", "L11")
@pytest.mark.parametrize("rows", ["1", "key & 16777215 = 3"], ids=["all of it", "one entry"])
def test_the_parent_of_an_unreadable_step_goes_on_by_its_join(tmp_path: Path, rows: str) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            plan = [StepDraft(description="sleep"), StepDraft(description="join", depends_on=(1,), join="best_effort")]
            run = await world.start("Plan", plan=plan)
            child = await child_of(world, run)
            await world.close()
            await world.open(hosting=False)
            damage(world, child.id, rows)
            await world.close()
            await world.open()

            ended = await world.ended(run)
            assert ended.plan and [step.status for step in ended.plan.steps] == ["failed", "completed"]
            assert "corrupt" in (ended.plan.steps[0].error or "")
            assert ended.status == "completed" and ended.result == "over"
            assert ended.ended_at and ended.ended_at - START < timedelta(hours=7)  # not at the deadline, a week later

    skipping(story())


@pytest.mark.proves("F29")
def test_the_schedule_of_an_unreadable_tick_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait, schedule]) as world:
            run = await world.start("Watch")
            child = await child_of(world, run)
            damage(world, child.id)
            ended = await world.ended(run)
            assert ended.status == "completed"
            assert [(one.ended, one.failed) for one in ended.schedules] == [(2, 1)]

    skipping(story())


@pytest.mark.proves("F28", "F29")
def test_an_unreadable_root_is_looked_at_less_and_less_often_and_goes_on_once_it_can_be_read(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=script, tools=[wait]) as world:
            run, well = await world.start("sleep"), await world.start("sleep")
            await world.waiting(run)
            database: Any = world.services.store.database  # type: ignore[attr-defined]
            before = database.rows("SELECT key, body FROM journal")
            damage(world, run)
            await world.reopen()  # the process before remembers the run as it was
            await world.after(timedelta(hours=24))
            assert (await world.run(well)).result == "slept"
            swept = await world.services.store.doc(SWEPT, run)
            assert swept and 18 <= swept.body["times"] <= 30
            database = world.services.store.database  # type: ignore[attr-defined]
            database.connection.executemany("UPDATE journal SET body=? WHERE key=?", [(body, key) for key, body in before])

            assert (await world.ended(run)).result == "slept", (await world.run(run)).failure
            assert world.now() - START <= timedelta(hours=25, minutes=1)

    skipping(story())
