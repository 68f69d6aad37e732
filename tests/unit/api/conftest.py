"""A door over a real embedded engine, in virtual time; only the model is scripted, and no socket is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from auteryn.api.door import Door
from auteryn.api.keys import Role, issue
from auteryn.service.desk import Desk
from auteryn.testing.world import World
from sse import Frame, frames


@dataclass
class Office:
    """An open door and what lies behind it."""

    world: World
    door: Door

    @property
    def desk(self) -> Desk:
        return Desk(self.world.host.engine)

    async def key(self, role: Role = "operator", owner: str = "local", days: float = 30, name: str = "ann") -> tuple[str, str]:
        """(id, text) of a new key."""
        store = self.world.services.store
        lifetime = timedelta(days=days)
        key, text = await issue(store, self.world.now(), name=name, owner=owner, role=role, lifetime=lifetime)
        return key.id, text

    def browser(self, **headers: str) -> httpx2.AsyncClient:
        """Nobody, until it signs in."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.door), base_url="http://door", headers=headers)

    async def client(self, role: Role = "operator", owner: str = "local") -> httpx2.AsyncClient:
        """Somebody with a key."""
        _, text = await self.key(role, owner)
        return self.browser(Authorization=f"Bearer {text}")

    async def stream(self, path: str, headers: dict[str, str], *, app: Any = None, **how: Any) -> tuple[int, list[Frame]]:
        """(status, frames) of a stream, until it ends or the client hangs up after `most` frames."""
        return await streamed(app or self.door, path, headers, **how)


Opened = Callable[..., AbstractAsyncContextManager[Office]]


@pytest.fixture
def opened(tmp_path) -> Opened:
    """`async with opened(script) as office`: this test's home behind a door; opened again, it is the same home."""

    @asynccontextmanager
    async def opened(script: Any = ("done",), *, clock: Any = None, tools: Any = (), **door: Any) -> AsyncGenerator[Office]:
        model = [script] if isinstance(script, str) else script
        async with World(tmp_path / "home", model=model, clock=clock, tools=tools) as world:
            yield Office(world, Door(world.host.engine, **{"secure": False, **door}))

    return opened


async def streamed(
    app: Any, path: str, headers: dict[str, str], *, method: str = "GET", body: bytes = b"", most: int | None = None
) -> tuple[int, list[Frame]]:
    """Speak ASGI like a server whose client reads frame after frame and may hang up."""
    gone, begun, raw, asked = asyncio.Event(), asyncio.Queue[int](), bytearray(), False
    where, _, query = path.partition("?")

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            begun.put_nowait(message["status"])
        raw.extend(message.get("body", b""))
        if most is not None and len(frames(bytes(raw))) >= most:
            gone.set()
            await asyncio.sleep(0)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    found = frames(bytes(raw))
    return begun.get_nowait(), found[:most]
