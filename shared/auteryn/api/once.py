"""What a function's process makes on its first request: never at import, because the process is forked after that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Made by whoever asks first, while the others wait. A failure is that request's; the next one tries again."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._made: asyncio.Future[T] | None = None

    async def get(self) -> T:
        if self._made is None:
            self._made = asyncio.ensure_future(self._make())
            self._made.add_done_callback(self._failed)
        return await asyncio.shield(self._made)  # a client that hangs up does not stop the others' start

    def _failed(self, made: asyncio.Future[T]) -> None:
        if made.cancelled() or made.exception():
            self._made = None
