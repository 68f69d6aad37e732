from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from auteryn.testing.clock import SkippingLoop
from auteryn.tools.egress import Egress
from mailed import mail_server
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
    with mail_server(post) as port:
        prepared(site, monkeypatch, port, tmp_path)
        yield Outside(site, post)
    site.close()
