"""`auteryn webhooks`: where programs hear of this home's runs."""

from __future__ import annotations

from typing import get_args

import click

from auteryn.api import views as v
from auteryn.cli import exits, output
from auteryn.cli.home import going, opened
from auteryn.cli.root import Common, Listing, common
from auteryn.cli.screen import clean
from auteryn.schema.post import Endpoint, EventType
from auteryn.schema.record import full


@click.group(cls=Listing)
def webhooks() -> None:
    """Make, list, rotate and remove webhook endpoints: signed, type and ids only, told at least once."""


@webhooks.command()
@click.argument("url")
@click.option(
    "--type", "types", multiple=True, type=click.Choice(get_args(EventType)), help="Only these; repeatable. Else all."
)
@click.option("--description", default="", help="What it is called in lists.")
@common
@click.pass_obj
def add(common: Common, url: str, types: tuple[str, ...], description: str) -> None:
    """Tell this address of runs. The secret that signs is shown once, here."""
    going(_add(common, url, types, description))


async def _add(common: Common, url: str, types: tuple[str, ...], description: str) -> None:
    async with opened(common) as home:
        endpoint, secret = await home.desk.add_webhook(url, types, description)
    _tell(common, endpoint, secret)


@webhooks.command()
@click.argument("webhook")
@common
@click.pass_obj
def rotate(common: Common, webhook: str) -> None:
    """Make a new secret, shown once, here. The old one signs along for a day."""
    going(_rotate(common, webhook))


async def _rotate(common: Common, webhook: str) -> None:
    async with opened(common) as home:
        endpoint, secret = await home.desk.rotate_webhook(webhook)
    _tell(common, endpoint, secret)


@webhooks.command()
@click.argument("webhook")
@common
@click.pass_obj
def remove(common: Common, webhook: str) -> None:
    """Tell this endpoint nothing any more."""
    going(_remove(common, webhook))


async def _remove(common: Common, webhook: str) -> None:
    async with opened(common) as home:
        await home.desk.remove_webhook(webhook)
    common.done(f"{webhook} is told nothing any more.")


@webhooks.command()
@click.argument("webhook")
@common
@click.pass_obj
def test(common: Common, webhook: str) -> int:
    """Send a signed message that says nothing, and say whether it arrived."""
    return going(_test(common, webhook))


async def _test(common: Common, webhook: str) -> int:
    async with opened(common) as home:
        found = await home.desk.test_webhook(webhook)
    if common.json:
        output.json_line({"webhook": webhook, "delivered": found.delivered, "detail": found.detail})
    elif not common.quiet:
        click.echo(f"{webhook}: {'it arrived' if found.delivered else found.detail}", err=True)
    return exits.DONE if found.delivered else exits.FAILED


@webhooks.command()
@common
@click.pass_obj
def ls(common: Common) -> None:
    """List the endpoints."""
    going(_ls(common))


async def _ls(common: Common) -> None:
    async with opened(common) as home:
        found = await home.desk.webhooks()
    if common.json:
        for one in found:
            output.json_line(v.webhook(one))
        return
    rows = [(one.id, clean(one.url), ", ".join(one.types) or "all", clean(one.description)) for one in found]
    output.table(
        ("WEBHOOK", "ADDRESS", "TYPES", "DESCRIPTION"), rows, none="No program is told: auteryn webhooks add URL adds one."
    )


def _tell(common: Common, endpoint: Endpoint, secret: str) -> None:
    if common.json:
        output.json_line({**full(v.webhook(endpoint)), "secret": secret})
        return
    output.text(secret)
    if not common.quiet:
        click.echo(f"{endpoint.id} is told of runs at {endpoint.url}. The secret is not shown again.", err=True)
