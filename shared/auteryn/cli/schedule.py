"""`auteryn schedule ls`, `cancel`: what repeats, when next, and how it ends."""

from __future__ import annotations

import click

from auteryn.cli import output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, Listing, common
from auteryn.policy.durations import moment, shown


@click.group(cls=Listing)
def schedule() -> None:
    """List schedules with their next ticks, or cancel one."""


@schedule.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def ls(common: Common, run_id: str | None) -> None:
    """Schedules under way in all runs, or all of one run."""
    going(_ls(common, run_id))


async def _ls(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.schedules(await home.named(run_id) if run_id else None)
    if common.json:
        for one in found:
            output.json_line(one)
    else:
        rows = [
            (s.run, s.schedule.id, shown(s.schedule.every), "over" if s.over else moment(s.next[0]), s.schedule.name)
            for s in found
        ]
        output.table(("RUN", "SCHEDULE", "EVERY", "NEXT", "NAME"), rows, none="Nothing is scheduled.")


@schedule.command()
@click.argument("run_id", metavar="RUN")
@click.argument("name", metavar="SCHEDULE")
@common
@click.pass_obj
def cancel(common: Common, run_id: str, name: str) -> None:
    """Start no tick of SCHEDULE (its id or name) any more; the run goes on."""
    going(_cancel(common, run_id, name))


async def _cancel(common: Common, run_id: str, name: str) -> None:
    async with opened(common) as home:
        run = await home.desk.end_schedule(await home.named(run_id), name)
    if common.json:
        output.json_line({"run": run.id, "schedule": name})
    elif not common.quiet:
        click.echo(f"{name} of {run.id} ticks no more.", err=True)
