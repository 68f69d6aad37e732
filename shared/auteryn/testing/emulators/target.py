"""An HTTP endpoint on this machine whose answers are a function: where stand-ins deliver to in tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from auteryn.testing.loopback import Loopback, Request, Said

Handler = Callable[[Request], Awaitable[int]]
"""The status of the answer. A handler that raises answers 500."""


class Target(Loopback):
    """Without a handler, and while `handler` is None, it answers 503."""

    def __init__(self, handler: Handler | None = None) -> None:
        super().__init__()
        self.handler = handler
        self.seen: list[Request] = []

    async def said(self, request: Request) -> Said:
        self.seen.append(request)
        if self.handler is None:
            return Said(503)
        try:
            return Said(await self.handler(request))
        except Exception:  # noqa: BLE001 - as every server does
            return Said(500)
