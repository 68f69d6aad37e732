"""`auteryn serve`: this home over HTTP, until Ctrl-C. What is due in it is worked on here."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Generator

import click
import uvicorn

from auteryn.api.auth import login_token
from auteryn.api.door import Door
from auteryn.api.keys import keys
from auteryn.cli import exits, output
from auteryn.cli.home import OWNER, Home, going, opened
from auteryn.cli.root import Common, common
from auteryn.errors import Refused, WrongState

BACKLOG = 512
LAST_SECONDS = 2
"""For open streams when the server stops: their clients resume at the next."""


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; beyond this machine it takes an API key."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any that is free.")
@common
@click.pass_obj
def serve(common: Common, host: str, port: int) -> int:
    """Serve this home over HTTP: the API, live streams, and a link that signs you in.

    Programs need a key: `auteryn keys create`.
    """
    return going(_serve(common, host, port))


async def _serve(common: Common, host: str, port: int) -> int:
    async with opened(common, works=True) as home:
        await check_reach(home, host)
        with _listening(host, port) as listening:
            await home.host.start()
            home.host.engine.public_url = home.host.engine.public_url or _url(host, listening.getsockname()[1])
            door = Door(home.host.engine, secure=False)
            token = await login_token(door.auth.seal, OWNER, home.host.engine.now())
            _greet(common, _url(host, listening.getsockname()[1]), token)
            await _until_stopped(door, listening)
        return exits.DONE


async def check_reach(home: Home, host: str) -> None:
    """Raises `WrongState` for an address beyond this machine while no key opens the door."""
    engine = home.host.engine
    if _loopback(host) or any(key.holds(engine.now()) for key in await keys(engine.services.store)):
        return
    raise WrongState(
        f"--host: {host!r} can be reached from other machines, and there is no API key yet: "
        f"{home.command} keys create --name NAME makes one"
    )


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise Refused(
            f"{host}:{port} cannot be listened on: {error.strerror or error}; --port 0 takes any free port"
        ) from error
    with listening:
        # asyncio sets it only on sockets it made itself; without it every second answer waits 40 ms for an ACK
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


async def _until_stopped(door: Door, listening: socket.socket) -> None:
    """Serve until this task is cancelled; then give the streams a moment and return."""
    config = uvicorn.Config(
        door, lifespan="off", log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=LAST_SECONDS
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        door.close()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Signals are the command's business."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return contextlib.nullcontext()


def _greet(common: Common, url: str, token: str) -> None:
    link = f"{url}/login?token={token}"
    if common.json:
        output.json_line({"url": url, "link": link})
    elif common.quiet:
        output.text(link)
    else:
        output.text(f"Listening on {url}\nOpen, signed in, within 10 minutes: {link}")
        click.echo("Ctrl-C stops; runs go on when the home is opened again.", err=True)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
