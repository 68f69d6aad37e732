"""`auteryn doctor`: is this machine, this home and this key fit for work, and if not, what to do."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import click

from auteryn.cli import exits, output
from auteryn.cli.home import going, settings_of
from auteryn.cli.root import Common, common
from auteryn.cli.screen import Screen
from auteryn.compose import Settings, cloud_checkup, condition, embedded, model_access
from auteryn.errors import AuterynError
from auteryn.ports.model import ModelRequest
from auteryn.runtime.host import Host
from auteryn.schema.record import Record

State = Literal["ok", "note", "bad"]
MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "red")}

LOW_DISK_BYTES = 1 << 30
"""A run may fill gigabytes with files; below this, work will soon end with DiskFull."""


class Finding(Record):
    """One line of the report."""

    name: str
    state: State
    detail: str
    todo: str = ""
    """What to do about it, where something is."""


@click.command()
@click.option(
    "--online", is_flag=True, help="Also ask the model something, to see that the key works. Costs a fraction of a cent."
)
@click.option("--cloud", is_flag=True, help="The deployment that GOOGLE_CLOUD_PROJECT and AUTERYN_REGION name, thing by thing.")
@common
@click.pass_obj
def doctor(common: Common, online: bool, cloud: bool) -> int:
    """Check this machine, this home and the model key, or a deployment. Exit code 1 if something is broken."""
    findings = going(_deployment() if cloud else _examined(common, online))
    screen = Screen(sys.stdout)
    for one in findings:
        if common.json:
            output.json_line(one)
        else:
            mark, colour = MARKS[one.state]
            screen.parts(
                (f"{mark} ", colour), (f"{one.name:<14}", "bold"), f"{one.detail} → {one.todo}" if one.todo else one.detail
            )
    return exits.FAILED if any(one.state == "bad" for one in findings) else exits.DONE


async def _deployment() -> list[Finding]:
    found = [
        Finding(name=one.name, state="bad" if one.bad else "ok", detail=one.detail, todo=one.todo)
        async for one in cloud_checkup()
    ]
    access = model_access(os.environ)
    how = "set GEMINI_API_KEY, or GOOGLE_GENAI_USE_VERTEXAI=true as Terraform does"
    return [*found, Finding(name="model", state="ok" if access else "note", detail=access or f"nothing here opens it: {how}")]


async def _examined(common: Common, online: bool) -> list[Finding]:
    settings = settings_of(common)
    found = [_python(), _disk(settings.home)]
    try:
        host = embedded(settings)
    except AuterynError as error:
        return [*found, Finding(name="home", state="bad", detail=str(error))]
    try:
        found += await _home(settings, host)
        found += list(_tools(host))
        found.append(await _model(host, online))
    finally:
        await host.close()
    return found


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fit = sys.version_info >= (3, 11)
    return Finding(
        name="python", state="ok" if fit else "bad", detail=version if fit else f"{version} is too old: 3.11 or newer"
    )


def _disk(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    low = free < LOW_DISK_BYTES
    advice = ": less than 1 GiB; free some space, or move the home with --home" if low else ""
    return Finding(name="disk", state="note" if low else "ok", detail=f"{free / (1 << 30):.1f} GiB free at {there}{advice}")


async def _home(settings: Settings, host: Host) -> list[Finding]:
    there = await condition(host)
    state: State = "ok" if there.journal_mode == "wal" else "bad"
    wal = (
        "write-ahead log"
        if state == "ok"
        else f"journal mode is {there.journal_mode!r}, not wal: is the home on a network drive?"
    )
    found = [
        Finding(name="home", state="ok", detail=f"{settings.home} is writable"),
        Finding(
            name="sqlite",
            state=state,
            detail=f"{there.sqlite}, {wal}, {there.size_bytes / 1e6:.1f} MB, synchronous={settings.synchronous}",
        ),
    ]
    found += [Finding(name="unreadable", state="bad", detail=message) for message in there.unreadable]
    waiting = (
        f"{there.due} of {there.runs} want to go on: `auteryn watch` a run, and all of them do"
        if there.due
        else f"{there.runs}, none is left behind"
    )
    return [*found, Finding(name="runs", state="note" if there.due else "ok", detail=waiting)]


def _tools(host: Host) -> Iterator[Finding]:
    from auteryn.tools.sandbox.ladder import chosen
    from auteryn.tools.search_web import searcher

    sandbox = chosen()
    yield Finding(name="sandbox", state="ok" if sandbox.sandbox else "note", detail=sandbox.words)
    registry = host.engine.registry
    yield Finding(name="tools", state="ok", detail=f"{len(registry)} ready")
    if asked := searcher(model_searches=host.engine.services.model.searches):
        yield Finding(name="web search", state="ok", detail=asked)
    for name, why in sorted(registry.hidden.items()):
        yield Finding(name="hidden tool", state="note", detail=f"{name}: {why}")


async def _model(host: Host, online: bool) -> Finding:
    access = model_access(os.environ)
    if not access:
        return Finding(
            name="model", state="note", detail="no key: set GEMINI_API_KEY (aistudio.google.com/apikey), or use `auteryn demo`"
        )
    if not online:
        return Finding(name="model", state="ok", detail=f"{access}; not tried (--online does)")
    asked = ModelRequest(
        role="classifier",
        system="Answer with one word.",
        contents=[{"role": "user", "parts": [{"text": "Say: ready"}]}],
        attempts=1,
        silence=timedelta(seconds=20),
    )
    began = time.monotonic()
    try:
        reply = await host.engine.services.model.generate(asked)
    except AuterynError as error:
        return Finding(name="model", state="bad", detail=f"{access}, but: {error}")
    return Finding(name="model", state="ok", detail=f"{access}; {reply.model} answered after {time.monotonic() - began:.1f} s")
