"""`auteryn answer`: what a person says to a question; the run then goes on."""

from __future__ import annotations

import shlex
from typing import Any

import click
import msgspec

from auteryn.cli import exits, output
from auteryn.cli.follow import Follow, follow
from auteryn.cli.home import Home, going, near, opened
from auteryn.cli.prompt import whoever
from auteryn.cli.root import Common, common
from auteryn.client.terminal import meant
from auteryn.errors import Invalid, NotFound
from auteryn.policy.durations import parse
from auteryn.runtime.outgoing import ASK
from auteryn.schema.human import Ask
from auteryn.schema.record import from_stranger


@click.command()
@click.argument("ask_id", metavar="ASK")
@click.argument("value")
@click.option("--remember", is_flag=True, help="For a tool call: the same answer for this tool and target until the run ends.")
@click.option("--for", "span", metavar="SPAN", help="With --remember: only so long, such as 2h.")
@click.option("--args", metavar="JSON", help="For a tool call: allow it with these arguments instead.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on when somebody opens the home.")
@common
@click.pass_obj
def answer(common: Common, ask_id: str, value: str, detach: bool, **how: Any) -> int:
    """Answer a question of a run, by an option's text or number; then follow the run to its end.

    `auteryn status` shows the open questions. The first answer wins.
    """
    return going(_answer(common, ask_id, value, detach, **how))


async def _answer(
    common: Common, ask_id: str, value: str, detach: bool, *, remember: bool, span: str | None, args: str | None
) -> int:
    changed = None if args is None else _object(args)
    async with opened(common) as home:
        run, ask = await _of(home, ask_id, value)
        until = home.host.engine.now() + parse(span, "--for") if span else None
        said = await home.desk.answer(
            ask_id, meant(ask, value) if ask else value, by=whoever(), remember=remember, until=until, args=changed
        )
        if not detach:
            return await follow(common, home, run, Follow(from_now=True))
        if common.json:
            output.json_line(said)
        elif not common.quiet:
            click.echo(f"{run} goes on when its home is opened: {home.command} watch {run}", err=True)
        return exits.DONE


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.convert(from_stranger(text), dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("--args", text, f"is no JSON object: {error}") from error


async def _of(home: Home, ask_id: str, value: str) -> tuple[str, Ask | None]:
    """The tree the question belongs to, and the question if it is open; raises `NotFound`."""
    store = home.host.engine.services.store
    doc = await store.doc(ASK, ask_id)
    if doc is None:
        if value.startswith("ask_") and await store.doc(ASK, value):
            raise NotFound(f"{ask_id!r} is no question and {value} is one: {home.turned(ask_id, value)}")
        if ask_id.startswith("run_") and (asks := await home.desk.asks(await home.named(ask_id))):
            them = " or ".join(f"{home.command} answer {ask.id} {shlex.quote(value)}" for ask in asks)
            raise NotFound(f"{ask_id} is a run, its questions have ids of their own: {them}")
        guess = near(ask_id, [ask.id for ask in await home.desk.asks()])
        raise NotFound(f"there is no question {ask_id!r} in {home.settings.home}{guess}: `auteryn status` shows the open ones")
    run = await home.desk.get(doc.body["run"])
    return run.root, next((ask for ask in run.asks if ask.id == ask_id), None)
