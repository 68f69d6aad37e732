"""`auteryn keys`: who may come in over HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import click
import msgspec

from auteryn.api.keys import ROLES, Key, Role, issue, revoke
from auteryn.api.keys import keys as all_keys
from auteryn.cli import output
from auteryn.cli.home import OWNER, going, opened
from auteryn.cli.root import Common, Listing, common
from auteryn.compose import cloud, deployment
from auteryn.policy.durations import moment, parse
from auteryn.runtime.engine import Engine


@click.group(cls=Listing)
def keys() -> None:
    """Make, list and revoke the API keys that open this home over HTTP.

    With AUTERYN_BACKEND=gcp: of the deployment that GOOGLE_CLOUD_PROJECT and AUTERYN_REGION name.
    """


@asynccontextmanager
async def door(common: Common) -> AsyncGenerator[Engine]:
    """What keeps the keys: the home, or a deployment in Google Cloud."""
    if os.environ.get("AUTERYN_BACKEND") == "gcp":
        host = cloud(deployment(), "slice")
        try:
            yield host.engine
        finally:
            await host.close()
    else:
        async with opened(common) as home:
            yield home.host.engine


@keys.command()
@click.option("--name", required=True, help="Who uses it: it signs what is done with it.")
@click.option("--owner", default=OWNER, show_default=True, help="Whose runs it opens.")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True, help="viewer reads, operator steers.")
@click.option("--expires", default="90d", show_default=True, help="How long it holds, such as 12h or 90d; at most 366 days.")
@common
@click.pass_obj
def create(common: Common, name: str, owner: str, role: str, expires: str) -> None:
    """Make a key. It is shown once, here; to rotate one, make the next and revoke the old."""
    going(_create(common, name, owner, role, expires))


async def _create(common: Common, name: str, owner: str, role: str, expires: str) -> None:
    lifetime = parse(expires, "--expires")
    async with door(common) as engine:
        key, text = await issue(
            engine.services.store, engine.now(), name=name, owner=owner, role=cast("Role", role), lifetime=lifetime
        )
    if common.json:
        output.json_line({**_shown(key), "key": text})
        return
    output.text(text)
    if not common.quiet:
        click.echo(f"Key {key.id} holds until {moment(key.expires_at)}. It is not shown again.", err=True)


@keys.command()
@common
@click.pass_obj
def ls(common: Common) -> None:
    """List the keys, the revoked and expired ones, too."""
    going(_ls(common))


async def _ls(common: Common) -> None:
    async with door(common) as engine:
        found, now = await all_keys(engine.services.store), engine.now()
    if common.json:
        for key in found:
            output.json_line(_shown(key))
    elif common.quiet:
        for key in found:
            output.text(key.id)
    else:
        rows = [
            (key.id, _state(key, key.holds(now)), key.role, key.owner, f"{key.expires_at:%Y-%m-%d}", key.name) for key in found
        ]
        output.table(
            ("KEY", "STATE", "ROLE", "OWNER", "UNTIL", "NAME"),
            rows,
            none="There is no key: auteryn keys create --name NAME makes one.",
        )


@keys.command(name="revoke")
@click.argument("key_id", metavar="KEY")
@common
@click.pass_obj
def revoke_(common: Common, key_id: str) -> None:
    """Let a key open nothing from now on; sessions that were begun with it end, too."""
    going(_revoke(common, key_id))


async def _revoke(common: Common, key_id: str) -> None:
    async with door(common) as engine:
        key = await revoke(engine.services.store, key_id, engine.now())
    if common.json:
        output.json_line(_shown(key))
    elif not common.quiet:
        click.echo(f"Key {key.id} ({key.name}) opens nothing any more.", err=True)


def _shown(key: Key) -> dict[str, object]:
    return {name: value for name, value in msgspec.to_builtins(key).items() if name != "mac"}


def _state(key: Key, holds: bool) -> str:
    return "valid" if holds else "revoked" if key.revoked_at else "expired"
