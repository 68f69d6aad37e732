"""`auteryn mcp`: tool servers of others: add one, see what it offers, approve it, say what its tools may do."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import cast

import click

from auteryn.cli import exits, output
from auteryn.cli.home import going, settings_of
from auteryn.cli.root import Common, Listing, common
from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.egress import Egress
from auteryn.tools.mcp import (
    add_server,
    allow,
    approve,
    changes,
    read_approved,
    read_servers,
    remove_server,
    tool_name,
)
from auteryn.tools.mcp_server import Connection, Definition, ServerConfig, Settled, first_reason
from auteryn.tools.needs import no_mcp
from auteryn.tools.tool import Effect, Permission
from auteryn.tools.untrusted import cleaned


@click.group(cls=Listing)
def mcp() -> None:
    """Add, approve and list tool servers (MCP)."""


@mcp.command()
@click.argument("name")
@click.option("--command", default="", help="Program to start, with its arguments.")
@click.option("--url", default="", help="Address of a server that speaks streamable HTTP.")
@click.option("--env", multiple=True, help="NAME=value for the program; ${AUTERYN_SECRET_…} stands for a secret.")
@click.option("--header", multiple=True, help="Name=value for a url; ${AUTERYN_SECRET_…} stands for a secret.")
@common
@click.pass_obj
def add(common: Common, name: str, command: str, url: str, env: tuple[str, ...], header: tuple[str, ...]) -> None:
    """Add a server. Nothing of it is used before `auteryn mcp approve`."""
    program, *args = _words(command) or [""]
    if bool(program) == bool(url):
        raise Invalid("--command", command, "give --command or --url, one of them")
    config = ServerConfig(command=program, args=args, url=url, env=_pairs("--env", env), headers=_pairs("--header", header))
    add_server(settings_of(common).home, name, config)
    common.done(f"{name} is added; `auteryn mcp approve {name}` shows its tools")


@mcp.command()
@click.argument("name")
@common
@click.pass_obj
def remove(common: Common, name: str) -> None:
    """Take a server out, with what was approved of it."""
    remove_server(settings_of(common).home, name)
    common.done(f"{name} is taken out.")


@mcp.command(name="list")
@common
@click.pass_obj
def list_(common: Common) -> None:
    """The servers and their approved tools."""
    home = settings_of(common).home
    approved = read_approved(home).servers
    servers = read_servers(home).mcpServers
    if not servers and not common.json:
        click.echo("There is no tool server: auteryn mcp add NAME --command … or --url … adds one.", err=True)
    for name, config in servers.items():
        tools = sorted(tool_name(name, tool) for tool in approved.get(name, {}))
        where = config.url or shlex.join([config.command, *config.args])
        if common.json:
            output.json_line({"server": name, "where": where, "tools": tools})
        else:
            output.text(f"{name}: {where}")
            output.text(f"  {', '.join(tools) if tools else 'nothing is approved'}")


@mcp.command(name="approve")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Approve all that is shown.")
@common
@click.pass_obj
def approve_(common: Common, name: str, yes: bool) -> int:
    """Show what a server offers now, and what has changed; approve it after a look."""
    settings = settings_of(common)
    if why := no_mcp():
        raise ToolFailed("missing_extra", why)
    servers = read_servers(settings.home).mcpServers
    if name not in servers:
        raise Invalid("NAME", name, f"is not among the servers: {', '.join(servers) or 'there are none'}")
    definitions = going(_offered(servers[name], settings.egress))
    known = read_approved(settings.home).servers.get(name, {})
    states = changes(known, definitions)
    described = {one.name: cleaned(" ".join(one.description.split()))[:200] for one in definitions}
    for tool, state in states.items():
        line = {"state": state, "tool": tool_name(name, tool), "description": described.get(tool, "")}
        if common.json:
            output.json_line(line)
        else:
            output.text(f"{state:9} {line['tool']}{': ' if tool in described else ''}{line['description']}")
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: look at what is shown, then approve it with --yes")
    if not yes and not click.confirm("Approve these?", err=True):
        return exits.FAILED
    approve(settings.home, name, definitions)
    common.done(f"{len(definitions)} tools of {name} are approved as they are now")
    return exits.DONE


@mcp.command(name="allow")
@click.argument("name")
@click.argument("tool")
@click.option("--effect", type=click.Choice(["read", "idempotent", "once"]), default="once", show_default=True)
@click.option("--permission", type=click.Choice(["auto", "ask1", "ask"]), default="ask", show_default=True)
@click.option("--sends/--keeps", default=True, show_default=True, help="Whether its arguments can carry something out.")
@common
@click.pass_obj
def allow_(common: Common, name: str, tool: str, effect: str, permission: str, sends: bool) -> None:
    """Say what a tool does and whether a person is asked: a server's own word is not taken for it."""
    home = settings_of(common).home
    known = read_approved(home).servers.get(name, {})
    if name in read_servers(home).mcpServers and tool not in known:
        raise Invalid("TOOL", tool, f"is none of the approved tools of {name}: {', '.join(known) or 'there are none'}")
    word = Settled(effect=cast("Effect", effect), permission=cast("Permission", permission), sends=sends)
    allow(home, name, tool, word)


async def _offered(config: ServerConfig, guard: Egress) -> list[Definition]:
    try:
        connection = await Connection.open(config, guard)
    except (OSError, TimeoutError, ExceptionGroup, RuntimeError) as error:
        there = not config.command or shutil.which(config.command)
        why = first_reason(error) if there else f"there is no program {config.command!r}"
        raise ToolFailed("unavailable", f"the server does not answer: {why}") from error
    try:
        return list(connection.definitions.values())
    finally:
        await connection.close()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise Invalid("--command", command, f"cannot be read: {error}") from None


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    found = dict[str, str]()
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise Invalid(option, one, "must be NAME=value")
        found[name] = value
    return found
