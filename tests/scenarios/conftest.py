from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from auteryn.testing.clock import SkippingLoop
from auteryn.tools.browser_process import Chromium
from auteryn.tools.egress import Egress
from scenarios.red_team import Outside, Post, prepared
from unit.tools.fault_server import FaultServer


@pytest.fixture
def time_stands_still_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time jumps when a loop is idle, and a loop that waits for a browser or a server is."""
    opened, started, closed = Egress.open, Chromium.start, Chromium.close

    @asynccontextmanager
    async def still_open(self: Egress, *args: Any, **options: Any) -> AsyncGenerator[Any]:
        with still():
            async with opened(self, *args, **options) as answer:
                yield answer

    async def still_start(guard: Egress) -> Chromium:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        loop.threads += 1
        return await started(guard)

    async def still_close(self: Chromium) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        try:
            await closed(self)
        finally:
            loop.threads -= 1

    monkeypatch.setattr(Egress, "open", still_open)
    monkeypatch.setattr(Chromium, "start", still_start)
    monkeypatch.setattr(Chromium, "close", still_close)


@contextmanager
def still() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SkippingLoop)
    loop.threads += 1
    try:
        yield
    finally:
        loop.threads -= 1


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    site, post = FaultServer(), Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mail = Controller(post, hostname="127.0.0.1", port=port)
    mail.start()
    prepared(site, monkeypatch, port, tmp_path)
    yield Outside(site, post)
    mail.stop()
    site.close()
