"""The command line's front: the table of commands, what they share, and how an error looks.

Nothing heavy may be imported here: `auteryn --help` reads this file and click, no more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from pathlib import Path
from typing import Any, TypeVar

import click

from auteryn.cli import exits
from auteryn.errors import AuterynError, Refused

F = TypeVar("F", bound=Callable[..., Any])

SECTIONS: dict[str, dict[str, str]] = {
    "Begin": {
        "demo": "See it work: no key, no network, under a minute.",
        "run": "Give the agent a task and watch it work.",
        "route": "Show which mode a task would get, and why.",
    },
    "Look": {
        "ls": "List the runs.",
        "status": "Say in one line how a run stands and what it waits for.",
        "watch": "Go on with a run and follow it to its end.",
        "result": "Print the result of a run.",
        "logs": "Print a run's log.",
        "metrics": "Time, calls and tokens of a run.",
        "credits": "What a run has cost, and will cost.",
        "estimate": "What a task would cost.",
        "health": "Who works on a run, and when it wakes next.",
        "context": "How much of a run its model has in mind.",
        "ledger": "What the model is shown in every turn.",
        "notes": "What the agent noted down.",
        "artifacts": "List the files of a run and their versions, or get them.",
        "export": "Write a run into one file, without secrets.",
        "import": "Take in a run from such a file.",
    },
    "Steer": {
        "answer": "Answer a question of a run.",
        "send": "Say something to a run while it works.",
        "messages": "What was said to a run and it has not heard; change it, take it back.",
        "step": "Change a step that has not begun, or leave it out.",
        "rename": "Give a run under way another title.",
        "pause": "Let a run rest.",
        "resume": "Let a paused run go on.",
        "cancel": "Stop a run and all its steps.",
        "retry": "Try the failed steps of a run again.",
        "fork": "Begin again in the middle of a run.",
        "schedule": "List schedules and their next ticks, or cancel one.",
        "erase": "Erase every copy of an ended run.",
    },
    "Set up": {
        "serve": "Serve this home over HTTP: API, streams, console.",
        "keys": "Make, list and revoke API keys.",
        "limits": "What owners may spend in a day or another span.",
        "webhooks": "Tell other programs of runs.",
        "memories": "What runs keep for later ones.",
        "mcp": "Tool servers of others.",
        "tools": "List the tools, show one, try one.",
        "dev": "The whole cloud shape on this machine: functions, emulators, stand-ins.",
        "doctor": "Check this machine and this home.",
        "chaos": "Kill, repeat and reorder everything, and see that nothing is lost.",
    },
}
"""What `--help` shows; the help texts stand here so that no command has to be imported for them."""

HIDDEN = ("slice",)
MODULES = (
    {"ls": "runs", "status": "runs", "result": "runs", "watch": "watch"}
    | dict.fromkeys(("logs", "metrics", "credits", "estimate", "health"), "figures")
    | dict.fromkeys(("context", "ledger", "notes"), "mind")
    | dict.fromkeys(("send", "pause", "resume", "cancel", "retry", "fork"), "steer")
    | dict.fromkeys(("messages", "rename", "step"), "change")
    | dict.fromkeys(("export", "import", "erase"), "bundle")
)
"""Where a command is, if its module is not named like it."""
OTHER_WORDS = {"list": "ls", "runs": "ls", "show": "status", "follow": "watch", "tail": "watch", "files": "artifacts"} | {
    "stop": "cancel",
    "kill": "cancel",
    "approve": "answer",
    "reply": "answer",
    "steer": "send",
    "delete": "erase",
}
"""What others call it: spelled too differently for a guess."""


class Common:
    """The options every command has, before or after its name."""

    __slots__ = ("home", "json", "quiet")

    def __init__(self, home: str | None = None, *, json: bool = False, quiet: bool = False) -> None:
        self.home, self.json, self.quiet = home, json, quiet

    def done(self, sentence: str) -> None:
        """Tell a person, not a program, that what was asked for is done."""
        if not self.quiet and not self.json:
            click.echo(sentence, err=True)


class Group(click.Group):
    """What is wrong with a command's options is told with that command: click forgets which it was for an option whose value
    is missing."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if error.ctx is None and (command := self.get_command(ctx, ctx.invoked_subcommand or "")):
                error.ctx = click.Context(command, ctx, ctx.invoked_subcommand)
            raise


