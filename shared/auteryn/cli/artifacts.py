"""`auteryn artifacts`: the files a run has handed over."""

from __future__ import annotations

from pathlib import Path

import click

from auteryn.cli import output
from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, Listing, common
from auteryn.errors import NotFound
from auteryn.policy.durations import moment
from auteryn.schema.run import Artifact

FOLDER = Path("auteryn-out")
"""Under the working directory: one folder a run."""
NOTHING = "This run has handed over no files."


@click.group(cls=Listing)
def artifacts() -> None:
    """List the files of a run and their versions, or get them."""


@artifacts.command(name="list")
@click.argument("run_id", metavar="[RUN]", required=False)
@common
@click.pass_obj
def list_(common: Common, run_id: str | None) -> None:
    """List the files a run has handed over."""
    going(_list(common, run_id))


async def _list(common: Common, run_id: str | None) -> None:
    async with opened(common) as home:
        found = await home.desk.artifacts(await home.named(run_id))
    if common.json:
        for one in found:
            output.json_line(one)
    else:
        rows = [(one.path, f"{one.size_bytes:,}", one.media_type, one.title) for one in found]
        output.table(("PATH", "BYTES", "TYPE", "TITLE"), rows, right=(1,), none=NOTHING)


@artifacts.command()
@click.argument("words", nargs=-1, required=True, metavar="[RUN] PATH")
@common
@click.pass_obj
def versions(common: Common, words: tuple[str, ...]) -> None:
    """List what was handed over under PATH and when, oldest first; `get` takes an id, too. Without RUN, by the newest one."""
    *run, path = words
    if len(run) > 1:
        raise click.UsageError("name one file, and before it its run")
    going(_versions(common, run[0] if run else None, path))


async def _versions(common: Common, run_id: str | None, path: str) -> None:
    async with opened(common) as home:
        found = await home.desk.versions(await home.named(run_id), path)
    if common.json:
        for one in found:
            output.json_line(one)
    else:
        rows = [(one.artifact.id, moment(one.at), f"{one.artifact.size_bytes:,}", one.artifact.title) for one in found]
        output.table(("ID", "WHEN", "BYTES", "TITLE"), rows, right=(2,))


@artifacts.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("paths", nargs=-1, metavar="[PATH|ID]...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where to put them: auteryn-out/RUN."
)
@common
@click.pass_obj
def get(common: Common, run_id: str | None, paths: tuple[str, ...], out: Path | None) -> None:
    """Copy files of a run here: all of them, or those named; without RUN, of the newest one.

    A version named by its id comes into a folder of that name."""
    going(_get(common, run_id, paths, out))


async def _get(common: Common, run_id: str | None, paths: tuple[str, ...], out: Path | None) -> None:
    async with opened(common) as home:
        try:
            name = await home.named(run_id)
        except NotFound:  # only what is wanted was named: of the newest run, as for no word at all
            newest = (await home.desk.runs(limit=1)).runs
            of_it = [(one.path, one.id) for one in await home.desk.artifacts(newest[0].id)] if newest else []
            if run_id is None or not any(run_id in one for one in of_it):
                raise
            name, paths = newest[0].id, (run_id, *paths)
        wanted = [await home.desk.published(name, path) for path in paths] or list(await home.desk.artifacts(name))
        if not wanted and not common.json:
            click.echo(NOTHING, err=True)
        folder = out or FOLDER / name
        where = [folder / one.id if one.id in paths else folder for one in wanted]
        for path in [await copied(home, one, there) for one, there in zip(wanted, where, strict=True)]:
            output.json_line({"path": str(path)}) if common.json else output.text(str(path))


async def copied(home: Home, wanted: Artifact, folder: Path) -> Path:
    """Copy an artifact out of the home; gives where it is now."""
    target = folder / wanted.path
    target.parent.mkdir(parents=True, exist_ok=True)
    await home.host.engine.services.blobs.save(wanted.sha256, target)
    return target
