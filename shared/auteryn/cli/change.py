"""`auteryn rename`, `messages`, `step`: what can still be changed of a run under way."""

from __future__ import annotations

import click
import msgspec

from auteryn.cli import output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, common
from auteryn.cli.steer import told


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("title")
@common
@click.pass_obj
def rename(common: Common, run_id: str, title: str) -> None:
    """Give a run under way another title."""
    going(told(common, run_id, lambda desk, run: desk.rename(run, title), "told", rest=title))


@click.command()
@click.argument("run_id", metavar="RUN")
@click.argument("number", metavar="STEP", type=click.IntRange(1))
@click.option("--text", metavar="TEXT", help="What it is to do.")
@click.option("--skip", is_flag=True, help="Leave it out: what waits for it waits for what it waited for.")
@common
@click.pass_obj
def step(common: Common, run_id: str, number: int, text: str | None, skip: bool) -> None:
    """Change a step of a plan that has not begun, or leave it out."""
    if skip == (text is not None):
        raise click.UsageError("say one of --text and --skip")
    going(told(common, run_id, lambda desk, run: desk.change_step(run, number, text), "told"))


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--change", nargs=2, metavar="MESSAGE TEXT", help="It is to say something else.")
@click.option("--take-back", metavar="MESSAGE", help="It is never heard.")
@common
@click.pass_obj
def messages(common: Common, run_id: str, change: tuple[str, str] | None, take_back: str | None) -> None:
    """What was said to a run and it has not heard; change it, or take it back."""
    if change and take_back:
        raise click.UsageError("say one of --change and --take-back")
    if change:
        going(told(common, run_id, lambda desk, run: desk.reword(run, *change), "told"))
    elif take_back:
        going(told(common, run_id, lambda desk, run: desk.reword(run, take_back, None), "told"))
    else:
        going(_listed(common, run_id))


async def _listed(common: Common, run_id: str) -> None:
    async with opened(common) as home:
        found = await home.desk.unheard(await home.named(run_id))
    if common.json:
        output.json_line({"messages": msgspec.to_builtins(found)})
        return
    for one in found:
        output.text(f"{one.id}  {one.by}, {'for later' if one.mode == 'queue' else 'on its way'}: {one.text}")
    if not found and not common.quiet:
        click.echo("Everything that was said has been heard.", err=True)
