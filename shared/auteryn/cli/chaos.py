"""`auteryn chaos`: the crash matrix, on this machine."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence

import click

from auteryn.cli import exits, output
from auteryn.cli.root import Common, common
from auteryn.cli.screen import Screen

SHOWN = 10
"""Broken laws listed for one scenario; the rest is counted."""


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--full", is_flag=True, help="Every double kill, every zombie, and a week of 28 ticks. Takes many minutes.")
@click.option("--cloud", is_flag=True, help="The cloud shape instead: real processes on emulators, faults by seed.")
@click.option("--seeds", type=click.IntRange(1, 1_000), default=3, show_default=True, help="With --cloud: schedules.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which double kills are taken.")
@common
@click.pass_obj
def chaos(common: Common, scenarios: tuple[str, ...], full: bool, cloud: bool, seeds: int, seed: int) -> int:
    """Kill the engine before and after every effect, lose and double its messages, thaw its zombies; print what holds.

    Everything happens in temporary folders and in virtual time, with a scripted model. Exit code 1 if a law was broken.
    """
    screen = Screen(sys.stdout, quiet=common.quiet)
    if cloud:
        return _in_the_cloud(common, screen, scenarios, range(seed + 1, seed + seeds + 1))
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
        kills = f"{report.kills} kills, {report.double_kills} double kills, {report.message_faults} message faults"
        return (
            f"{kills}, {report.zombies} zombies · {report.effects_doubled} effects doubled · {len(report.broken)} laws broken"
        )

    reports = main(scenarios, full=full, seed=seed, tell=tell)
    return exits.DONE if all(report.holds for report in reports) else exits.FAILED


def _in_the_cloud(common: Common, screen: Screen, scenarios: Sequence[str], seeds: Sequence[int]) -> int:
    from auteryn.testing.emulators.chaos import Report, main

    def tell(report: Report) -> None:
        if common.json:
            output.json_line({**dataclasses.asdict(report), "holds": report.holds})
            return
        how = "undisturbed" if report.seed is None else f"seed {report.seed}"
        screen.parts(
            ("✓ " if report.holds else "✗ ", "green" if report.holds else "red"),
            (f"{report.scenario:<12}", "bold"),
            f"{how}: {report.executions} executions, {report.kills} kills, {len(report.faults)} faults · "
            f"{len(report.broken)} laws broken",
        )
        for law in report.broken[:SHOWN]:
            screen.line(f"    {law}", "red")

    reports = asyncio.run(main(scenarios, seeds, tell))
    return exits.DONE if all(report.holds for report in reports) else exits.FAILED
