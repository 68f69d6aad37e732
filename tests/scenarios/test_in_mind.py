"""What a slice has in mind is what the next one would read: whatever steers a run comes from its journal."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import cast

import pytest

from auteryn.agent.thread import Thread
from auteryn.ports import Store
from auteryn.runtime.engine import Engine
from auteryn.runtime.memory import remembered
from auteryn.runtime.slice import Slice
from auteryn.schema import event as e
from auteryn.schema.run import Run
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import Scenario
from auteryn.testing.world import World
from scenarios.stories import STORIES


class Looking:
    """Sees after every commit what the slice has in mind."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.seen = engine, list[tuple[Run, Thread]]()

    def committed(self, before: Run, run: Run, entry: e.Entry) -> None:
        if live := self.engine.live.get(run.id):
            self.seen.append((run, deepcopy(cast("Slice", live).mind.thread)))

    def trace(self, root: str) -> str:
        return ""

    async def close(self) -> None:
        pass


class Past:
    """A journal as it was at an entry."""

    def __init__(self, entries: Sequence[e.Entry]) -> None:
        self.entries = entries

    async def journal(self, run: str, *, after: int = 0, limit: int | None = None) -> Sequence[e.Entry]:
        return self.entries[after:][:limit]


@pytest.mark.proves("P31", "P38", "L2", "L8")
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_a_crash_after_any_commit_changes_nothing_of_what_a_run_has_in_mind(tmp_path: Path, story: Scenario) -> None:
    async def told() -> None:
        async with World(tmp_path, model=story.model(), tools=story.tools, **story.settings) as world:
            world.host.engine.observer = looking = Looking(world.host.engine)
            await story.play(world)
            assert looking.seen
            for run, thread in looking.seen:
                entries = (await world.journal(run.id))[: run.seq]
                read = await remembered(cast("Store", Past(entries)), run)
                differ = [name for name in Thread.__struct_fields__ if getattr(read, name) != getattr(thread, name)]
                assert differ == [], f"after {[type(event).__name__ for event in entries[-1].events]} of {run.id}"

    skipping(told())
