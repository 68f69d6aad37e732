"""An HTTP endpoint on this machine whose answers are a function: where stand-ins deliver to in tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


Handler = Callable[[Request], Awaitable[int]]
"""The status of the answer. A handler that raises answers 500."""


class Target:
    """Listens from entering to leaving. Without a handler, and while `handler` is None, it answers 503."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler
        self.seen: list[Request] = []
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Target:
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
                    self.seen.append(request)
                    status = await self._answer(request)
                    writer.write(f"HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\n\r\n".encode())
                    await writer.drain()
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, request: Request) -> int:
        if self.handler is None:
            return 503
        try:
            return await self.handler(request)
        except Exception:  # noqa: BLE001 - as every server does
            return 500


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end."""
    first = await reader.readline()
    if not first:
        return None
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(first.split()[1].decode(), headers, body)
