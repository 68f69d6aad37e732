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
from auteryn.compose import callers, composed, stop_gracefully, tell_the_log, traced
from auteryn.errors import AuterynError, Unavailable
from auteryn.runtime.host import Host


async def opened() -> tuple[Host, IdTokens, tuple[str, ...]]:
    """This process's share of the engine, how its callers prove who they are, and who of them is let in."""
    tell_the_log()
    tokens, known = callers(os.environ)
    host = composed(os.environ, "dispatch")
    await host.start()
    stop_gracefully(host)
    return host, tokens, known


once = Once(opened)


@functions_framework.aio.http
async def dispatch(request: Request) -> Response:
    with traced(request.headers):
        try:
            host, tokens, known = await once.get()
            return await wakes.respond(request, host.engine, tokens, known)
        except AuterynError as error:  # the world could not be composed
            return problem(Unavailable(f"this service is not set up: {error}"))
