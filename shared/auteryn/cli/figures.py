"""`auteryn logs`, `metrics`, `credits`, `estimate`, `health`: what a run did, what it costs, how it stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import click

from auteryn.cli import output
from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.cli.screen import clean
from auteryn.policy.durations import shown
from auteryn.ports.store import children_of
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
            output.json_line(line) if common.json else output.text(clean(line.shown(whose)))


async def _tree_logs(home: Home, run: str, level: str, whose: str = "") -> list[tuple[str, LogLine]]:
    """The lines of the run and everything below it in the order of time, each with the step or tick it belongs to."""
    lines = [(whose, line) for line in await home.desk.logs(run, level=level)]
    above = await home.desk.get(run)
    async for child in children_of(home.host.engine.services.store, run):
        lines += await _tree_logs(home, child.id, level, f"[{above.name_of(child.parent)}] " if child.parent else "")
    return sorted(lines, key=lambda pair: pair[1].at)


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def metrics(common: Common, run_id: str | None) -> None:
    """Print time, calls, tokens and credits of a run, its steps included."""
    going(_metrics(common, run_id))


async def _metrics(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        _print(common, await home.desk.metrics(await home.named(run_id)))


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--detail", is_flag=True, help="By step, tool, model and cause, too.")
@common
@click.pass_obj
def credits(common: Common, run_id: str | None, detail: bool) -> None:
    """Print what a run has cost, and for what; while it runs, also what it will come to."""
    going(_credits(common, run_id, detail))


async def _credits(common: Common, run_id: str | None, detail: bool) -> None:
    async with opened(common) as home:
        name = await home.named(run_id)
        found, ahead = await home.desk.credits(name, detail=detail), await home.desk.forecast(name)
        over = (await home.desk.get(name)).terminal
    by = found.pop("detail", None)
    if common.json:
        output.json_line({**found, **({"detail": by} if by else {}), **({} if over else {"forecast": ahead})})
        return
    _print(common, found)
    if not over:
        budget = "" if ahead.budget is None else f", budget {ahead.budget:g} ({ahead.within_budget})"
        output.text(f"forecast: {ahead.credits_p50:.1f} (p50), {ahead.credits_p90:.1f} (p90){budget}")
    for what in ("steps", "tools", "models", "causes") if by else ():
        rows = [(one["name"], f"{one['credits']:.3f}", str(one["llm_calls"]), str(one["tool_calls"])) for one in by[what]]
        output.table((what.upper(), "CREDITS", "MODEL CALLS", "TOOL CALLS"), rows, right=(1, 2, 3))


def _print(common: Common, found: dict[str, object]) -> None:
    if common.json:
        output.json_line(found)
        return
    for key, value in found.items():
        output.text(f"{key}: {value if isinstance(value, str | int | float) else to_json(value).decode()}")


@click.command()
@click.argument("text")
@click.option("--mode", default="auto", type=click.Choice(("auto", "fast", "deep")), help="As the run would be started.")
@click.option("--steps", default=0, type=click.IntRange(0), help="Of its plan, if you know.")
@common
@click.pass_obj
def estimate(common: Common, text: str, mode: Literal["auto", "fast", "deep"], steps: int) -> None:
    """Say what a task would cost and how long it would work, without starting it."""
    going(_estimate(common, text, mode, steps))


async def _estimate(common: Common, text: str, mode: Literal["auto", "fast", "deep"], steps: int) -> None:
    async with opened(common) as home:
        found = await home.desk.estimate(text, mode, steps)
    if common.json:
        output.json_line(found)
        return
    output.text(f"{found.mode.upper()}: {found.reason}; cost: {found.label}")
    output.text(f"credits: {found.credits_p50:.1f} (p50), {found.credits_p90:.1f} (p90); prices of {found.prices_of}")
    output.text(f"model calls: {found.llm_calls_p50} (p50), {found.llm_calls_p90} (p90)")
    half, most = (shown(timedelta(seconds=one)) for one in (found.seconds_p50, found.seconds_p90))
    output.text(f"at work: {half} (p50), {most} (p90); from {found.own_runs} runs of this home and what is usual")


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def health(common: Common, run_id: str | None) -> None:
    """Say who works on a run, when it wakes next, what is in its inbox, and how often the sweeper had to act."""
    going(_health(common, run_id))


async def _health(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.health(await home.named(run_id))
    output.fields(found, json=common.json)
