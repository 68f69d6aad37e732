"""A week of six-hourly looks at a real page on this machine, on the virtual clock: seen, pictured, told once, summed up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.schema import event as e
from auteryn.schema.message import Call
from auteryn.schema.run import UntilTime
from auteryn.service.desk import Desk
from auteryn.service.fork import Fork
from auteryn.testing.clock import START, skipping
from auteryn.testing.emulators.servers import held_port
from auteryn.testing.laws import broken_laws
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from unit.tools.fault_server import Asked, FaultServer, Reply

LOOKS = 28
CHANGES = {9: "39.90", 20: "44.90"}
"""At which look the price becomes another one."""


@pytest.fixture
def shop() -> Iterator[FaultServer]:
    server = FaultServer()

    def page(asked: Asked) -> Reply:
        looks = sum("auteryn" in one.headers.get("user-agent", "").lower() for one in server.asked)
        price = next((CHANGES[at] for at in sorted(CHANGES, reverse=True) if looks > at), "49.90")
        noise = f"<div class='ad'>Offer {looks}</div><p>Now 2026-03-0{looks % 9 + 1} {looks % 24}:00</p>"
        tag = f'"{price}-{looks // 3}"'
        if asked.headers.get("if-none-match") == tag:
            return Reply(status=304)
        return Reply(f"<h1>Oak chair</h1><p>Price: {price} EUR</p>{noise}", headers={"content-type": "text/html", "etag": tag})

    server.on("/", page)
    yield server
    server.close()


def looker(url: str) -> object:
    """Watch; at each change write to the team; when the time is over, sum up."""

    def script(ask: Ask) -> Line:
        watch = Call(name="monitor_watch", args={"url": url, "name": "chair", "every": "6h", "until": "7d"})
        seen = ask.results.get("monitor_watch", [])
        if not seen:
            return watch
        last, alerts = seen[-1]["output"], len(ask.results.get("notify", []))
        changes = [one["output"] for one in seen if one["output"].get("significant")]
        if len(changes) > alerts:
            price = last["figures"][0]
            return call("notify", message=f"{price['before']} -> {price['after']}, see {last['image']}")
        return f"{last['looks']} looks, {len(changes)} changes" if last["over"] else watch

    return script


@pytest.mark.usefixtures("time_stands_still_for_the_network")
@pytest.mark.proves("P75", "P76", "P77", "P78", "P79", "P80")
@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.tool("monitor_watch", "happy")
def test_a_week_of_looks_reports_each_change_once(tmp_path: Path, shop: FaultServer, crash: bool) -> None:
    async def story() -> None:
        world = World(tmp_path, model=looker(shop.url("/")), builtin=True, egress=shop.egress())  # type: ignore[arg-type]
        async with world:
            run = await world.start("Watch the price of the chair for a week", max_duration=timedelta(days=7, hours=1))
            if crash:  # in the middle of the week the process is gone for a while, and again right after a change
                await world.after(timedelta(days=2, hours=1))
                await world.reopen(timedelta(minutes=30))
                await world.after(timedelta(hours=5))
                await world.reopen()
            ended = await world.ended(run)
            events = await world.events(run)
            assert ended.status == "completed" and ended.result == "28 looks, 2 changes"
            told = [event.message for event in events if isinstance(event, e.Notified)]
            assert [one.partition(",")[0] for one in told] == ["49.90 EUR -> 39.90 EUR", "39.90 EUR -> 44.90 EUR"]
            assert await broken_laws(world, run) == []
            waits = [event.wait for event in events if isinstance(event, e.CallSuspended)]
            grid = [START + k * timedelta(hours=6) for k in range(1, LOOKS)]
            assert [wait.at for wait in waits if isinstance(wait, UntilTime)] == grid
            fetched = [one for one in shop.asked if "auteryn" in one.headers["user-agent"].lower()]
            assert len(fetched) == LOOKS and sum("if-none-match" in one.headers for one in fetched) == LOOKS - 1
            assert ended.usage.llm_calls == 1 + 2 * len(CHANGES) + 1  # nothing is thought while nothing changes
            pictures = sorted(one.path for one in world.host.engine.files.of(run).walk() if one.path.endswith(".png"))
            assert len([one for one in pictures if "change" not in one]) == 3 and len(pictures) == 5

    skipping(story())


@pytest.mark.usefixtures("time_stands_still_for_the_network")
@pytest.mark.proves("P75", "P78")
@pytest.mark.parametrize("how", ["fork", "retry"])
def test_who_begins_with_another_runs_past_knows_its_looks_and_hears_what_has_changed_since(tmp_path: Path, how: str) -> None:
    server, price = FaultServer(), {"is": "49.90"}
    server.on("/", lambda asked: Reply(f"<h1>Oak chair</h1><p>Price: {price['is']} EUR</p>", headers={"etag": price["is"]}))

    def script(ask: Ask) -> Line:
        seen = [one["output"] for one in ask.results.get("monitor_watch", [])]
        if not seen or not seen[-1].get("over"):
            return Call(name="monitor_watch", args={"url": server.url("/"), "name": "chair", "every": "6h", "until": "2d"})
        return str([(one["figures"][0]["before"], one["figures"][0]["after"]) for one in seen[:-1]] + [seen[-1]["looks"]])

    async def story() -> None:
        async with World(tmp_path, model=script, builtin=True, egress=server.egress()) as world:  # type: ignore[arg-type]
            desk = Desk(world.host.engine, "local")
            run = await world.start("Watch the price of the chair for two days")
            await world.after(timedelta(hours=13))  # three looks; the fork knows two of them
            cut = next(one for one in reversed(await world.journal(run)) if one.at < START + timedelta(hours=12)).seq
            price["is"] = "39.90"
            await world.after(timedelta(hours=8))  # the first run has heard of it
            if how == "retry":
                await desk.cancel(run)
                await world.ended(run)
                price["is"] = "29.90"
            again = await (desk.fork(run, Fork(after=cut)) if how == "fork" else desk.retry(run))
            ended = await world.ended(again.id)
            assert ended.result == str([("49.90 EUR", "39.90 EUR") if how == "fork" else ("39.90 EUR", "29.90 EUR"), 8])
            assert await broken_laws(world, again.id) == []

    skipping(story())
    server.close()


@pytest.mark.proves("P31", "P75", "P78", "L6")
@pytest.mark.parametrize("seed", [1])
def test_a_week_of_looks_through_many_kills_tells_each_change_once(tmp_path: Path, seed: int) -> None:
    """Real processes, each killed by SIGKILL somewhere: in a look, between two, between a change and its news."""
    with held_port() as port:
        dice = random.Random(seed)
        argv = [sys.executable, str(Path(__file__).with_name("watcher.py")), str(tmp_path / "home"), str(port)]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}

        def lived(kill_at: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*argv, str(kill_at)], env=env, capture_output=True, text=True, check=False, timeout=120)

        for _ in range(8):
            assert lived(dice.randrange(4, 110)).returncode == -signal.SIGKILL
        last = lived(-1)
        assert last.returncode == 0, last.stderr[-2_000:]
        told = json.loads(last.stdout)
        assert told["told"] == ["49.90 EUR -> 39.90 EUR", "39.90 EUR -> 44.90 EUR"]
        assert (told["result"], told["looks"], told["changes"], told["broken"]) == (f"{LOOKS} looks", LOOKS, len(CHANGES), [])
