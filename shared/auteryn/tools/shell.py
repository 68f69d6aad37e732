"""Python and shell commands in the sandbox. What they print and what they leave behind is the answer; how they exit is data."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from auteryn.schema.run import Run
from auteryn.tools.needs import no_sandbox
from auteryn.tools.sandbox.box import Ran
from auteryn.tools.tool import Judged, ToolContext, tool
from auteryn.tools.walled import MOST_SECONDS, changes, files_now, last_word, leave_word, text, walled
from auteryn.tools.workspace import Workspace

LONGEST = 100_000
"""Characters of a program."""

Network = Annotated[bool, "Reach public web addresses; a person allows it once. Without it there is no network at all"]


def _judge(args: dict[str, Any], files: Workspace, run: Run) -> Judged:
    network = bool(args.get("network"))
    return Judged(permission="ask1" if network else "auto", target="network" if network else "", sends=network)


_program = tool(
    effect="once",
    group="code",
    cost=2_000,
    timeout=timedelta(seconds=MOST_SECONDS + 30),
    judge=_judge,
    reads_files=True,
    untrusted=True,
    probe=last_word,
    missing=no_sandbox,
)


@_program
async def python_run(
    ctx: ToolContext,
    code: Annotated[str, "A whole program; it starts in the folder of the run's files", Meta(min_length=1, max_length=LONGEST)],
    timeout: Annotated[int, "Seconds", Meta(ge=1, le=MOST_SECONDS)] = 60,
    network: Network = False,
) -> dict[str, Any]:
    """Run Python in a sandbox: print what you want to see, write files to keep. Nothing else survives the call."""
    before = files_now(ctx)
    ran = await walled(
        ctx,
        ["sh", "-c", 'exec python "$INPUTS/code.py"'],
        seconds=timeout,
        network=network,
        inputs={"code.py": code.encode()},
        env={"PYTHONPATH": "."},
    )
    return _told(ctx, ran, before)


@_program
async def shell_run(
    ctx: ToolContext,
    command: Annotated[str, "Run by sh -c in the folder of the run's files", Meta(min_length=1, max_length=LONGEST)],
    cwd: Annotated[str, "Folder to start in"] = "",
    timeout: Annotated[int, "Seconds", Meta(ge=1, le=MOST_SECONDS)] = 120,
    network: Network = False,
) -> dict[str, Any]:
    """Run a shell command in a sandbox. A failing command is an answer: look at exit_code."""
    before = files_now(ctx)
    return _told(ctx, await walled(ctx, ["sh", "-c", command], seconds=timeout, network=network, cwd=cwd), before)


def _told(ctx: ToolContext, ran: Ran, before: dict[str, tuple[int, int, int]]) -> dict[str, Any]:
    told: dict[str, Any] = {"exit_code": ran.exit_code, "stdout": text(ran.stdout)}
    told |= {"stderr": text(ran.stderr)} if ran.stderr else {}
    told |= changes(before, files_now(ctx))
    leave_word(ctx, told)
    return told
