"""`auteryn chaos`: the crash matrix, on this machine."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from collections.abc import Sequence

import click

from auteryn.cli import exits, output
from auteryn.cli.root import Common, common
from auteryn.cli.screen import Screen

SHOWN = 10
"""Broken laws listed for one scenario; the rest is counted."""
SAMPLE = 3
"""Of every kind of disturbance in the cloud, where not everything is wanted."""


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option(
    "--full", is_flag=True, help="Everything that can be done, one thing at a time. Takes many minutes; with --cloud, hours."
)
@click.option("--cloud", is_flag=True, help="The cloud shape instead: real processes on emulators.")
@click.option(
    "--seeds", type=click.IntRange(0, 1_000), default=3, show_default=True, help="With --cloud: so often faults by chance."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which sample is taken.")
@common
@click.pass_obj
def chaos(common: Common, scenarios: tuple[str, ...], full: bool, cloud: bool, seeds: int, seed: int) -> int:
    """Kill the engine before and after every effect, cut the power, lose and double its messages, thaw its zombies;
    print what holds.

    Everything happens in temporary folders and in virtual time, with a scripted model. Exit code 1 if a law was broken.
    """
    logging.getLogger("auteryn").setLevel(logging.CRITICAL)  # whatever is killed would say so, thousands of times
    screen = Screen(sys.stdout, quiet=common.quiet)
    if cloud:
        return _in_the_cloud(common, screen, scenarios, range(seed + 1, seed + seeds + 1), None if full else SAMPLE)
    from auteryn.testing.chaos import Report, main

    def tell(report: Report) -> None:
        if common.json:
            output.json_line({**dataclasses.asdict(report), "holds": report.holds})
            return
        screen.parts(
            ("✓ " if report.holds else "✗ ", "green" if report.holds else "red"),
            (f"{report.scenario:<12}", "bold"),
            _counts(report),
        )
        for law in report.broken[:SHOWN]:
            screen.line(f"    {law}", "red")

    def _counts(report: Report) -> str:
        deaths = f"{report.kills} kills, {report.double_kills} double kills, {report.power_cuts} power cuts"
        others = f"{report.message_faults} message faults, {report.zombies} zombies"
        return f"{deaths}, {others} · {report.effects_doubled} effects doubled · {len(report.broken)} laws broken"

    reports = main(scenarios, full=full, seed=seed, tell=tell)
    return exits.DONE if all(report.holds for report in reports) else exits.FAILED


def _in_the_cloud(common: Common, screen: Screen, scenarios: Sequence[str], seeds: Sequence[int], each: int | None) -> int:
    from auteryn.testing.emulators.chaos import Examination, main

    def tell(found: Examination) -> None:
        if common.json:
            output.json_line({**dataclasses.asdict(found), "holds": found.holds})
            return
        screen.parts(
            ("✓ " if found.holds else "✗ ", "green" if found.holds else "red"),
            (f"{found.scenario:<12}", "bold"),
            f"{found.kills} kills, {found.freezes} zombies, {found.mishaps} message faults, {found.weathers} storms · "
            f"{found.effects_doubled} effects doubled · {len(found.broken)} laws broken",
        )
        for law in found.broken[:SHOWN]:
            screen.line(f"    {law}", "red")

    found = asyncio.run(main(scenarios, seeds, each=each, tell=tell))
    return exits.DONE if all(one.holds for one in found) else exits.FAILED
