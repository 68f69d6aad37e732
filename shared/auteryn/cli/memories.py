"""`auteryn memories`: what the runs of this home keep for later ones."""

from __future__ import annotations

import click

from auteryn.cli import output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, Listing, common
from auteryn.cli.screen import clean
from auteryn.policy.durations import moment


@click.group(cls=Listing)
def memories() -> None:
    """List what runs have saved for later ones, or have it forgotten."""


@memories.command()
@common
@click.pass_obj
def ls(common: Common) -> None:
    """List the memories, newest first."""
    going(_ls(common))


async def _ls(common: Common) -> None:
    async with opened(common) as home:
        found = await home.desk.memories()
    if common.json:
        for one in found:
            output.json_line(one)
    else:
        rows = [(one.id, moment(one.saved_at), one.run, clean(" ".join(one.text.split()))) for one in found]
        output.table(("MEMORY", "SAVED", "BY", "TEXT"), rows, none="Nothing is remembered.")


@memories.command()
@click.argument("memory")
@common
@click.pass_obj
def forget(common: Common, memory: str) -> None:
    """No later run finds MEMORY any more."""
    going(_forget(common, memory))


async def _forget(common: Common, memory: str) -> None:
    async with opened(common) as home:
        await home.desk.forget(memory)
    common.done(f"{memory} is forgotten.")
