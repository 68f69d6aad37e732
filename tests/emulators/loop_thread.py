"""An event loop in a thread of its own, and what is open on it."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

T = TypeVar("T")


class LoopThread(ABC):
    """Between `with` and its end the tests of a file share what `open` has put on the stack."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> None: ...

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self.open(self._stack))
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, story: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(story, self._loop).result()
