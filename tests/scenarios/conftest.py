from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from auteryn.testing.clock import SkippingLoop
from auteryn.tools.egress import Egress
from scenarios.red_team import Outside, Post, prepared
from unit.tools.fault_server import FaultServer


@pytest.fixture
def time_stands_still_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time jumps when a loop is idle, and a loop that waits for a server is."""
    opened = Egress.open

    @asynccontextmanager
    async def really_open(self: Egress, *args: Any, **options: Any) -> AsyncGenerator[Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        with loop.as_it_passes():
            async with opened(self, *args, **options) as answer:
                yield answer

    monkeypatch.setattr(Egress, "open", really_open)


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
