"""Firestore cannot be reached for minutes, with a slice in the middle of its work."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from msgspec.structs import replace

from auteryn.api.door import Door
from auteryn.policy.cloud import ALIVE_PATH, HEALTH_PATH
from auteryn.ports import Services
from auteryn.testing.emulators.clock import JumpingClock
from auteryn.testing.laws import broken_laws, mails
from auteryn.testing.scenarios import TOOLS
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from unit.gcp.rooms import Room, room

PATIENCE = timedelta(seconds=0.5)
METHODS = ("Commit", "BatchGetDocuments", "RunQuery", "Listen")


@pytest.mark.proves("F32", "L2", "L6")
def test_without_the_store_no_effect_happens_and_afterwards_the_work_goes_on(tmp_path: Path, firestore_emulator: str) -> None:
    """The slice cannot write its intent, so it does not act; when the lease has run out and the store is back, the next one
    acts once."""

    async def story(there: Room) -> None:
        down = asyncio.Event()

        def script(ask: Ask) -> Line:
            match ask.turn:
                case 0:
                    return call("mail", to="ann@example.org")
                case 1:
                    if not down.is_set():
                        for method in METHODS:
                            there.network.refuse(method, times=1_000_000)
                        down.set()
                    return call("mail", to="bob@example.org")
                case _:
                    return "both were written to"

        left = list[Any]()

        def around(services: Services) -> Services:
            left.append(services.store)
            return replace(services, store=there.store)

        clock = JumpingClock()
        async with World(
            tmp_path / "home",
            model=script,
            tools=TOOLS,
            clock=cast("Any", clock),
            around=around,
            sweep_every=timedelta(hours=9),
        ) as world:
            run = await world.start("Write to both")
            await asyncio.wait_for(down.wait(), 30)
            async with asyncio.timeout(60):
                while world.host.engine.live:  # noqa: ASYNC110 - the slice gives up by itself
                    await asyncio.sleep(0.02)
            assert len(mails(world.home)) == 1
            browser = httpx2.AsyncClient(transport=httpx2.ASGITransport(Door(world.host.engine)), base_url="http://door")
            async with browser:  # whoever restarts processes is told that nothing is wrong with this one
                assert (await browser.get(ALIVE_PATH)).status_code == 200
                assert (await browser.get(HEALTH_PATH)).status_code == 503

            there.network.faults.heal()
            world.host.sweep_every = timedelta(seconds=1)
            clock.jump(timedelta(hours=10))
            async with asyncio.timeout(60):
                ended = await world.ended(run)
            assert ended.result == "both were written to"
            assert [line.split()[-1] for line in mails(world.home)] == ["ann@example.org", "bob@example.org"]
            assert await broken_laws(world, run) == []
        await left[0].close()

    async def main() -> None:
        async with room(tmp_path, patience=PATIENCE) as there:
            await asyncio.wait_for(story(there), 120)

    asyncio.run(main())
