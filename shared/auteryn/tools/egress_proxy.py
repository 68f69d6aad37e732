"""The guard as a small forward proxy, for programs that bring their own HTTP: a browser, code in the sandbox.

CONNECT for https, the absolute form for http; both judge the host and connect to the judged address. One request a
connection: what comes after the announced length is not passed on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.egress import Egress, checked_headers, host_and_port

HEAD_BYTES = 1 << 16
HEAD_TIME = timedelta(seconds=10)
IDLE = timedelta(seconds=120)
MOST_CONNECTIONS = 128
REMEMBERED = 1_000
_PIECE = 1 << 16
_HOP = frozenset({"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"})


class Passage(Record):
    """What somebody wanted to reach, and what the guard said."""

    target: str
    address: str = ""
    """What was connected to."""
    refused: str = ""
    kind: str = ""
    """Of the refusal: `blocked`, `not_found`, `unavailable`."""


class Proxy:
    """A running proxy."""

    def __init__(self, guard: Egress, most_bytes: int | None = None) -> None:
        self._guard, self._most_bytes = guard, most_bytes
        self.passages = deque[Passage](maxlen=REMEMBERED)
        """The evidence: the last ones, oldest first."""
        self.count = 0
        """Of all there ever were."""
        self.url = ""
        """For `http_proxy`, if it listens on a port."""
        self._open = set[asyncio.Task[None]]()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        if len(self._open) >= MOST_CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._served(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def since(self, count: int) -> list[Passage]:
        """What came after there were so many, as far as it is remembered."""
        return list(self.passages)[-(self.count - count) :] if self.count > count else []

    def _noted(self, passage: Passage) -> None:
        self.passages.append(passage)
        self.count += 1

    async def close(self) -> None:
        """Break off what is under way."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_TIME.total_seconds()):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            await self._passed(head, reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # a client that sends no request gets no answer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _passed(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, _, rest = head.removesuffix("\r\n\r\n").partition("\r\n")
        method, _, target = first.rpartition(" ")[0].partition(" ")
        try:
            request = _Request(method, target, rest, self._guard)
            addresses = await self._guard.addresses(request.host, request.port)
            there, back, address = await _connected(addresses, request.port, request.host)
        except ToolFailed as error:
            self._noted(Passage(target=target[:500], refused=str(error), kind=error.kind))
            writer.write(_refusal(error))
            return
        self._noted(Passage(target=target[:500], address=address))
        try:
            if request.tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back.write(request.onward)
            await _both_ways((reader, back, request.body_bytes), (there, writer, self._most_bytes))
        finally:
            back.close()


@asynccontextmanager
async def proxy(guard: Egress, *, socket: Path | None = None, most_bytes: int | None = None) -> AsyncGenerator[Proxy]:
    """A proxy while the block lasts: on a free port of this machine, or on a unix socket to be mounted into a sandbox.

    `most_bytes`: what comes down one connection before it is cut.
    """
    running = Proxy(guard, most_bytes)
    if socket is None:
        server = await asyncio.start_server(running.serve, "127.0.0.1", 0, limit=HEAD_BYTES)
        running.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        server = await asyncio.start_unix_server(running.serve, socket, limit=HEAD_BYTES)
    try:
        yield running
    finally:
        server.close()
        await running.close()
        await server.wait_closed()


class _Request:
    """What a client asks of the proxy; raises `ToolFailed` if it may not."""

    def __init__(self, method: str, target: str, rest: str, guard: Egress) -> None:
        self.tunnel = method == "CONNECT"
        url = guard.checked(f"https://{target}/" if self.tunnel else target)
        if self.tunnel and url.raw_path != b"/":
            raise ToolFailed("blocked", f"{target!r} is no host and port")
        if not self.tunnel and url.scheme != "http":
            raise ToolFailed("blocked", f"{target!r} must be asked for by CONNECT")
        self.host, self.port = host_and_port(url)
        self.body_bytes: int | None = None
        """Most that is passed on; None for a tunnel, which ends when one side does."""
        self.onward = b""
        if not self.tunnel:
            self._take_head(method, rest, url.netloc.decode("ascii"), url.raw_path.decode("ascii"))

    def _take_head(self, method: str, rest: str, host: str, path: str) -> None:
        if not method.isalpha():
            raise ToolFailed("blocked", f"{method!r} is no method")
        fields = dict[str, str]()
        for line in filter(None, rest.split("\r\n")):
            name, colon, value = line.partition(":")
            if not colon or name.lower() in fields or name != name.strip():
                raise ToolFailed("blocked", f"{line[:100]!r} is no header, or is there twice")
            fields[name.lower()] = value.strip()
        if "transfer-encoding" in fields:
            raise ToolFailed("blocked", "a body must announce its length")
        length = fields.pop("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise ToolFailed("blocked", f"{length!r} is no length")
        self.body_bytes = int(length)
        ours = {"host", "accept-encoding", "expect", *_HOP}
        kept = checked_headers({name: value for name, value in fields.items() if name not in ours})
        kept |= {"host": host, "connection": "close", "content-length": length}
        kept |= {"accept-encoding": fields["accept-encoding"]} if "accept-encoding" in fields else {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in kept.items())]
        self.onward = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _connected(
    addresses: tuple[str, ...], port: int, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    for address in addresses:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(HEAD_TIME.total_seconds()):
                return (*await asyncio.open_connection(address, port), address)
    raise ToolFailed("unavailable", f"{host!r} cannot be reached")


async def _both_ways(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter, int | None]) -> None:
    """Copy until the far side has ended, or nothing has moved for long."""
    up, down = (asyncio.create_task(_copied(*way)) for way in ways)
    try:
        await asyncio.wait([down])
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
    with suppress(OSError, TimeoutError):
        while most is None or most > 0:
            async with asyncio.timeout(IDLE.total_seconds()):
                piece = await reader.read(_PIECE if most is None else min(_PIECE, most))
            if not piece:
                break
            most = None if most is None else most - len(piece)
            writer.write(piece)
            await writer.drain()
        if most is None and writer.can_write_eof():
            writer.write_eof()


def _refusal(error: ToolFailed) -> bytes:
    status = "403 Forbidden" if error.kind == "blocked" else "502 Bad Gateway"
    text = str(error).encode()
    fields = f"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: {len(text)}\r\n"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + text
