"""`auteryn demo`: the whole product in under a minute, without a key."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from auteryn.cli.home import going
from auteryn.cli.root import Common, common, files_to


@click.command()
@click.option("--no-kill", is_flag=True, help="Do without the crash in the middle.")
@files_to
@common
@click.pass_obj
def demo(common: Common, no_kill: bool, out: Path | None) -> int:
    """Watch a run plan, work side by side, be killed, go on, ask, and hand over its files.

    Only the model is a script. Engine, store, tools, files, processes and the crash are real. Uses a new home in the
    temporary folder; with --home, that one.
    """
    from auteryn.cli.play import play

    home = common.home or tempfile.mkdtemp(prefix="auteryn-demo-")
    return going(play(common, Path(home), kill=not no_kill, out=out))
