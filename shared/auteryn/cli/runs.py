"""`auteryn ls`, `status`, `result`: how runs stand, without touching them."""

from __future__ import annotations

from contextlib import suppress
from typing import cast, get_args

import click

from auteryn.cli import exits, output
from auteryn.cli.follow import TICK
from auteryn.cli.home import Home, going, opened
from auteryn.cli.prompt import words
from auteryn.cli.root import Common, common
from auteryn.cli.screen import clean, fitted
from auteryn.cli.stalled import needs_person
from auteryn.errors import Invalid, WrongState
from auteryn.policy.durations import shown
from auteryn.schema.run import Run, Status
from auteryn.service.listing import Wanted
from auteryn.service.why import waits_on


@click.command()
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    help="Only these: running, waiting, paused, completed, failed, cancelled …",
)
@click.option("--text", default="", metavar="TEXT", help="Only with this somewhere in the title or the id.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only with this label; all of several.")
@click.option("--asking", is_flag=True, help="Only those with an open question.")
@click.option("--of", metavar="RUN", help="The runs of its steps and ticks, not those that were started.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many, newest first.")
@common
@click.pass_obj
def ls(
    common: Common, statuses: tuple[str, ...], text: str, labels: tuple[str, ...], asking: bool, of: str | None, limit: int
) -> None:
    """List the runs of this home, newest first."""
    if unknown := [one for one in statuses if one not in get_args(Status)]:
        raise Invalid("--status", unknown[0], f"is none of {', '.join(get_args(Status))}")
    if broken := [one for one in labels if one.find("=") < 1]:
        raise Invalid("--label", broken[0], "must be NAME=VALUE")
    named = dict(one.split("=", 1) for one in labels)
    going(_ls(common, Wanted(status=cast("tuple[Status, ...]", statuses), text=text, labels=named, asking=asking), of, limit))


async def _ls(common: Common, wanted: Wanted, of: str | None, limit: int) -> None:
    async with opened(common) as home:
        desk = home.desk
        page = await (desk.children(await home.named(of), limit=limit) if of else desk.runs(wanted, limit=limit))
        fitting = [run for run in page.runs if wanted.fits(run) and run.status in (wanted.status or (run.status,))]
        found = [await desk.get(run.id) for run in fitting]
        runs = [await desk.counted(run) for run in found]
        if common.json:
            for run in runs:
                output.json_line(run)
        elif common.quiet:
            for run in runs:
                output.text(run.id)
        elif not runs:
            click.echo(
                f'There is no run in {home.settings.home}. Begin one: auteryn run "…"  ·  or see it work: auteryn demo',
                err=True,
            )
        else:
            rows = [_row(home, run, asks=bool(run.shares and await desk.asks(run.id))) for run in runs]
            output.table(("RUN", "STATUS", "MODE", "STEPS", "AGE", "CREDITS", "TITLE"), rows, right=(5,))
            if page.next:
                click.echo(f"More with --limit {limit * 2}.", err=True)


WAITING = {"person": "needs you", "steps": "steps under way", "time": "sleeping"}


def _row(home: Home, run: Run, *, asks: bool) -> tuple[str, ...]:
    """`asks`: one of its steps asks a person."""
    steps = f"{run.plan.done}/{len(run.plan.steps)}" if run.plan else "-"
    status = WAITING["person"] if asks else WAITING.get(waits_on(run), run.status)
    age = shown(home.host.engine.now() - run.created_at).split()[0]
    return run.id, status, run.mode.upper(), steps, age, f"{run.usage.credits.total / 1000:.1f}", fitted(clean(run.title), 60)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def status(common: Common, run_id: str | None) -> None:
    """Say how a run stands and what it waits for. Without RUN, the newest one."""
    going(_status(common, run_id))


async def _status(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        desk, name = home.desk, await home.named(run_id)
        run = await desk.get(name)
        if common.json:
            line, why = await desk.status_line(name), await desk.why_waiting(name)
            output.json_line(
                {"run": name, "status": run.outer_status, "state": run.status, "detail": line, "why": why, "title": run.title}
            )
            return
        output.text(f"{run.outer_status} - {await desk.status_line(name)}")
        output.text(clean(await desk.why_waiting(name)))
        health = await desk.health(name)
        if health.due == "now" and not health.leased:
            output.text(f"{home.command} watch {name}")
        for one in health.undelivered:
            output.text(f"Not delivered: {clean(one)}")
        for ask in await desk.asks(name):
            for value in words(ask):
                output.text(f"{home.command} answer {ask.id} {value}")
        for step in run.plan.steps if run.plan else ():
            output.text(f"  {step.id:>2}  {step.status:<12} {fitted(clean(step.description), 80)}")


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--wait", is_flag=True, help="Until it has ended, or waits for a person; if nobody works on it, it goes on here.")
@common
@click.pass_obj
def result(common: Common, run_id: str | None, wait: bool) -> int:
    """Print the result of a run that has ended. Without RUN, the newest one. The exit code says how it ended."""
    return going(_result(common, run_id, wait))


async def _result(common: Common, run_id: str | None, wait: bool) -> int:
    async with opened(common) as home:
        run = await home.desk.get(await home.named(run_id))
        if wait and not run.terminal:
            run = await _settled(home, run)
        asks = await home.desk.asks(run.id)
    if not run.terminal:
        if not asks:
            raise WrongState(f"run {run.id!r} is {run.status}, it has no result yet: `auteryn watch {run.id}` goes on with it")
        click.echo(f"auteryn: {run.id} waits for a person: auteryn status {run.id}", err=True)
        return exits.NEEDS_PERSON
    if common.json:
        output.json_line(
            {
                "run": run.id,
                "status": run.status,
                "result": run.result,
                "failure": run.failure,
                "verdicts": run.verdicts,
                "artifacts": run.artifacts,
            }
        )
    elif run.result:
        output.result(run.result)
    if run.failure and not common.json:
        click.echo(f"auteryn: {run.id} failed ({run.failure.reason}): {run.failure.message}", err=True)
    elif run.status == "cancelled" and not common.json:
        click.echo(f"auteryn: {run.id} was cancelled", err=True)
    return exits.of_run(run.status, run.failure.reason if run.failure else None)


async def _settled(home: Home, run: Run) -> Run:
    """The run as it is when it has ended, or when only a person can move it."""
    await home.host.start()
    while True:
        with suppress(TimeoutError):
            return await home.desk.result(run.id, timeout=TICK)
        engine = home.host.engine
        if await needs_person(engine.services.store, run.root, engine.now()):
            return await home.desk.get(run.id)
