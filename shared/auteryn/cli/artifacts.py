"""`auteryn artifacts`: the files a run has handed over."""

from __future__ import annotations

from pathlib import Path

import click

from auteryn.cli import output
from auteryn.cli.home import Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.errors import NotFound
from auteryn.schema.run import Artifact

FOLDER = Path("auteryn-out")
"""Under the working directory: one folder a run."""


@click.group()
def artifacts() -> None:
    """List the files of a run, or get them."""


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
    elif found:
        rows = [(one.path, f"{one.size_bytes:,}", one.media_type, one.title) for one in found]
        output.table(("PATH", "BYTES", "TYPE", "TITLE"), rows, right=(1,))
    else:
        click.echo("This run has handed over no files.", err=True)


@artifacts.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where to put them: auteryn-out/RUN."
)
@common
@click.pass_obj
def get(common: Common, run_id: str | None, paths: tuple[str, ...], out: Path | None) -> None:
    """Copy files of a run here: all of them, or those named."""
    going(_get(common, run_id, paths, out))


async def _get(common: Common, run_id: str | None, paths: tuple[str, ...], out: Path | None) -> None:
    async with opened(common) as home:
        name = await home.named(run_id)
        found = {one.path: one for one in await home.desk.artifacts(name)}
        if unknown := [path for path in paths if path not in found]:
            raise NotFound(f"{name} has handed over no file {unknown[0]!r}: there is {', '.join(found) or 'none'}")
        wanted = [found[path] for path in paths] or list(found.values())
        for path in await copied(home, name, wanted, out):
            output.json_line({"path": str(path)}) if common.json else output.text(str(path))


async def copied(home: Home, run: str, wanted: list[Artifact], out: Path | None) -> list[Path]:
    """Copy artifacts out of the home; gives where they are now."""
    folder, placed = out or FOLDER / run, list[Path]()
    for one in wanted:
        target = folder / one.path
        target.parent.mkdir(parents=True, exist_ok=True)
        await home.host.engine.services.blobs.save(one.sha256, target)
        placed.append(target)
    return placed
