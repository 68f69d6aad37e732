"""Many at once, and one for a week."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from auteryn.runtime.due import wake_at
from auteryn.schema.event import ModelAnswered
from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.laws import broken_laws
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.time import wait
from emulators.local import Rig, Threaded
from emulators.second_home import Cloud, OpenCloud

HANG = 600
SLICES = 84
"""Of two hours each: seven days."""
LOOK = timedelta(milliseconds=50)
"""How long a commit is awaited before the queue is looked at again."""


@pytest.mark.proves("P31", "P42", "F19")
def test_twenty_steps_work_in_twenty_processes(local_cloud: Threaded) -> None:
    async def story(rig: Rig) -> None:
        def script(ask: Any) -> Any:
            if "Look at" not in ask.task.splitlines()[0]:
                return "compared"
            return "looked" if ask.results else call("note_write", section="findings", text=ask.task[:40])

        mark = rig.script(script)
        steps = [{"description": f"{mark} Look at competitor {number}"} for number in range(20)]
        run = await rig.create(input=f"{mark} Compare", mode="deep", steps=steps)
        ended = await rig.ended(run)
        await rig.quiet([run])
        tree = await rig.tree(run)

        assert ended["result"] == "compared"
        assert [one.status for one in tree] == ["completed"] * 21
        workers = {
            e.host
            for one in tree[1:]
            for entry in await rig.store.journal(one.id)
            for e in entry.events
            if type(e).__name__ == "SliceStarted"
        }
        assert len(workers) == 20
        assert tree[0].usage.llm_calls == sum(one.usage.llm_calls for one in tree[1:]) + 1

    local_cloud.do(story(local_cloud.rig))


@pytest.mark.proves("P2")
def test_fifty_runs_at_once_all_come_to_their_end(local_cloud: Threaded) -> None:
    """Half of them are worked on by the API's own process, half by jobs."""

    async def story(rig: Rig) -> None:
        mark = rig.script(lambda _: "done")
        modes = ["fast", "deep"] * 25
        runs = await asyncio.gather(*(rig.create(input=f"{mark} Number {n}", mode=mode) for n, mode in enumerate(modes)))
        ended = await asyncio.gather(*map(rig.ended, runs))
        await rig.quiet(runs)

        assert Counter(one["result"] for one in ended) == {"done": 50}
        for run in runs:
            assert (await rig.outline(run)).count("RunCompleted") == 1
        assert {bool(rig.executions_of(run)) for run, mode in zip(runs, modes, strict=True) if mode == "fast"} == {False}

    local_cloud.do(story(local_cloud.rig))


@asynccontextmanager
async def week(folder: Path, second_home: OpenCloud, model: Any) -> AsyncGenerator[tuple[World, Cloud]]:
    clock = JumpingClock()
    async with second_home(clock) as there:
        seldom = timedelta(days=30)  # a sweep at the very moment of a wake starts a second slice, which ends at once
        moved = cast("Any", clock)
        async with World(folder, model=model, tools=[wait], clock=moved, around=there.around, sweep_every=seldom) as world:
            yield world, there


@pytest.mark.proves("P19", "P50", "P51", "L4")
def test_a_run_of_seven_days_in_84_slices(tmp_path: Path, second_home: OpenCloud) -> None:
    """Every two hours a wake, a slice, a commit or two; nothing is alive in between."""

    async def story() -> None:
        def script(ask: Any) -> Any:
            return call("wait", until="2h", reason="the next look") if ask.turn < SLICES - 1 else "a week has passed"

        async with week(tmp_path, second_home, script) as (world, there):
            began = world.now()
            run = await world.start("Watch for a week", max_duration=timedelta(days=7))
            watch = world.services.bus.watch(run)
            while not (found := await world.run(run)).terminal:
                at = wake_at(found) if found.status == "waiting" else None
                queue = there.tasks.tasks(there.wakes)
                if at is None or at <= world.now() or at > queue[-1].at:  # at work, or about to be, or leaving
                    await watch.next(LOOK)  # a commit is told at once
                    continue
                # No further than the next task: a watchdog rings an hour and 59 minutes before the wake, not together with it.
                world.clock.jump(max(queue[0].at - world.now(), timedelta()))  # pyright: ignore[reportAttributeAccessIssue]
                await there.tasks.settled(there.wakes)
            watch.close()

            assert found.result == "a week has passed"
            assert found.slice == SLICES
            turns = Counter(
                entry.slice for entry in await world.journal(run) for event in entry.events if isinstance(event, ModelAnswered)
            )
            assert turns == dict.fromkeys(range(1, SLICES + 1), 1)
            assert timedelta(days=6.9) < world.now() - began <= timedelta(days=7)
            assert found.usage.llm_calls == SLICES
            assert await broken_laws(world, run) == []

    asyncio.run(asyncio.wait_for(story(), HANG))
