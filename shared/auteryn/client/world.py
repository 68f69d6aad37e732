"""An open home: the engine on an event loop of its own, in one daemon thread a process, whoever uses it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeVar

from auteryn.compose import Settings, embedded
from auteryn.errors import Unavailable, WrongState
from auteryn.ports import Clock, Model
from auteryn.runtime.host import Host
from auteryn.service.desk import Desk
from auteryn.tools.tool import Tool

T = TypeVar("T")

_open: dict[Path, World] = {}
_opening = threading.Lock()


def world_of(
    home: str | Path | None, *, model: Model | None = None, tools: Iterable[Tool] = (), clock: Clock | None = None
) -> World:
    """The open home, opened if it is not. Opening it resumes whatever was interrupted, so its tools are there first."""
    settings = Settings.from_environment(home=home)
    where = settings.home.resolve()
    with _opening:
        world = _open.get(where)
        if world is None:
            world = _open[where] = World(settings, model, tools, clock, on_close=lambda: _open.pop(where, None))
        else:
            world.join(model, tools)
        return world


class World:
    """A home this process works in. Its thread is a daemon: a script may end at any time; its runs go on at the next start."""

    def __init__(
        self,
        settings: Settings,
        model: Model | None,
        tools: Iterable[Tool],
        clock: Clock | None,
        *,
        on_close: Callable[[], Any],
    ) -> None:
        self.home, self._model, self._on_close = settings.home, model, on_close
        self._calls, self._closed = set[Future[Any]](), False
        self._loop = asyncio.new_event_loop()
        opened = Future[Host]()
        self._thread = threading.Thread(
            target=self._live, args=(opened, settings, model, list(tools), clock), name=f"auteryn {settings.home}", daemon=True
        )
        self._thread.start()
        self._host = opened.result()
        self.desk = Desk(self._host.engine)

    def join(self, model: Model | None, tools: Iterable[Tool]) -> None:
        """One more user of this home in this process; what they bring must fit what is there."""
        if model is not None and model is not self._model:
            raise WrongState(f"home {str(self.home)!r} is open in this process with another model: close that agent first")
        registry = self._host.engine.registry
        for one in tools:
            if one.name not in registry or registry.get(one.name) != one:
                registry.add(one)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the home's loop and wait for what it returns. Ctrl-C leaves the wait, and the run goes on."""
        if self._closed or threading.current_thread() is self._thread:
            work.close()
            if self._closed:
                raise self._gone()
            raise WrongState(
                "this is the engine's own thread: call the agent from an ordinary function, or with asyncio.to_thread"
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._calls.add(future)
        try:
            return future.result()
        except CancelledError as error:
            raise self._gone() from error
        except KeyboardInterrupt:
            future.cancel()
            raise
        finally:
            self._calls.discard(future)

    def _gone(self) -> Unavailable:
        return Unavailable(f"home {str(self.home)!r} was closed: open it again with a new Agent")

    def iterate(self, found: AsyncIterator[T]) -> Iterator[T]:
        """The same for what comes one by one."""
        done: Any = object()

        async def following() -> Any:
            return await anext(found, done)

        try:
            while (one := self.call(following())) is not done:
                yield one
        finally:
            if not self._closed:
                self.call(_ended(found))

    def close(self) -> None:
        """Stop working in this home. What is under way is interrupted, and resumed when the home is opened again."""
        with _opening:
            if self._closed:
                return
            self._closed = True
            for call in list(self._calls):
                call.cancel()
            asyncio.run_coroutine_threadsafe(self._host.close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._on_close()

    def _live(
        self, opened: Future[Host], settings: Settings, model: Model | None, tools: list[Tool], clock: Clock | None
    ) -> None:
        """The thread: open, work until stopped, leave nobody waiting."""
        asyncio.set_event_loop(self._loop)
        try:
            opened.set_result(self._loop.run_until_complete(_started(settings, model, tools, clock)))
        except BaseException as error:  # noqa: BLE001 - raised where the home was opened
            self._on_close()
            opened.set_exception(error)
        else:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _started(settings: Settings, model: Model | None, tools: list[Tool], clock: Clock | None) -> Host:
    host = embedded(settings, model=model, tools=tools, clock=clock)
    await host.start()
    return host


async def _ended(found: AsyncIterator[Any]) -> None:
    close = getattr(found, "aclose", None)
    if close is not None:
        await close()
