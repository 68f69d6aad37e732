"""`auteryn watch`: go on with a run and follow it to its end."""

from __future__ import annotations

from pathlib import Path

import click

from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common, files_to


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--after", default="", metavar="ID", help="Show only what came after this event id.")
@click.option("--thoughts", is_flag=True, help="Show what the model thinks.")
@click.option("--isolate", is_flag=True, help="Every slice in a process of its own.")
@files_to
@click.option("--background", is_flag=True, hidden=True)
@common
@click.pass_obj
def watch(
    common: Common, run_id: str | None, after: str, thoughts: bool, isolate: bool, out: Path | None, background: bool
) -> int:
    """Go on with a run where it stands and follow it to its end, as `auteryn run` does. Without RUN, the newest one."""
    return going(
        _watch(common, run_id, Follow(after=after, thoughts=thoughts, out=out, background=background), isolate=isolate)
    )


async def _watch(common: Common, run_id: str | None, how: Follow, *, isolate: bool) -> int:
    async with opened(common, isolate=isolate, works=True) as home:
        return await follow(common, home, await home.named(run_id), how)
