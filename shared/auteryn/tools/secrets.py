"""What the owner set up by name: credentials, webhook targets. The model knows the names, never what is behind them.

A secret itself is only ever in an environment variable `AUTERYN_SECRET_…` (on Cloud Run: from Secret Manager); settings and
stored documents name it.
"""

from __future__ import annotations

import os
import re
from typing import TypeVar

import msgspec

from auteryn.errors import Corrupt, ToolFailed
from auteryn.schema.record import Record, from_json
from auteryn.tools.tool import ToolContext

R = TypeVar("R", bound=Record)

CREDENTIAL = "credential"
"""Kind of the documents; their id is `<owner>/<name>`."""
_SECRET = "AUTERYN_SECRET_"
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


class Credential(Record):
    """Something that opens a door, bound to the hosts whose door it is."""

    hosts: tuple[str, ...]
    secret: str
    """Name of the environment variable that holds it."""
    header: str = "Authorization"
    prefix: str = "Bearer "

    @property
    def value(self) -> str:
        return self.prefix + secret_of(self.secret)


class Webhook(Record):
    """Somebody who wants to hear from runs."""

    url: str
    secret: str = ""
    """Name of the environment variable with the signing secret; empty: not signed."""


async def credential_of(ctx: ToolContext, name: str) -> Credential:
    """The credential of that name: the owner's document, else `AUTERYN_CREDENTIAL_<NAME>` (JSON)."""
    doc = await ctx.store.doc(CREDENTIAL, f"{ctx.run.owner}/{name}")
    if doc is not None:
        try:
            return msgspec.convert(doc.body, Credential)
        except msgspec.ValidationError as error:
            raise ToolFailed("not_configured", f"the credential {name!r} is not set up right: {error}") from error
    return setting("AUTERYN_CREDENTIAL_", name, Credential)


def setting(prefix: str, name: str, shape: type[R]) -> R:
    """The JSON of an environment variable; raises `ToolFailed` naming what there is instead."""
    raw = os.environ.get(prefix + name.upper()) if _NAME.fullmatch(name) else None
    if raw is None:
        known = ", ".join(names(prefix)) or "none is set up"
        raise ToolFailed("not_configured", f"there is no {name!r} ({prefix}{name.upper()[:64]} is not set); there are: {known}")
    try:
        return from_json(raw, shape, where=prefix + name.upper())
    except Corrupt as error:
        raise ToolFailed("not_configured", str(error)) from error


def names(prefix: str) -> list[str]:
    """What is set up under a prefix."""
    return sorted(name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix))


def secret_of(variable: str) -> str:
    """The secret in an environment variable, which must be one that is meant to hold one."""
    value = os.environ.get(variable, "").strip() if variable.startswith(_SECRET) else ""
    if not value:
        raise ToolFailed(
            "not_configured", f"the secret {variable!r} is not set, or is none: its name must begin with {_SECRET}"
        )
    return value
