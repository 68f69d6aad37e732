"""`auteryn tools`: what the agent can do here; one tool's contract; one tool tried by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from auteryn.cli import exits, output
from auteryn.cli.home import going, near, settings_of
from auteryn.cli.labels import label
from auteryn.cli.root import Common, Listing, common
from auteryn.compose import Settings, embedded
from auteryn.errors import Invalid, ToolFailed
from auteryn.runtime.host import Host
from auteryn.schema.record import derived_id, new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Limits, Run
from auteryn.tools.registry import Registry
from auteryn.tools.signature import arguments
from auteryn.tools.tool import Pause, Result, Tool, ToolContext


@click.group(cls=Listing)
def tools() -> None:
    """List the tools, show one, try one."""


@tools.command(name="list")
@common
@click.pass_obj
def list_(common: Common) -> None:
    """Every tool that works here, by group; hidden ones with what they need."""
    registry = _registry(common)
    for one in registry if common.json else ():
        output.json_line(_contract(one))
    if common.json:
        return
    rows = [(one.name, one.group, one.effect, one.permission, one.description.splitlines()[0]) for one in registry]
    output.table(("TOOL", "GROUP", "EFFECT", "ASKS", "WHAT IT DOES"), sorted(rows, key=lambda row: (row[1], row[0])))
    for name, why in sorted(registry.hidden.items()):
        output.text(f"{name}: hidden, {why}")


@tools.command()
@click.argument("name")
@common
@click.pass_obj
def show(common: Common, name: str) -> None:
    """One tool's contract: what the model reads, its arguments, its effect."""
    one = _known(_registry(common), name)
    if common.json:
        output.json_line(_contract(one))
        return
    output.text(f"{one.name}  ({one.group})\n\n{one.description}\n")
    permission = "by its arguments" if one.decide or one.judge else one.permission
    output.text(f"effect: {one.effect}   permission: {permission}")
    labels = {"private": one.private, "reads files": one.reads_files, "untrusted": one.untrusted, "sends": one.sends}
    output.text(f"labels: {', '.join(name for name, has in labels.items() if has) or 'none'}")
    output.text(f"time-out: {one.timeout.total_seconds():g} s   {one.cost / 1000:g} credits a call\n")
    required = one.parameters.get("required", [])
    for argument, schema in one.parameters.get("properties", {}).items():
        kind = schema.get("type") or "/".join(str(option.get("type", "?")) for option in schema.get("anyOf", ()))
        if "enum" in schema:
            kind = " | ".join(map(str, schema["enum"]))
        default = "" if argument in required else f", default {schema.get('default')!r}"
        output.text(f"  {argument} ({kind}{default})  {schema.get('description', '')}")


@tools.command(name="try")
@click.argument("name")
@click.option(
    "--arg", "given", multiple=True, metavar="K=V", help="An argument; V is JSON where the tool wants more than text."
)
@click.option(
    "--file", "files", multiple=True, type=click.Path(path_type=Path), help="A file the tool may use, by its own name."
)
@click.option("--yes", is_flag=True, help="Allow a call that would otherwise ask a person.")
@common
@click.pass_obj
def try_(common: Common, name: str, given: tuple[str, ...], files: tuple[Path, ...], yes: bool) -> int:
    """Call one tool by hand, with the same checks as in a run, in an empty folder of its own."""
    one = _known(_registry(common), name)
    args = _arguments(one, given)
    with tempfile.TemporaryDirectory(prefix="auteryn-try-") as folder:
        settings = replace(settings_of(common), home=Path(folder))
        outcome = going(_called(settings, one, args, files, yes=yes))
    if isinstance(outcome, ToolFailed):
        raise outcome
    match outcome:
        case Pause():
            output.text(f"{label(name, args)}: in a run, this waits ({type(outcome.wait).__name__})")
        case Result():
            output.json_line(outcome.output)
        case _:
            output.json_line(outcome)
    return exits.DONE


async def _called(settings: Settings, one: Tool, args: dict[str, Any], files: Sequence[Path], *, yes: bool) -> Any:
    host = embedded(settings)
    context = _context(host)
    try:
        for path in files:
            if not path.is_file():
                raise Invalid("--file", str(path), "is no file that can be read")
            target = context.files.root / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if _asks(one, args, context) and not yes:
            raise click.UsageError(f"{label(one.name, args)} would ask a person first: allow it with --yes")
        context.call_tool = partial(_within, context, yes)
        return await one.outcome(context, args)
    except ToolFailed as error:
        return error
    finally:
        await context.sitting.close()
        await host.close()


def _asks(one: Tool, args: dict[str, Any], context: ToolContext) -> bool:
    return one.judged(args, context.files, context.run).permission != "auto"


async def _within(context: ToolContext, yes: bool, number: int, name: str, args: dict[str, Any]) -> Any:
    """A call that a script makes: as in a run, what a person must allow or what waits is refused."""
    one = context.registry.get(name)
    args = arguments(one, args)
    if one.calls_tools:
        raise ToolFailed("unsupported", f"{name} cannot be called from within another call")
    if _asks(one, args, context) and not yes:
        raise ToolFailed("denied", f"{label(name, args)} must be allowed by a person: allow it with --yes")
    match await one.outcome(replace(context, call=derived_id("call", context.call, number)), args):
        case Pause():
            raise ToolFailed("unsupported", f"{name} waits, and a script cannot")
        case Result(output=output):
            return output
        case output:
            return output


def _context(host: Host) -> ToolContext:
    engine, now = host.engine, host.engine.now()
    run = Run(
        id=new_id("run"),
        title="tried by hand",
        mode="deep",
        routing=Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason="tried by hand"),
        created_at=now,
        deadline_at=now + timedelta(days=7),
        limits=Limits(llm_calls=1),
    )
    call = new_id("call")
    return ToolContext(
        run=run,
        call=call,
        files=engine.files.of(run.id),
        store=engine.services.store,
        blobs=engine.services.blobs,
        clock=engine.services.clock,
        registry=engine.registry,
        egress=engine.egress,
    )


def _arguments(one: Tool, given: Sequence[str]) -> dict[str, Any]:
    """The call's arguments, checked as a model's would be."""
    raw: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            raise Invalid("--arg", pair, "must be name=value")
        raw[key] = _value(one.parameters.get("properties", {}).get(key, {}), value)
    try:
        return arguments(one, raw)
    except ToolFailed as error:
        raise Invalid("--arg", " ".join(given), f"does not fit {one.name}: {error}") from error


def _value(schema: dict[str, Any], value: str) -> Any:
    if schema.get("type") == "string":
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _known(registry: Registry, name: str) -> Tool:
    try:
        return registry.get(name)
    except ToolFailed as error:
        guess = near(name, [one.name for one in registry])
        raise Invalid("NAME", name, f"cannot be used ({error}){guess}; `auteryn tools list` names them all") from error


def _registry(common: Common) -> Registry:
    """The tools of this home, without opening it: nothing is written."""
    from auteryn.compose import registry_of
    from auteryn.demo.marker import demo_tools

    return registry_of(demo_tools(settings_of(common)), settings_of(common).home)


def _contract(one: Tool) -> dict[str, Any]:
    return {
        "name": one.name,
        "group": one.group,
        "description": one.description,
        "parameters": one.parameters,
        "effect": one.effect,
        "permission": one.permission,
        "timeout_seconds": one.timeout.total_seconds(),
        "credits": one.cost / 1000,
        "modes": list(one.modes),
    }
