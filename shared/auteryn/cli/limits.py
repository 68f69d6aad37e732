"""`auteryn limits`: what owners may spend."""

from __future__ import annotations

import click
import msgspec

from auteryn.cli import output
from auteryn.cli.home import going
from auteryn.cli.keys import door
from auteryn.cli.root import Common, Listing, common
from auteryn.policy.durations import moment
from auteryn.policy.spend import spend_limit, written
from auteryn.runtime.spending import Spent
from auteryn.service import spend
from auteryn.service.access import Access


@click.group(cls=Listing)
def limits() -> None:
    """Say what owners may spend; over it nothing new is begun, and runs under way wait until the next span.

    AUTERYN_SPEND_LIMIT is the limit of everybody who has none of their own. With AUTERYN_BACKEND=gcp: of the deployment that
    GOOGLE_CLOUD_PROJECT and AUTERYN_REGION name.
    """


@limits.command(name="set")
@click.argument("owner")
@click.argument("limit")
@common
@click.pass_obj
def set_(common: Common, owner: str, limit: str) -> None:
    """Let an owner spend so many credits in a span: 1000/1d, 250/6h, none. Runs that wait look again at once."""
    going(_set(common, owner, limit))


async def _set(common: Common, owner: str, limit: str) -> None:
    wanted = spend_limit(limit)
    async with door(common) as engine:
        await spend.set_limit(engine, owner, wanted)
    _said(common, owner, written(wanted))


@limits.command()
@click.argument("owner")
@common
@click.pass_obj
def rm(common: Common, owner: str) -> None:
    """Give an owner the limit of everybody again."""
    going(_rm(common, owner))


async def _rm(common: Common, owner: str) -> None:
    async with door(common) as engine:
        await spend.set_limit(engine, owner, None)
    _said(common, owner, "as everybody")


@limits.command()
@common
@click.pass_obj
def ls(common: Common) -> None:
    """List the owners with a limit of their own, and what they have spent of it."""
    going(_ls(common))


async def _ls(common: Common) -> None:
    async with door(common) as engine:
        found = await spend.limits(engine.services.store)
        rows = [(one, await spend.standing(Access(engine, one.owner))) for one in found]
    if common.json:
        for one, now in rows:
            output.json_line({"owner": one.owner, "limit": written(one.limit), "now": msgspec.to_builtins(now)})
    elif common.quiet:
        for one, _ in rows:
            output.text(one.owner)
    else:
        shown = [(one.owner, written(one.limit), *_spent(now)) for one, now in rows]
        none = "No owner has a limit of their own: auteryn limits set OWNER 250/6h sets one."
        output.table(("OWNER", "LIMIT", "SPENT", "FREES AT"), shown, none=none)


def _spent(now: Spent | None) -> tuple[str, str]:
    return ("", "") if now is None else (f"{now.spent / 1000:,.1f}", moment(now.window.end))


def _said(common: Common, owner: str, limit: str) -> None:
    if common.json:
        output.json_line({"owner": owner, "limit": limit})
    elif not common.quiet:
        click.echo(f"{owner}: {limit}", err=True)
