"""`auteryn run`: a task in, its progress as lines, its result and files out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast, get_args

import click
import msgspec

from auteryn.cli import exits, output
from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import going, opened, settings_of
from auteryn.cli.root import Common, common, files_to
from auteryn.compose import model_access
from auteryn.demo.marker import demo_tools
from auteryn.errors import Invalid
from auteryn.schema.human import People
from auteryn.schema.record import from_stranger
from auteryn.schema.run import AtBudget, FileCheck, Run
from auteryn.service.channels import channels
from auteryn.service.new import Budget, NewRun, checked_request, drafts


@click.command()
@click.argument("text", required=False, default="")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="F",
    help="Put a file into the run's workspace, under its own name. Repeatable.",
)
@click.option("--mode", default="auto", metavar="MODE", help="fast, deep or auto (the default: decided by the task).")
@click.option(
    "--steps",
    type=click.Path(path_type=Path),
    metavar="PLAN.json",
    help="Carry out this plan: a list of {description, depends_on}, or {goal, steps}.",
)
@click.option(
    "--max-duration",
    default="1w",
    metavar="SPAN",
    help="How long the run may live, such as 30m, 6h, 1w (the default, and the most).",
)
@click.option(
    "--budget", type=float, metavar="CREDITS", help="Most credits the run may use, its steps included (1 credit = 0.1 US cent)."
)
@click.option(
    "--deliverable",
    "deliverables",
    multiple=True,
    metavar="PATH",
    help="A file the run must have made before it counts as done. Repeatable.",
)
@click.option("--thoughts", is_flag=True, help="Show what the model thinks.")
@click.option("--detach", is_flag=True, help="Start it in the background and return at once.")
@click.option("--isolate", is_flag=True, help="Every slice in a process of its own.")
@click.option(
    "--approve", default="ask", metavar="ask|auto", help="auto opens the gates before tool calls by itself; the log says so."
)
@click.option("--dry-run", is_flag=True, help="Make no call that changes something outside; say what each would have done.")
@click.option(
    "--notify",
    multiple=True,
    metavar="ADDRESS",
    help="Who hears of it: mailto:ann@example.com, slack:#alerts, webhook:NAME or https://…. Repeatable.",
)
@click.option("--approver", "approvers", multiple=True, metavar="NAME", help="Who may answer its questions. Repeatable.")
@click.option(
    "--at-budget",
    default="go_on",
    type=click.Choice(get_args(AtBudget)),
    help="When four fifths of the budget are spent: go_on (the default), ask, fast (the FAST model) or stop.",
)
@click.option("--key", metavar="KEY", help="Idempotency key: the same key is the same run.")
@click.option("--title", default="", help="What the run is called in lists.")
@files_to
@common
@click.pass_obj
def run(common: Common, detach: bool, isolate: bool, out: Path | None, thoughts: bool, **given: Any) -> int:
    """Give the agent a task and watch it work. The run survives this terminal: Ctrl-C only detaches from it.

    Progress goes to stderr, the result to stdout. A TEXT of - reads the task from stdin.
    """
    new = _new_run(thoughts=thoughts, **given)
    if detach:
        return _in_background(common, going(_created(common, new)), isolate)
    return going(_run(common, new, Follow(thoughts=thoughts, out=out), isolate=isolate))


async def _run(common: Common, new: NewRun, how: Follow, *, isolate: bool) -> int:
    _refuse_without_model(common, new)
    async with opened(common, isolate=isolate, works=True) as home:
        created = await home.desk.create(new)
        return await follow(common, home, created.id, how)


async def _created(common: Common, new: NewRun) -> Run:
    _refuse_without_model(common, new)
    async with opened(common) as home:
        return await home.desk.create(new)


def _refuse_without_model(common: Common, new: NewRun) -> None:
    """What is wrong with the request comes first; a key nobody set is found before a run is made that must fail."""
    checked_request(new)
    if demo_tools(settings := settings_of(common)):
        rule = "is the demo's, whose model is a script of one task: leave --home out, or name another folder"
        raise Invalid("--home", str(settings.home), rule)
    if not model_access():
        how = "get one at https://aistudio.google.com/apikey, or see Auteryn work without one: auteryn demo"
        raise Invalid("GEMINI_API_KEY", "", f"is not set: {how}")


def _new_run(
    *,
    text: str,
    files: tuple[Path, ...],
    steps: Path | None,
    budget: float | None,
    deliverables: tuple[str, ...],
    thoughts: bool,
    notify: tuple[str, ...],
    approvers: tuple[str, ...],
    dry_run: bool,
    **plain: Any,
) -> NewRun:
    """What was asked for, as the service takes it; raises `Invalid` or a usage error before anything is opened."""
    if text == "-":
        text = sys.stdin.read()
    if not text.strip() and steps is None:
        raise click.UsageError('say what to do: auteryn run "Analyze sales.csv" --file sales.csv')
    goal, plan = _plan(steps) if steps else ("", ())
    return NewRun(
        input=text,
        goal=goal,
        steps=drafts(plan),
        files=_by_name(files),
        include_thoughts=thoughts,
        notify=channels(notify),
        people=People(approvers=approvers),
        effects="dry" if dry_run else "free",
        budget=Budget(credits=budget),
        deliverables=tuple(FileCheck(path=path) for path in deliverables),
        **plain,
    )


def _by_name(files: tuple[Path, ...]) -> dict[str, bytes | Path]:
    named: dict[str, bytes | Path] = {}
    for file in files:
        name = file.name
        if not name.isprintable():
            raise Invalid("--file", name, "is no name a file of a run can have: give a copy with a plain name")
        if file.is_dir():
            raise Invalid("--file", str(file), "is a folder: name the files in it, or pack it first")
        if not file.is_file():
            raise Invalid("--file", str(file), "is no file that can be read: check the path")
        if name in named:
            raise Invalid("--file", str(file), f"has the same name as {named[name]}: give one of them another name")
        named[name] = file
    return named


def _plan(path: Path) -> tuple[str, list[Any]]:
    """Goal and steps from a JSON file."""
    try:
        found: Any = from_stranger(path.read_bytes())
    except OSError as error:
        raise Invalid("--steps", str(path), f"cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("--steps", str(path), f"is no JSON: {error}") from error
    whole = cast("dict[str, Any]", found) if isinstance(found, dict) else {"steps": found}
    steps = whole.get("steps")
    if not isinstance(steps, list) or not steps:
        raise Invalid("--steps", str(path), "must hold a list of steps, or an object with `steps`")
    return str(whole.get("goal", "")), cast("list[Any]", steps)


def _in_background(common: Common, created: Run, isolate: bool) -> int:
    """Hand the run to a process of its own that outlives this one."""
    home = settings_of(common).home
    log = home / "background" / f"{created.id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    argv = [
        sys.executable,
        "-m",
        "auteryn",
        "--home",
        str(home),
        "watch",
        created.id,
        "--background",
        *(["--isolate"] if isolate else []),
    ]
    with log.open("ab") as sink:
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    if common.json:
        output.json_line({"run": created.id, "log": str(log)})
    elif common.quiet:
        output.text(created.id)
    else:
        output.text(created.id)
        click.echo(f"It works in the background: auteryn watch {created.id}  ·  auteryn result {created.id} --wait", err=True)
    return exits.DONE
