"""A small HTTP server on this machine, for stand-ins: every request gets one answer, whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import NamedTuple, Self


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Said(NamedTuple):
    """What a request is answered."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


class Loopback:
    """Listens at `url` from entering to leaving; what it answers is `said`."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    async def said(self, request: Request) -> Said:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.drop()

    async def drop(self) -> None:
        """Whatever is being handled is cut off, as if the process behind it had ended."""
        at_work = [task for task in self._open if task is not asyncio.current_task()]
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while request := await _read(reader):
                    status, body, media_type = await self.said(request)
                    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
                    writer.write(head.encode() + body)
                    await writer.drain()
        finally:
            self._open.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end."""
    first = await reader.readline()
    if not first:
        return None
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join([piece async for piece in _chunks(reader)])
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(first.split()[1].decode(), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    while size := int(await reader.readline() or b"0", 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
