"""How soon the console shows a long run, and whether a long log scrolls: a real Chromium, a real server, a real home.

    python tests/bench/bench_console.py [--events 10000] [--lines 50000] [--times 5]

Every opening is a new browser without a cache. Beside each stands the floor of the same run: the time until this browser shows
the server's plainest page. Reported, never asserted: a busy machine proves nothing.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, sync_playwright
from served import served

from auteryn.api.auth import login_token
from auteryn.api.door import Door
from auteryn.api.limits import Quota
from auteryn.schema import event as e
from auteryn.schema.change import Change
from auteryn.schema.fold import after
from auteryn.schema.message import Tokens
from auteryn.schema.record import new_id
from auteryn.testing.scripted import ScriptedModel, call
from auteryn.testing.world import World

A_COMMIT = 5
SEEN = """
window.seen = {};
addEventListener('DOMContentLoaded', () => {
  const wanted = { head: '.run-head h1', asks: '.asks .ask', newest: '.items .item', lines: '.log-line' };
  const look = () => {
    for (const [name, where] of Object.entries(wanted))
      if (!(name in seen) && document.querySelector(where)) seen[name] = performance.now();
  };
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
});
"""
UNTIL = """
async (wanted) => {
  const paint = () => performance.getEntriesByName('first-contentful-paint')[0];
  while (!paint() || (wanted && !(wanted in window.seen))) await new Promise((done) => setTimeout(done, 20));
  return { ...window.seen, paint: paint().startTime };
}
"""
ALL_LINES = """
async (count) => {
  const shown = () => Number(document.querySelector('.logs [role=status]')?.innerText.replace(/[^0-9]/g, '') ?? 0);
  while (shown() < count) await new Promise((done) => setTimeout(done, 50));
  return performance.now();
}
"""
FRAMES = """
async () => {
  const box = document.querySelector('.log-window'), gaps = [];
  let last = performance.now();
  for (let step = 0; step < 120; step += 1) {
    box.scrollTop = (step / 120) * box.scrollHeight;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  gaps.sort((a, b) => a - b);
  return { middle: gaps[60], worst: gaps.at(-1), rows: document.querySelectorAll('.log-line').length };
}
"""


async def filled(world: World, title: str, entries: int, a_commit: int) -> str:
    """A run that waits for a person, with so many turns behind it: each a thought, a call and its answer, and log lines."""
    run = await world.asked(await world.start(title))
    for turn in range(entries):
        facts = tuple[e.AnyEvent, ...](
            e.Logged(level="info", message=f"page {turn}.{line} of the archive was read") for line in range(a_commit - 1)
        )
        said = {"role": "model", "parts": [{"text": f"Page {turn} says nothing of prices; I go on."}]}
        answered = e.ModelAnswered(turn=run.turns + 1, content=said, tokens=Tokens(), model="scripted", finish="stop", ms=900)
        entry = e.Entry(
            seq=run.seq + 1,
            at=world.now(),
            slice=run.slice,
            commit=new_id("c"),
            events=(answered, *facts) if turn % 2 else facts,
        )
        run = after(run, entry)
        await world.services.store.commit(Change(run=run, entry=entry))
    return run.id


@asynccontextmanager
async def opened(home: Path, found: dict[str, str], events: int, lines: int) -> AsyncGenerator[Door]:
    script = [call("ask_approval", message="Shall I **go on**?", options=["Yes", "No"])]
    async with World(home, model=ScriptedModel(script), builtin=True, real_time=True) as world:
        found["events"] = await filled(world, "A run with a long past", events // A_COMMIT, A_COMMIT)
        found["lines"] = await filled(world, "A run with a long log", lines // 1000, 1000)
        door = Door(world.host.engine, quota=Quota(requests_per_minute=10**6, burst=10**5), secure=False)
        found["token"] = await login_token(door.auth.seal, "local", world.now())
        yield door


def opening(browser: Browser, state: Any, url: str, until: str) -> dict[str, float]:
    """Milliseconds from the request to what was first seen when."""
    context = browser.new_context(storage_state=state, viewport={"width": 1360, "height": 900})
    page = context.new_page()
    page.add_init_script(SEEN)
    page.goto(url, wait_until="commit")
    found = page.evaluate(UNTIL, until)
    context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("events", 10_000), ("lines", 50_000), ("times", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    found = dict[str, str]()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(lambda: opened(Path(folder), found, given.events, given.lines)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        first = browser.new_context()
        first.new_page().goto(f"{url}/login?token={found['token']}")
        state = first.storage_state()
        run, log = f"{url}/runs/{found['events']}", f"{url}/runs/{found['lines']}?tab=logs"
        print(f"{'ms':>26} {'p50':>7} {'worst':>7} {'of floor':>9}")
        floor = [opening(browser, state, url + "/healthz", "")["paint"] for _ in range(given.times)]
        told("floor: plainest page", floor, floor)
        openings = [opening(browser, state, run, "newest") for _ in range(given.times)]
        for name, about in (
            ("paint", "first paint"),
            ("head", "its state"),
            ("asks", "its question"),
            ("newest", "newest events"),
        ):
            told(f"{given.events:,} events: {about}", [one[name] for one in openings], floor)
        openings = [opening(browser, state, log, "lines") for _ in range(given.times)]
        told(f"{given.lines:,} lines: the first", [one["lines"] for one in openings], floor)
        page = browser.new_context(storage_state=state).new_page()
        page.goto(log)
        print(f"{given.lines:,} lines: all {page.evaluate(ALL_LINES, given.lines * 0.95):.0f} ms")
        frames = page.evaluate(FRAMES)
        said = f"{frames['middle']:.0f} ms a frame, worst {frames['worst']:.0f}, {frames['rows']} rows in the page"
        print(f"scrolling {given.lines:,} lines: {said}")
        browser.close()


def told(name: str, values: list[float], floor: list[float]) -> None:
    middle = statistics.median(values)
    print(f"{name:>26} {middle:7.0f} {max(values):7.0f} {middle / statistics.median(floor):8.1f}x")


if __name__ == "__main__":
    main()
