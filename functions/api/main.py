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
from auteryn.compose import composed, id_tokens, stop_gracefully, tell_the_log, traced
from auteryn.errors import AuterynError, Unavailable


async def opened() -> Door:
    """The door of this process, and its share of the engine behind it."""
    tell_the_log()
    audience, members = os.environ.get("AUTERYN_AUDIENCE"), members_of(os.environ.get("AUTERYN_MEMBERS", ""))
    host = composed(os.environ, "api")
    await host.start()
    door = Door(host.engine, id_tokens=id_tokens(audience) if audience else None, members=members)
    stop_gracefully(host, door.close)
    return door


door = Once(opened)


@functions_framework.aio.http
async def api(request: Request) -> Response:
    with traced(request.headers):
        try:
            return await (await door.get()).respond(request)
        except AuterynError as error:  # the door answers its own: this is the world that could not be composed
            return problem(Unavailable(f"this service is not set up: {error}"))
