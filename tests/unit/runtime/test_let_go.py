"""A process may make and close many worlds: none of them stays in memory."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from auteryn.runtime.host import Host
from auteryn.testing.clock import skipping
from auteryn.testing.world import World


def test_a_host_that_was_closed_is_let_go_of(tmp_path: Path) -> None:
    """Host, engine, ports and handlers know each other: only the collector can let go of them."""

    async def story() -> weakref.ref[Host]:
        async with World(tmp_path, model=["hello"]) as world:
            await world.ended(await world.start("Say hello"))
            return weakref.ref(world.host)

    host = skipping(story())
    gc.collect()

    assert host() is None
