"""`auteryn answer`: what a person says to a question; the run then goes on."""

from __future__ import annotations

import click

from auteryn.cli import exits, output
from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import Home, going, opened
from auteryn.cli.prompt import meant, whoever
from auteryn.cli.root import Common, common
from auteryn.errors import NotFound
from auteryn.schema.human import Ask


@click.command()
@click.argument("ask_id", metavar="ASK")
@click.argument("value")
@click.option("--remember", is_flag=True, help="For a tool call: allow the same for the rest of this run.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on when somebody opens the home.")
@common
@click.pass_obj
def answer(common: Common, ask_id: str, value: str, remember: bool, detach: bool) -> int:
    """Answer a question of a run, by an option's text or number; then follow the run to its end.

    `auteryn status` shows the open questions. The first answer wins.
    """
    return going(_answer(common, ask_id, value, remember, detach))


async def _answer(common: Common, ask_id: str, value: str, remember: bool, detach: bool) -> int:
    async with opened(common) as home:
        run, ask = await _of(home, ask_id)
        said = await home.desk.answer(ask_id, meant(ask, value) if ask else value, by=whoever(), remember=remember)
        if not detach:
            return await follow(common, home, run, Follow(from_now=True))
        if common.json:
            output.json_line(said)
        elif not common.quiet:
            click.echo(f"{run} goes on when its home is opened: {home.command} watch {run}", err=True)
        return exits.DONE


async def _of(home: Home, ask_id: str) -> tuple[str, Ask | None]:
    """The tree the question belongs to, and the question if it is open; raises `NotFound`."""
    doc = await home.host.engine.services.store.doc("ask", ask_id)
    if doc is None:
        raise NotFound(f"there is no question {ask_id!r} in {home.settings.home}: `auteryn status` shows the open ones")
    run = await home.desk.get(doc.body["run"])
    return run.root, next((ask for ask in run.asks if ask.id == ask_id), None)
