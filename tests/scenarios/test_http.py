"""A real server on a real socket: streams that are cut off, servers that are restarted, clients that do not read."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import httpx2
import pytest

from auteryn.api.door import Door
from auteryn.api.keys import issue
from auteryn.api.limits import Quota
from auteryn.api.stream import Pace
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.tool import tool
from served import Viewer, serving

UNLIMITED = Quota(requests_per_minute=1_000_000, burst=100_000)
DISCONNECTS = 1_000


class Gate:
    """Turns that may be taken: the run goes on as the story allows, whatever the machine's speed."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        gate = self

        @tool(effect="read", timeout=timedelta(days=1))
        async def turn(ctx, number: int) -> str:
            """Wait for one's turn."""
            await gate.turns.acquire()
            return "x" * 200

        self.tool = turn

    def open(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.turns.release()


def turns(count: int):
    """A run of that many turns, with a call each."""
    return [*(call("turn", number=number) for number in range(count)), "All turns are taken."]


async def key_of(world: World) -> str:
    given = {"name": "viewer", "owner": "local", "role": "viewer", "lifetime": timedelta(days=1)}
    return (await issue(world.services.store, world.now(), **given))[1]


async def start(world: World) -> str:
    return (await Desk(world.host.engine).create(NewRun(input="Take your turns", mode="deep"))).id


def durable(found):
    return [one for one in found if not one.data["delta"]]


@pytest.mark.proves("L12", "P8", "P85")
def test_a_thousand_disconnects_of_three_viewers_leave_the_same_events_in_the_same_order(tmp_path):
    async def main():
        gate, chance = Gate(), random.Random(7)
        async with World(tmp_path, model=turns(40), tools=[gate.tool], real_time=True) as world:
            pace = Pace(beat=timedelta(milliseconds=2))
            door, run = Door(world.host.engine, quota=UNLIMITED, pace=pace), await start(world)
            async with serving(door) as port:
                viewers = [Viewer(port, f"/v1/runs/{run}/events", await key_of(world)) for _ in range(3)]
                for number in range(DISCONNECTS):
                    viewer = viewers[number % 3]
                    await viewer.connect()
                    if viewer.status == 200:
                        await viewer.read(chance.randint(1, 4_000), to_silence=True)
                    viewer.hang_up()
                    if number % 25 == 0:
                        gate.open()
                gate.open(40)
                await asyncio.gather(*(viewer.to_the_end() for viewer in viewers))
                sets = [durable(viewer.seen) for viewer in viewers]
                fresh = durable(await Viewer(port, f"/v1/runs/{run}/events", viewers[0].key).to_the_end())
            assert sum(viewer.streams for viewer in viewers) > DISCONNECTS
            assert sets[0] == sets[1] == sets[2] == fresh
            assert len({one.id for one in fresh}) == len(fresh) > 80
            assert fresh[-1].data["result"] == "All turns are taken."

    asyncio.run(main())


@pytest.mark.proves("L12", "P85", "P40")
def test_a_server_that_is_restarted_in_mid_stream_goes_on_where_the_viewer_was(tmp_path):
    async def main():
        gate = Gate()
        seen, run, key = [], "", ""
        for life in range(5):
            async with World(tmp_path, model=turns(20), tools=[gate.tool], real_time=True) as world:
                run, key = run or await start(world), key or await key_of(world)
                async with serving(Door(world.host.engine, quota=UNLIMITED)) as port:
                    viewer = Viewer(port, f"/v1/runs/{run}/events", key)
                    viewer.seen = seen
                    gate.open(5 if life < 4 else 40)
                    if life == 4:
                        await viewer.to_the_end()
                    else:
                        await viewer.connect()
                        await viewer.read(2_500)
                        viewer.hang_up()
                    seen = viewer.seen
                    if life == 4:
                        fresh = await Viewer(port, f"/v1/runs/{run}/events", key).to_the_end()
        assert durable(seen) == durable(fresh) and len(fresh) > 40
        assert not [one for one in seen if one.kind == "reset"]
        assert sum(one.data.get("kind") == "slice_started" or one.kind == "status" for one in fresh) >= 4

    asyncio.run(main())


@pytest.mark.proves("L12")
def test_a_viewer_that_does_not_read_is_cut_off_delays_nobody_and_resumes(tmp_path):
    async def main():
        gate = Gate()
        pace = Pace(patience=timedelta(milliseconds=10))

        @tool(effect="read")
        async def much(ctx, number: int) -> str:
            """Say much."""
            return "y" * 7_000

        script = [*(call("much", number=number) for number in range(150)), "That was much."]
        async with World(tmp_path, model=script, tools=[gate.tool, much], real_time=True) as world:
            door, run = Door(world.host.engine, quota=UNLIMITED, pace=pace), await start(world)
            async with serving(door, send_bytes=16_384) as port:
                key = await key_of(world)
                slow = Viewer(port, f"/v1/runs/{run}/events", key, buffer_bytes=4_096)
                quick = Viewer(port, f"/v1/runs/{run}/events", key)
                await slow.connect()
                whole = durable(await quick.to_the_end())
                assert whole[-1].data["result"] == "That was much." and len(whole) > 300
                await slow.read()
                assert 0 < len(durable(slow.seen)) < len(whole), "it was cut off"
                slow.hang_up()
                assert durable(await slow.to_the_end()) == whole
                assert slow.streams > 2

    asyncio.run(main())


@pytest.mark.proves("P92", "P95")
def test_a_run_is_watched_stopped_and_its_receipt_seen_over_one_connection(tmp_path):
    async def main():
        gate = Gate()
        async with World(tmp_path, model=turns(3), tools=[gate.tool], real_time=True) as world:
            door = Door(world.host.engine)
            async with serving(door) as port:
                given = {"name": "ann", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
                _, key = await issue(world.services.store, world.now(), **given)
                auth = {"Authorization": f"Bearer {key}"}
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=auth, timeout=60) as http:
                    run = (await http.post("/v1/runs", json={"input": "Take your turns", "mode": "deep"})).json()["id"]
                    viewer = Viewer(port, f"/v1/runs/{run}/events", key)
                    watching = asyncio.create_task(viewer.to_the_end())
                    await world.until(run, lambda found: found.turns > 0)
                    assert (await http.post(f"/v1/runs/{run}/cancel")).status_code == 200
                    end = (await http.get(f"/v1/runs/{run}/result?wait=30")).json()
                    assert end["status"] == "cancelled"
                    last = (await watching)[-1].data
                    assert (last["status"], last["by"]) == ("cancelled", "ann") and len(last["receipt"]["aborted"]) == 1

    asyncio.run(main())
