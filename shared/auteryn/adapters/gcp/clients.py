"""Clients that are made where they are first used: never at import, never before a fork, one for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from google.auth.exceptions import GoogleAuthError

from auteryn.adapters.gcp.faults import from_auth

C = TypeVar("C")


class PerLoop(Generic[C]):
    """The running event loop's client. A client of a loop that has ended cannot be used or closed, and is dropped."""

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make, self._close = make, close
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: C | None = None

    def get(self) -> C:
        """Raises `Unavailable` where there are no credentials."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            try:
                self._loop, self._client = loop, self._make()
            except GoogleAuthError as error:
                raise from_auth(error, "Google Cloud") from error
        return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await self._close(client)


def client_at(kind: Callable[..., C], transport: Callable[..., Any], host: str | None) -> C:
    """A generated client of Google's own service; with `host` of a stand-in on this machine, without encryption."""
    if host is None:
        return kind()
    import grpc.aio

    return kind(transport=transport(channel=grpc.aio.insecure_channel(host)))


async def close_transport(client: Any) -> None:
    """What Google's generated clients have for `close`."""
    await client.transport.close()
