"""One process that watches a shop for a week, on a virtual clock, and may be told to kill itself on the way.

    python watcher.py HOME PORT KILL_AT          (KILL_AT: number of the point at which SIGKILL comes; -1: never)

It goes on where the process before it was killed. The shop lives in it, too, and changes its price on two days.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from auteryn.schema import event as e
from auteryn.schema.message import Call
from auteryn.testing.clock import START, SkippingClock, SkippingLoop, skipping
from auteryn.testing.crash import Fate, mortal
from auteryn.testing.laws import broken_laws
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from scenarios.real_tools import REAL
from unit.tools.fault_server import Asked, FaultServer, Reply

PRICES = ((timedelta(), "49.90"), (timedelta(days=2, hours=3), "39.90"), (timedelta(days=5, hours=1), "44.90"))
TASK = "Watch the price of the chair for a week"


def looker(url: str) -> Any:
    """Watch; at each change tell the owner; when the time is over, sum up."""

    def script(ask: Ask) -> Line:
        watch = Call(
            name="monitor_watch", args={"url": url, "name": "chair", "every": "6h", "until": "7d", "screenshot": False}
        )
        seen = ask.results.get("monitor_watch", [])
        changes = [one["output"] for one in seen if one["output"].get("significant")]
        if len(changes) > len(ask.results.get("notify", [])):
            price = changes[-1]["figures"][0]
            return call("notify", message=f"{price['before']} -> {price['after']}")
        return watch if not seen or not seen[-1]["output"]["over"] else f"{seen[-1]['output']['looks']} looks"

    return script


async def now_of(home: Path) -> datetime:
    """When the process before this one was killed, as far as its journal tells."""
    if not home.exists():  # noqa: ASYNC240 - nothing else is under way
        return START
    world = await World(home).open(hosting=False)
    runs = (await world.services.store.runs()).runs
    at = [entry.at for run in runs for entry in await world.journal(run.id)]
    await world.services.store.close()
    return max(at, default=START)


async def watched(home: Path, port: int, kill_at: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    began = await now_of(home)
    clock = SkippingClock(began - timedelta(seconds=loop.skipped))

    def page(_asked: Asked) -> Reply:
        passed = began + timedelta(seconds=loop.skipped) - START
        price = next(price for since, price in reversed(PRICES) if passed >= since)
        noise = f"<div class='ad'>Offer {passed}</div><p>Now {began:%H:%M}</p>"
        return Reply(f"<h1>Oak chair</h1><p>Price: {price} EUR</p>{noise}", headers={"content-type": "text/html"})

    shop = FaultServer(port=port)
    shop.on("/", page)

    def end() -> timedelta:
        os.kill(os.getpid(), signal.SIGKILL)
        return timedelta()

    fate = Fate(freeze_at=kill_at if kill_at >= 0 else None, meanwhile=end)
    settings: dict[str, Any] = {"egress": shop.egress(), "around": mortal(fate), "clock": clock, "tools": REAL}
    async with World(home, model=looker(shop.url("/")), sweep_every=timedelta(minutes=10), **settings) as world:
        runs = (await world.services.store.runs()).runs
        run = runs[0].id if runs else await world.start(TASK, max_duration=timedelta(days=7, hours=1))
        ended = await world.ended(run)
        events = await world.events(run)
        (kept,) = await world.services.store.docs("monitor", run)
        return {
            "result": ended.result,
            "told": [event.message for event in events if isinstance(event, e.Notified)],
            "looks": kept.body["count"],
            "changes": kept.body["changes"],
            "broken": await broken_laws(world, run),
            "slices": sum(isinstance(event, e.SliceStarted) for event in events),
            "points": len(fate.points),
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(skipping(watched(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
