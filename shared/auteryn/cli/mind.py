"""`auteryn context`, `ledger`, `notes`: what a run's model has in mind, and what it wrote down."""

from __future__ import annotations

import click

from auteryn.cli import output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common
from auteryn.cli.screen import clean


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def context(common: Common, run_id: str | None) -> None:
    """Say which model has how much of a run in mind, when it was last summarised, and where its trace is."""
    going(_context(common, run_id))


async def _context(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.context(await home.named(run_id))
    output.fields(found, json=common.json)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def ledger(common: Common, run_id: str | None) -> None:
    """Print what the model of a run is shown in every turn, word for word, whatever was summarised."""
    going(_ledger(common, run_id))


async def _ledger(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.ledger(await home.named(run_id))
    if common.json:
        output.json_line(found)
        return
    for line in (*found.goal.splitlines(), "", *found.text.splitlines()):
        output.text(clean(line))
    if not common.quiet:
        click.echo(f"The conversation was summarised {found.compactions} times.", err=True)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def notes(common: Common, run_id: str | None) -> None:
    """Print what the agent noted down, by section; of a run and all its steps."""
    going(_notes(common, run_id))


async def _notes(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.scratchpad(await home.named(run_id))
    if common.json:
        output.json_line(found)
        return
    for section, said in found.items():
        output.text(f"{clean(section)}:")
        for one in said:
            output.text("\n".join(f"  {clean(line)}" for line in one.splitlines()))
    if not found:
        click.echo("Nothing was noted down.", err=True)
