"""A door behind a real server on a free port of this machine, and agents that reach it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

from auteryn import Agent
from auteryn.api.door import Door
from auteryn.api.keys import issue
from auteryn.api.limits import Quota
from auteryn.testing.scripted import ScriptedModel
from auteryn.testing.world import World
from sse import Frame, frames


class Server(uvicorn.Server):
    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


@asynccontextmanager
async def serving(app: Any, *, port: int = 0, send_bytes: int | None = None, **config: Any) -> AsyncGenerator[int]:
    """The port (0: any), while the application is served on this loop. `send_bytes`: what the system takes from it unread."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_bytes:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        server = Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1, **config))
        work = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            app.close()
            server.should_exit = True
            await work


@contextmanager
def served(opened: Callable[[], AbstractAsyncContextManager[Any]], *, port: int = 0) -> Generator[str]:
    """The address, while `opened()`'s application is served on a loop in a thread of its own. `port`: 0 is any."""
    ready, stop, found = threading.Event(), asyncio.Event(), list[str]()
    loop = asyncio.new_event_loop()

    async def live() -> None:
        try:
            async with opened() as app, serving(app, port=port) as where:
                found.append(f"http://127.0.0.1:{where}")
                ready.set()
                await stop.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def both_ways(folder: Path, way: str) -> Generator[Callable[..., Agent]]:
    """`agent_of(script, home=…)`: an agent whose runs live in a home of this folder; by `way` it is opened here, or a server
    works in it and the agent holds a key. Without a script it is one more agent where there is one. All are closed."""
    with ExitStack() as closing:
        servers = dict[str, tuple[str, str]]()

        def agent_of(script: Any = None, *, home: str = "home", tools: Any = (), **more: Any) -> Agent:
            model = None if script is None else ScriptedModel([script] if isinstance(script, str) else script)
            if way == "home":
                agent = Agent(home=folder / home, model=model, tools=tools, **more)
            else:
                if home not in servers:
                    servers[home] = closing.enter_context(serving_a_home(folder / home, model, tools, **more))
                url, key = servers[home]
                agent = Agent(endpoint=url, api_key=key)
            closing.callback(agent.close)
            return agent

        yield agent_of


@contextmanager
def serving_a_home(folder: Path, model: Any, tools: Any = (), **more: Any) -> Generator[tuple[str, str]]:
    """(address, key): a server works in this home."""
    keys = list[str]()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Door]:
        async with World(folder, model=model, tools=tools, builtin=True, real_time=True, **more) as world:
            given = {"name": "owner", "owner": "local", "role": "operator", "lifetime": timedelta(days=1)}
            keys.append((await issue(world.services.store, world.now(), **given))[1])  # pyright: ignore[reportArgumentType]
            yield Door(world.host.engine, quota=Quota(requests_per_minute=10**6, burst=10**5), secure=False)

    with served(opened) as url:
        yield url, keys[0]


class Viewer:
    """A client of an event stream on a raw socket, which may hang up in the middle of anything and comes back by id."""

    def __init__(self, port: int, path: str, key: str, *, buffer_bytes: int | None = None) -> None:
        self.port, self.path, self.key, self.buffer_bytes = port, path, key, buffer_bytes
        self.seen = list[Frame]()
        self.streams = 0
        self.status = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Ask for what follows the last event seen."""
        where = socket.socket()
        if self.buffer_bytes:
            where.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer_bytes)
        where.setblocking(False)
        await asyncio.get_running_loop().sock_connect(where, ("127.0.0.1", self.port))
        self._reader, self._writer = await asyncio.open_connection(sock=where, limit=self.buffer_bytes or 2**16)
        last = f"Last-Event-ID: {self.seen[-1].id}\r\n" if self.seen else ""
        self._writer.write(f"GET {self.path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n{last}\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])
        self.streams += 1

    async def read(self, most_bytes: int | None = None, *, to_silence: bool = False) -> None:
        """Take in what comes: until the server ends the stream, after so many bytes, or until there is nothing new."""
        assert self._reader
        raw = bytearray()
        while most_bytes is None or len(raw) < most_bytes:
            chunk = await self._reader.read(min(65536, (most_bytes or 65536) - len(raw) if most_bytes else 65536))
            if not chunk:
                break
            raw += chunk
            if to_silence and b": still here" in chunk:
                break
        self.seen += frames(bytes(raw))

    def hang_up(self) -> None:
        """Without a word, as a phone in a tunnel does."""
        assert self._writer
        self._writer.transport.abort()

    async def to_the_end(self) -> list[Frame]:
        """Follow, stream after stream, until there is nothing more to come."""
        while True:
            await self.connect()
            await self.read()
            self.hang_up()
            if self.status == 204:
                return self.seen
