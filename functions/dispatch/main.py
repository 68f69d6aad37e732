"""The function `dispatch`: the queue, the bus and the scheduler call it; it does what is due."""

from __future__ import annotations

import os

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from auteryn.api import wakes
from auteryn.api.auth import IdTokens
from auteryn.api.once import Once
from auteryn.api.problems import problem
from auteryn.compose import composed, id_tokens
from auteryn.errors import AuterynError, Unavailable
from auteryn.runtime.host import Host


async def opened() -> tuple[Host, IdTokens]:
    """This process's share of the engine, and who tells its callers apart."""
    tokens = id_tokens(os.environ.get("AUTERYN_DISPATCH_URL", ""))
    host = composed(os.environ)
    await host.start()
    return host, tokens


once = Once(opened)


@functions_framework.aio.http
async def dispatch(request: Request) -> Response:
    callers = [one for one in os.environ.get("AUTERYN_CALLERS", "").split(",") if one]
    try:
        host, tokens = await once.get()
        return await wakes.respond(request, host.engine, tokens, callers)
    except AuterynError as error:  # the world could not be composed
        return problem(Unavailable(f"this service is not set up: {error}"))
