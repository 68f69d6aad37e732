"""Erasing while others are at work, and what a crash leaves of it. Every slice has a folder of its own, as in the cloud."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from auteryn.errors import Unavailable, WrongState
from auteryn.ports import Services
from auteryn.runtime.stored_files import StoredFiles
from auteryn.schema.files import KIND
from auteryn.schema.message import Image
from auteryn.service.desk import Desk
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import given
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.time import wait
from auteryn.tools.tool import Result, ToolContext, tool
from scenarios.test_meanwhile import Meanwhile

TOOLS = [artifact_publish, file_write, wait]
SAME = b"the same"


def script(ask: Ask) -> Line:
    late = given(ask) == "later"
    lines: list[Line] = [call("file_write", path="a.txt", content=SAME.decode()), call("artifact_publish", path="a.txt")]
    return [*([call("wait", until="1h")] if late else []), *lines, *([call("wait", until="9h")] if late else []), "done"][
        ask.turn
    ]


def alone(world: World, folder: Path) -> None:
    """As in the cloud."""
    engine = world.host.engine
    engine.files = StoredFiles(folder, engine.services.store, engine.services.blobs, tree_bytes=1 << 20)


@pytest.mark.proves("P37")
def test_what_a_run_at_work_has_published_since_it_was_looked_at_stays(tmp_path: Path) -> None:
    """To look at every run there is may take minutes."""

    async def told() -> None:
        store = Meanwhile()
        async with World(tmp_path, model=script, tools=TOOLS, around=store.around) as world:
            alone(world, tmp_path / "machine")
            one, two = (await world.ended(await world.start("now"))).id, await world.start("later")
            await world.waiting(two)

            async def goes_on() -> None:
                await world.after(timedelta(hours=2))

            store.once("docs", goes_on, when=lambda kind, scope: (kind, scope) == (KIND, two))
            erased = await Desk(world.host.engine).erase(one)
            assert (erased.blobs, erased.shared_blobs, erased.leftovers) == (0, 1, ())
            assert (await world.ended(two)).status == "completed"
            assert await Desk(world.host.engine).artifact(two, "a.txt") == SAME

    skipping(told())


@tool(effect="read")
async def look(ctx: ToolContext) -> Result:
    """Look at something."""
    picture = Image(sha256=await ctx.blobs.put(SAME), media_type="image/png", name="a.png")
    return Result(output="seen", images=(picture,))


@pytest.mark.proves("P37")
def test_pictures_that_were_looked_at_go_and_who_looks_at_the_same_ones_goes_on(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        return [call("look"), *([call("wait", until="9h")] if given(ask) == "later" else []), "done"][ask.turn]

    async def told() -> None:
        async with World(tmp_path, model=script, tools=[look, wait]) as world:
            one, two = (await world.ended(await world.start("now"))).id, await world.start("later")
            await world.waiting(two)
            assert await world.services.blobs.has(sha256(SAME).hexdigest())
            erased = await Desk(world.host.engine).erase(one)
            assert (erased.blobs, erased.leftovers) == (1, ())
            assert not await world.services.blobs.has(sha256(SAME).hexdigest())
            assert (await world.ended(two)).status == "completed"

    skipping(told())


@pytest.mark.proves("F30")
def test_what_a_crash_left_of_a_runs_files_goes_when_it_is_erased_again(tmp_path: Path) -> None:
    async def told() -> None:
        blobs = Meanwhile()

        def around(services: Services) -> Services:
            blobs.inner = services.blobs
            return replace(services, blobs=blobs)  # pyright: ignore[reportArgumentType]

        async with World(
            tmp_path, model=[call("file_write", path="a.txt", content=SAME.decode()), "done"], tools=TOOLS, around=around
        ) as world:
            alone(world, tmp_path / "machine")
            run = (await world.ended(await world.start("Write"))).id

            async def dies() -> None:
                raise Unavailable("the bucket does not answer")

            assert await blobs.inner.has(sha256(SAME).hexdigest())
            blobs.once("delete", dies, first=True)
            with pytest.raises(Unavailable):
                await Desk(world.host.engine).erase(run)
            erased = await Desk(world.host.engine).erase(run)
            assert (erased.blobs, erased.leftovers) == (1, ())
            assert not await blobs.inner.has(sha256(SAME).hexdigest())

    skipping(told())


@pytest.mark.proves("L10", "L15")
@pytest.mark.parametrize("seconds", [3, 50])
def test_a_run_is_erased_when_what_was_at_work_below_it_has_stopped_and_not_before(tmp_path: Path, seconds: int) -> None:
    @tool(effect="once", timeout=timedelta(hours=2))
    async def work(ctx: ToolContext) -> str:
        """It hears that it is to stop, and takes its time."""
        try:
            await ctx.clock.sleep(timedelta(hours=1))
        finally:
            await asyncio.shield(ctx.clock.sleep(timedelta(seconds=seconds)))
        return ""

    async def story() -> None:
        async with World(tmp_path, model=lambda ask: call("work"), tools=[work]) as world:
            desk = Desk(world.host.engine)
            run = await world.start("Work side by side", plan=["one", "two"])
            await world.after(timedelta(minutes=1))
            await world.cancel(run)
            await world.ended(run)
            assert len(world.host.engine.live) == 2
            if seconds > 15:
                with pytest.raises(WrongState, match="erase it again"):
                    await desk.erase(run)
                await world.after(timedelta(seconds=seconds))
            erased = await desk.erase(run)
            assert (len(erased.runs), erased.leftovers, world.host.engine.live) == (3, (), {})

    skipping(story())