class LazyGroup(Group):
    """Imports the module of a command when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `auteryn logs | head`: the reader has seen enough; click would call it a failure
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the interpreter flushes them as it exits
            return exits.DONE

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx) and cmd_name not in HIDDEN:
            return None
        module = import_module(f"auteryn.cli.{MODULES.get(cmd_name, cmd_name)}")
        return getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib

            near = OTHER_WORDS.get(args[0]) or next(iter(difflib.get_close_matches(args[0], self.list_commands(ctx), 1)), None)
            hint = f"did you mean `auteryn {near}`?" if near else "`auteryn --help` lists the commands"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


class Listing(Group):
    """Commands about things that can be listed: without one of them, it lists (`auteryn artifacts run_…`)."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "run_"
        if first.startswith(("run_", "-")) and first not in ctx.help_option_names:
            args = ["ls" if "ls" in self.commands else "list", *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """`ls` and `list` are one word."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, {"ls": "list", "list": "ls"}.get(cmd_name, ""))


def common(command: F) -> F:
    """Adds `--home`, `--json`, `--quiet` to a command; they count wherever they stand."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _writable(_ctx: click.Context, _parameter: click.Parameter, folder: Path | None) -> Path | None:
    """Said before the work begins, not when it is done."""
    if folder:
        there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise click.BadParameter(f"{str(folder)!r} is no folder that can be written, nor can it be made in {str(there)!r}")
    return folder


files_to = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    callback=_writable,
    help="Where the files go that the run made: auteryn-out/RUN.",
)
"""The option of a command that follows a run to its end."""


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    kept = ctx.ensure_object(Common)
    if value or value == "":  # an empty one is no default: it is a shell's variable that was not set
        setattr(kept, str(parameter.name).removeprefix("as_"), value)
    return value


_OPTIONS = (
    click.option(
        "--home", metavar="DIR", expose_value=False, callback=_keep, help="Where runs live: $AUTERYN_HOME, else ~/.auteryn."
    ),
    click.option(
        "--json", "as_json", is_flag=True, expose_value=False, callback=_keep, help="Machine-readable: JSON lines on stdout."
    ),
    click.option("--quiet", "-q", is_flag=True, expose_value=False, callback=_keep, help="Only the result and errors."),
)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 waiting for a person, 4 cancelled, 5 budget used up; 130 detached.",
)
@common
@click.version_option(package_name="auteryn", message="auteryn %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Agents that work for days: they plan, wait for free, survive crashes and ask before they act."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line; gives its exit code. Errors are one line on stderr that says what to do next."""
    _open_streams()
    try:
        code = cli.main(list(args) if args is not None else None, prog_name="auteryn", standalone_mode=False, obj=Common())
        return code if isinstance(code, int) else exits.DONE
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "auteryn"
        quotes = ": put words that belong together in quotes" if error.message.startswith("Got unexpected extra arg") else ""
        return _refused(f"{error.format_message()}{quotes}  ({where} --help)", exits.USAGE)
    except click.ClickException as error:
        return _refused(error.format_message(), exits.USAGE)
    except AuterynError as error:
        if isinstance(error, Refused) or not os.environ.get("AUTERYN_TRACEBACK"):
            return _refused(str(error), exits.of_error(error))
        raise
    except (click.Abort, KeyboardInterrupt):
        return _refused("interrupted", exits.DETACHED)
    except OSError as error:  # a file or folder the person named
        return _refused(f"{error.filename!r}: {error.strerror}" if error.filename else str(error), exits.FAILED)


def _open_streams() -> None:
    """A stream that was closed (`>&-`) leads nowhere. Else the next file to be opened would stand in its place. What a terminal
    has no letter for is escaped, not the end of the command."""
    out = sys.stdout
    if isinstance(out, TextIOWrapper) and out.errors in ("strict", "surrogateescape"):
        out.reconfigure(errors="backslashreplace")
    if not any(stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    sys.stdin, sys.stdout, sys.stderr = sys.stdin or open(0), sys.stdout or open(1, "w"), sys.stderr or open(2, "w")  # noqa: SIM115


def _refused(message: str, code: int) -> int:
    click.echo(f"auteryn: {message}", err=True)
    return code
