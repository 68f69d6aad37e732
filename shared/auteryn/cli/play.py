"""What `auteryn demo` does: it starts a real run, follows it as any terminal does, and pulls the plug once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from auteryn.cli import exits
from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import Home, opened
from auteryn.cli.root import Common
from auteryn.cli.screen import Screen
from auteryn.compose import pids_of
from auteryn.demo.counts import FILE
from auteryn.demo.marker import mark
from auteryn.demo.script import CHART, PUBLISH, SUMMARY, TASK, WORKBOOK
from auteryn.demo.timeline import KILL, WAIT, WORK, drawn, lane, waited_for_person
from auteryn.schema.human import Ask
from auteryn.schema.run import FileCheck
from auteryn.service.delivery import StreamEvent
from auteryn.service.new import NewRun

SELF_ANSWER_SECONDS = 3.0
"""How long the question stays open where nobody sits: long enough to see that nothing runs meanwhile."""

HEAD = (
    "The model in this demo is a script: no key, no network, and nothing it says was thought. All else is real: the engine, "
    "its database, the tools, the files, a process for every slice of work, and the kill -9 in the middle."
)


async def play(common: Common, home: Path, *, kill: bool, out: Path | None) -> int:
    """The whole demo; gives the exit code of its run."""
    screen = Screen(quiet=common.quiet or common.json)
    common.home = str(home)
    _say_what_it_is(screen, home)
    mark(home)
    async with opened(common, isolate=True) as there:
        run = await there.desk.create(_task())
        plug = _Plug(there, screen) if kill else None
        how = Follow(thoughts=True, out=out, screen=screen, seen=plug.seen if plug else None, answers=_answerer(screen))
        code = await follow(common, there, run.id, how)
        if code == exits.DONE and not common.json:
            await _show_what_happened(screen, there, run.id)
    return code


def _task() -> NewRun:
    return NewRun(
        input=TASK,
        title="Three bicycle counters",
        mode="deep",
        include_thoughts=True,
        files={FILE.name: FILE},
        deliverables=tuple(FileCheck(path=path) for path in (SUMMARY, WORKBOOK, CHART)),
    )


def _say_what_it_is(screen: Screen, home: Path) -> None:
    screen.paragraph(HEAD, indent="")
    screen.line()
    screen.paragraph(f"Task: {TASK}", indent="  ")
    screen.line()
    screen.parts(("home  ", "dim"), (str(home), "dim"))


def _answerer(screen: Screen) -> Callable[[Ask], Awaitable[Any]] | None:
    """Nobody, where a person can answer; else the demo itself, and it says so."""
    if screen.live and sys.stdin.isatty():
        return None

    async def answer(ask: Ask) -> str:
        await asyncio.sleep(SELF_ANSWER_SECONDS)
        screen.line(f"  nobody sits at this terminal: the demo answers its own question with {PUBLISH!r}")
        return PUBLISH

    return answer


class _Plug:
    """Kills, once, the process of a step that is at work on a page, while two others go on beside it."""

    def __init__(self, home: Home, screen: Screen) -> None:
        self._home, self._screen = home, screen
        self._steps: dict[str, int] = {}
        self._pulled = False

    def seen(self, event: StreamEvent) -> None:
        if event.kind == "step":
            self._steps[event.data["run"]] = event.data["id"]
        if event.kind == "tool_call" and event.data["tool"] == "site_read" and not self._pulled:
            self._pull(event.run)

    def _pull(self, run: str) -> None:
        pids = pids_of(self._home.host, run)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if pids:
            self._pulled = True
            said = f"  the process of step {self._steps[run]}, in the middle of its work"
            self._screen.parts(("✕ ", "red"), (f"kill -9 {pids[0]}", "bold"), said)


async def _show_what_happened(screen: Screen, home: Home, run_id: str) -> None:
    """The time line of the tree, and what one can look at now."""
    store, root = home.host.engine.services.store, await home.desk.get(run_id)
    lanes = [lane("run", await store.journal(root.id))]
    for step in root.plan.steps if root.plan else ():
        journal = await store.journal(step.run) if step.run else ()
        lanes.append(lane(f"step {step.id}", journal))
    screen.line()
    for line in drawn(lanes, screen.width - 1):
        screen.line(line)
    screen.line(f"{WORK} a process is at work   {WAIT} it waits   {KILL} killed", "dim")
    waited = waited_for_person(await store.journal(root.id)).total_seconds()
    screen.paragraph(
        f"For {waited:.1f} s it waited for an answer, and there was no process at all. A week of that costs the same: nothing.",
        indent="",
    )
    cents = root.usage.credits.total / 10_000
    screen.paragraph(
        f"A real model would have cost up to {cents:.0f} US cents for these tokens; the script was free.", "dim", indent=""
    )
    screen.line()
    screen.line("Look closer:")
    for command, what in (
        ("logs", "every fact"),
        ("metrics", "time, calls, tokens"),
        ("watch", "the same again, from the journal"),
    ):
        screen.parts(f"  {home.command} {command}", (f"   {what}", "dim"))
