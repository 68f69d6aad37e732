"""`auteryn export`, `import`, `erase`: a run as one file, and no run at all."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from auteryn.cli import output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common
from auteryn.errors import Invalid
from auteryn.service.bundle import name_of


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Where to: RUN.auteryn.zip; - is stdout."
)
@common
@click.pass_obj
def export(common: Common, run_id: str, out: Path | None) -> None:
    """Write a run, its steps, notes and files into one zip. Secrets are struck out: others may look into it."""
    going(_export(common, run_id, out))


async def _export(common: Common, run_id: str, out: Path | None) -> None:
    async with opened(common) as home:
        run = await home.desk.get(await home.named(run_id))
        body = await home.desk.export(run.id)
    if out == Path("-"):
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    where = out or Path(name_of(run))
    if where.exists():
        raise Invalid("--out", str(where), "exists already: remove it, or name another file")
    where.write_bytes(body)
    output.json_line({"run": run.id, "path": str(where), "size_bytes": len(body)}) if common.json else output.text(str(where))


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@common
@click.pass_obj
def import_(common: Common, file: Path) -> None:
    """Take in an exported run, with everything that happened in it. One that had not ended is cancelled here."""
    going(_import(common, file.read_bytes()))


async def _import(common: Common, body: bytes) -> None:
    async with opened(common) as home:
        run = await home.desk.take_in(body)
        command = home.command
    output.json_line({"run": run.id, "status": run.status}) if common.json else output.text(run.id)
    common.done(f"It is {run.status}. Look into it: {command} logs {run.id}")


@click.command()
@click.argument("run_id", metavar="RUN")
@common
@click.pass_obj
def erase(common: Common, run_id: str) -> None:
    """Erase every copy of an ended run: what it was told, thought, noted and made. There is no way back."""
    going(_erase(common, run_id))


async def _erase(common: Common, run_id: str) -> None:
    async with opened(common) as home:
        erased, command = await home.desk.erase(await home.named(run_id)), home.command
    if common.json:
        output.json_line(erased)
    elif not common.quiet:
        left = f"LEFT OVER: {', '.join(erased.leftovers)}" if erased.leftovers else "nothing is left"
        click.echo(f"{len(erased.runs)} runs and {erased.blobs} files are erased; {left}.", err=True)
        if erased.memories:
            click.echo(f"What it saved for later runs stays ({erased.memories}): {command} memories", err=True)
