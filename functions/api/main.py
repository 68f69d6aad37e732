"""The function `api`: HTTP requests, streams, and whatever this world lets a request's own process work on."""

from __future__ import annotations

import os

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from auteryn.api.auth import members_of
from auteryn.api.door import Door
from auteryn.api.once import Once
from auteryn.api.problems import problem
from auteryn.compose import composed, id_tokens
from auteryn.errors import AuterynError, Unavailable


async def opened() -> Door:
    """The door of this process, and its share of the engine behind it."""
    audience, members = os.environ.get("AUTERYN_AUDIENCE"), members_of(os.environ.get("AUTERYN_MEMBERS", ""))
    host = composed(os.environ)
    await host.start()
    return Door(host.engine, id_tokens=id_tokens(audience) if audience else None, members=members)


door = Once(opened)


@functions_framework.aio.http
async def api(request: Request) -> Response:
    try:
        return await (await door.get()).respond(request)
    except AuterynError as error:  # the door answers its own: this is the world that could not be composed
        return problem(Unavailable(f"this service is not set up: {error}"))
