"""What a slice keeps open between its calls: a browser, a connection to a tool server. Opened on first use, never stored.

A call that needs such a thing asks for it by name; when the slice ends, for whatever reason, everything is closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

CLOSE_TIME = timedelta(seconds=10)
"""For one thing to close; it must then be gone by itself."""

_log = logging.getLogger(__name__)


class Closing(Protocol):
    async def close(self) -> None:
        """Let go of everything. Never raises for what is gone already."""
        ...


T = TypeVar("T", bound=Closing)
U = TypeVar("U")


class Sitting:
    """Open things by name."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Task[Closing]] = {}
        self._closed = False

    async def keep(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """The thing of that name, made on first use; concurrent calls get the same one. A failure to make it is not
        remembered."""
        if self._closed:
            raise asyncio.CancelledError("the slice is over")
        if name not in self._open:
            self._open[name] = asyncio.ensure_future(_made(make))
        task = self._open[name]
        try:
            return cast("T", await asyncio.shield(task))
        except BaseException:
            if task.done() and self._open.get(name) is task and (task.cancelled() or task.exception()):
                del self._open[name]
            raise

    async def drop(self, name: str, broken: Closing | None) -> None:
        """Close the thing of that name, or (None) what is still being made, and the next call makes a new one. If somebody else
        has dropped it already, the new one stays."""
        task = self._open.get(name)
        if task and (task.result() if _is_made(task) else None) is broken:
            del self._open[name]
            await _close(name, task)

    def shut(self) -> bool:
        """Nothing is opened any more; whether nothing is open."""
        self._closed = True
        return not self._open

    async def close(self) -> None:
        """Close everything, newest first. What is still being made is finished first, so that nothing is left behind."""
        self._closed = True
        while self._open:
            name, task = self._open.popitem()
            await _close(name, task)


async def seen_through(whole: Coroutine[Any, Any, U]) -> U:
    """Await what must not be left half done: a cancellation is raised when it is over. A loop that ends meanwhile would leave
    programs behind."""
    task = asyncio.ensure_future(whole)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _made(make: Callable[[], Awaitable[Closing]]) -> Closing:
    return await make()


def _is_made(task: asyncio.Task[Closing]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _close(name: str, task: asyncio.Task[Closing]) -> None:
    """Close one thing. One that takes too long to be made is cancelled while it is made; that ends it, too."""
    try:
        async with asyncio.timeout(CLOSE_TIME.total_seconds()):
            await (await asyncio.shield(task)).close()
    except Exception as error:  # noqa: BLE001 - the slice is over either way, and the others have to be closed too
        _log.warning("%s did not close in order: %s: %s", name, type(error).__name__, error)
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CLOSE_TIME.total_seconds())
