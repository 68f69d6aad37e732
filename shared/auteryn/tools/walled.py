"""A tool's command behind the wall: the run's files, limits, the way out if it was allowed, and what became of it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from auteryn.errors import DiskFull, ToolFailed
from auteryn.schema.record import plain
from auteryn.tools.away import all_back, make_room
from auteryn.tools.egress_proxy import proxy
from auteryn.tools.jail import cleaned
from auteryn.tools.sandbox import ladder
from auteryn.tools.sandbox.box import LEAST_FREE_BYTES, Job, Limits, Ran, foreign_uid
from auteryn.tools.tool import ToolContext
from auteryn.tools.workspace import SKIPPED

MOST_SECONDS = 540
"""Of one command: a call is over within ten minutes."""
LISTED = 50
"""New and changed files that are named."""
COUNTED = 20_000
_TAIL = 2_000

Files = dict[str, tuple[int, int, int]]


async def walled(
    ctx: ToolContext,
    argv: Sequence[str],
    *,
    seconds: float = 60,
    network: bool = False,
    cwd: str = "",
    inputs: Mapping[str, bytes] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    output_bytes: int = 1 << 20,
) -> Ran:
    """The command run in the run's files. Raises `ToolFailed`: `timeout`, `quota`, `unavailable`, `unsupported`."""
    wall = ladder.sandbox(network=network)
    below = folder_of(ctx, cwd)
    ctx.files.check_room()
    missing = await _disk_ready(ctx)
    limits = Limits(seconds=seconds, output_bytes=output_bytes)
    async with _way_out(ctx, network) as socket:
        job = Job(argv, ctx.files.root, below, inputs, env, stdin, limits, socket)
        ran = await wall.run(job)
    match ran.stopped:
        case "timeout":
            raise ToolFailed("timeout", f"it ran longer than {seconds:g} s and was stopped. It had said:{_said(ran)}")
        case "disk":
            raise DiskFull(f"the disk is full, so it was stopped: delete what is not needed any more. It had said:{_said(ran)}")
        case _ if missing:
            note = f"(the disk is full, so these lie with the published files only: {', '.join(missing)})\n"
            return replace(ran, stderr=ran.stderr + note.encode())
        case _:
            return ran


async def _disk_ready(ctx: ToolContext) -> list[str]:
    """A command opens files without asking us: all are there, but those for which there is no room."""
    missing = await all_back(ctx.files, ctx.blobs, leaving=LEAST_FREE_BYTES)
    if shutil.disk_usage(ctx.files.root).free < LEAST_FREE_BYTES:
        await make_room(ctx.files, ctx.blobs, ctx.run.artifacts, wanted=LEAST_FREE_BYTES)
        missing = [one.path for one in ctx.files.all_away()]
    return missing


def text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def folder_of(ctx: ToolContext, path: str) -> str:
    """The path in its plain form, if it is a folder; raises `ToolFailed`. The run's folder exists afterwards."""
    ctx.files.root.mkdir(parents=True, exist_ok=True)
    if (plain := cleaned(path)) and not ctx.files.stat(plain).folder:
        raise ToolFailed("invalid", f"{path!r} is a file: name a folder")
    return plain


def _said(ran: Ran) -> str:
    return f"\n{text(ran.stdout + ran.stderr)[-_TAIL:]}" if ran.stdout or ran.stderr else " nothing"


@asynccontextmanager
async def _way_out(ctx: ToolContext, network: bool) -> AsyncGenerator[Path | None]:
    """The socket of an egress proxy that lives as long as the call."""
    if not network:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="auteryn-egress-"))
    try:
        async with proxy(ctx.egress, socket=folder / "egress.sock") as running:
            if (uid := foreign_uid(ctx.files.root)) is not None:
                for path in (folder, folder / "egress.sock"):
                    os.chown(path, uid, uid)
            yield folder / "egress.sock"
            for passage in running.passages:
                ctx.log(f"network: {passage.target} {passage.refused or 'passed'}", "warning" if passage.refused else "info")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- what a command left behind ----------------------------------------------------------------------------------


def files_now(ctx: ToolContext) -> Files:
    """What is there, by path: enough to see what a command changes."""
    found: Files = {}
    if not ctx.files.root.is_dir():
        return found
    for here, folders, names, fd in os.fwalk(ctx.files.root, follow_symlinks=False):
        folders[:] = sorted(one for one in folders if one not in SKIPPED)
        above = os.path.relpath(here, ctx.files.root)
        for name in sorted(names):
            with suppress(FileNotFoundError):  # another call of the same turn took it away
                at = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISREG(at.st_mode):
                    found[name if above == "." else f"{above}/{name}"] = (at.st_ino, at.st_size, at.st_mtime_ns)
        if len(found) > COUNTED:
            break
    return found


def changes(before: Files, after: Files) -> dict[str, Any]:
    """New, changed and deleted files, for the model; long lists are cut and counted."""
    parts = {
        "new_files": [path for path in after if path not in before],
        "changed_files": [path for path, at in after.items() if path in before and before[path] != at],
        "deleted_files": [path for path in before if path not in after],
    }
    told = dict[str, Any]()
    for name, paths in parts.items():
        if paths:
            told[name] = [*paths[:LISTED], *([f"… and {len(paths) - LISTED} more"] if len(paths) > LISTED else [])]
    return told


# ---- a command whose repeat is not the same ----------------------------------------------------------------------


def leave_word(ctx: ToolContext, output: Any) -> None:
    """The command has ended with this output: what a resumed call is answered with."""
    ctx.files.settle(ctx.key, plain(output))  # a file's name may be no text


async def last_word(ctx: ToolContext, **_: Any) -> Any:
    """The output, if the command had ended; raises `ToolFailed` if it was cut off: nobody knows how far it came."""
    if (left := ctx.files.receipt(ctx.key)) is not None:
        return left
    raise ToolFailed(
        "ambiguous",
        "outcome unknown: the command was under way when the work was interrupted, and it was not repeated. "
        "Look at what it has changed, then run it again if that does no harm.",
    )
