"""Many steps at once, one join."""

from __future__ import annotations

from pathlib import Path

import pytest

from auteryn.schema import event as e
from auteryn.schema.plan import StepDraft
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line
from auteryn.testing.world import World


@pytest.mark.proves("P50", "P51", "F16", "F19")
@pytest.mark.parametrize("width", [100, 1_000])
def test_a_wide_plan_runs_each_step_once_and_joins_once(tmp_path: Path, width: int) -> None:
    def script(ask: Ask) -> Line:
        return f"{given(ask)} done"

    async def story() -> None:
        plan = [StepDraft(description=f"part {n}") for n in range(1, width + 1)]
        plan.append(StepDraft(description="join", depends_on=tuple(range(1, width + 1))))
        async with World(tmp_path, model=script) as world:
            run = await world.start("Plan", plan=plan)
            ended = await world.ended(run)
            assert ended.status == "completed" and ended.plan and ended.plan.done == width + 1
            assert world.model.calls == width + 2  # type: ignore[attr-defined]
            starts = [s.step for event in await world.events(run) if isinstance(event, e.StepsStarted) for s in event.steps]
            ends = [s.step for event in await world.events(run) if isinstance(event, e.StepsEnded) for s in event.steps]
            assert sorted(starts) == sorted(ends) == list(range(1, width + 2))
            assert ended.seq < 60 + width / 4

    skipping(story())
