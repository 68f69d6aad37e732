"""`auteryn logs`, `metrics`, `credits`: what a run did and what it cost."""

from __future__ import annotations

import click

from auteryn.cli import output
from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.cli.screen import clean
from auteryn.schema.record import to_json
from auteryn.service.logs import LogLine


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option(
    "--level", default="info", show_default=True, metavar="LEVEL", help="debug, info, warning or error, and all above it."
)
@common
@click.pass_obj
def logs(common: Common, run_id: str | None, level: str) -> None:
    """Print the log of a run and its steps."""
    going(_logs(common, run_id, level))


async def _logs(common: Common, run_id: str | None, level: str) -> None:
    async with opened(common) as home:
        for whose, line in await _tree_logs(home, await home.named(run_id), level):
            output.json_line(line) if common.json else output.text(clean(f"{str(line)[:28]}{whose}{str(line)[28:]}"))


async def _tree_logs(home: Home, run: str, level: str, whose: str = "") -> list[tuple[str, LogLine]]:
    """The lines of the run and everything below it in the order of time, each with the step or tick it belongs to."""
    lines = [(whose, line) for line in await home.desk.logs(run, level=level)]
    for child in (await home.desk.children(run)).runs:
        lines += await _tree_logs(home, child.id, level, f"[{child.parent.kind} {child.parent.key}] " if child.parent else "")
    return sorted(lines, key=lambda pair: pair[1].at)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def metrics(common: Common, run_id: str | None) -> None:
    """Print time, calls, tokens and credits of a run, its steps included."""
    going(_figures(common, run_id, "metrics"))


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def credits(common: Common, run_id: str | None) -> None:
    """Print what a run has cost, and for what."""
    going(_figures(common, run_id, "credits"))


async def _figures(common: Common, run_id: str | None, what: str) -> None:
    async with opened(common) as home:
        name = await home.named(run_id)
        found = await (home.desk.metrics(name) if what == "metrics" else home.desk.credits(name))
    if common.json:
        output.json_line(found)
        return
    for key, value in found.items():
        output.text(f"{key}: {value if isinstance(value, str | int | float) else to_json(value).decode()}")
