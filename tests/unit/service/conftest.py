"""A desk over a real embedded engine in virtual time; only the model is scripted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from auteryn.compose import Settings, embedded
from auteryn.service.desk import Desk
from auteryn.testing.clock import SkippingClock
from auteryn.testing.scripted import ScriptedModel

Opened = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def opened(tmp_path) -> Opened:
    """`async with opened(script) as desk`: the home of this test, open for the block; opened again, it is the same home."""

    @asynccontextmanager
    async def opened(script: Any = "done", *, clock: Any = None, tools: Any = (), owner: str = "local") -> AsyncGenerator[Desk]:
        clock = clock or SkippingClock()
        model = script if isinstance(script, ScriptedModel) else ScriptedModel([script] if isinstance(script, str) else script)
        settings = Settings(home=tmp_path / "home", synchronous="off")
        host = embedded(settings, model=model, clock=clock, tools=tools, builtin=False)
        await host.start()
        try:
            desk = Desk(host.engine, owner)
            yield desk
        finally:
            await host.close()

    return opened
