"""Where runs live, as a program sees it: a home or a server, worked on from an event loop of its own in one daemon thread."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from auteryn.compose import Settings, embedded
from auteryn.errors import Invalid, Unavailable, WrongState
from auteryn.ports import Clock, Model
from auteryn.runtime.engine import Engine
from auteryn.service.desk import Desk
from auteryn.tools.tool import Tool

if TYPE_CHECKING:
    from auteryn.client.remote import Remote

T = TypeVar("T")

_log = logging.getLogger(__name__)
_open: dict[Path, Home] = {}
_opening = threading.Lock()


def _forked() -> None:
    """In the child: whoever held the lock is not there."""
    global _opening
    _opening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def world_of(
    home: str | Path | None, *, model: Model | None = None, tools: Iterable[Tool] = (), clock: Clock | None = None
) -> Home:
    """The home, opened if it is not open yet. Opening it resumes whatever was interrupted, so its tools must be there first."""
    settings = Settings.from_environment(home=home)
    where = settings.home.resolve()
    with _opening:
        world = _open.get(where)
        if world is None:
            world = _open[where] = Home(settings, model, tools, clock, on_close=lambda: _open.pop(where, None))
        else:
            world.must_be_here()  # SQLite's locks are this process's: in a child they would be taken for its own
            world.join(model, tools)
        return world


def server_of(endpoint: str, api_key: str | None) -> World:
    """The server at this address; raises what its door says to the key, `Unavailable` if nobody answers."""
    if not endpoint.startswith(("http://", "https://")):
        raise Invalid("endpoint", endpoint, "must be the address of a server, such as 'https://auteryn.example.com'")
    if not api_key or not api_key.isascii() or not api_key.isprintable():
        raise Invalid("api_key", "…", "must be a key of that server: `auteryn keys create` makes one")

    async def opened() -> Opened:
        from auteryn.client.remote import Remote

        remote = Remote(endpoint.rstrip("/"), api_key)
        try:
            await remote.session()
        except BaseException:
            await remote.close()
            raise
        return Opened(remote, remote.close)

    return World(endpoint, opened, on_close=lambda: None)


class Opened(Struct, frozen=True):
    desk: Desk | Remote
    close: Callable[[], Awaitable[None]]
    engine: Engine | None = None
    """Of a home."""


class World:
    """A place this process works in. Its thread is a daemon: a script may end at any time; its runs go on without it."""

    def __init__(self, name: str, opening: Callable[[], Coroutine[Any, Any, Opened]], *, on_close: Callable[[], Any]) -> None:
        self.name, self._on_close, self._process = name, on_close, os.getpid()
        self._calls, self._closed, self._beginning = set[Future[Any]](), False, threading.Lock()
        self._loop = asyncio.new_event_loop()
        opened = Future[Opened]()
        self._thread = threading.Thread(target=self._live, args=(opened, opening), name=f"auteryn {name}", daemon=True)
        self._thread.start()
        self._opened = opened.result()
        self.desk = self._opened.desk

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the home's loop and wait for what it returns. Ctrl-C leaves the wait, and the run goes on."""
        if os.getpid() != self._process:
            work.close()
            self.must_be_here()
        if threading.current_thread() is self._thread:
            work.close()
            raise WrongState(
                "this is the engine's own thread: call the agent from an ordinary function, or with asyncio.to_thread"
            )
        with self._beginning:  # else one that begins as this is closed would wait for ever
            if self._closed:
                work.close()
                raise self._gone()
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

    def must_be_here(self) -> None:
        """A process that was forked has no thread that works here: nothing it asked for would ever come."""
        if os.getpid() != self._process:
            raise WrongState(
                f"{self.name!r} was opened before this process was forked: open it in the child only, or start children "
                "with multiprocessing.get_context('spawn')"
            )

    def _gone(self) -> Unavailable:
        return Unavailable(f"{self.name!r} was closed: open it again with a new Agent")

    def iterate(self, found: AsyncIterator[T]) -> Iterator[T]:
        """The same for an async iterator, item by item."""
        done: Any = object()

        async def following() -> Any:
            return await anext(found, done)

        try:
            while (one := self.call(following())) is not done:
                yield one
        finally:
            if not self._closed and os.getpid() == self._process:
                self.call(_ended(found))

    def close(self) -> None:
        """Stop working here. What a home has under way is interrupted, and resumed when it is opened again."""
        if os.getpid() != self._process:
            return
        with _opening:
            with self._beginning:
                if self._closed:
                    return
                self._closed = True
            for call in list(self._calls):
                call.cancel()
            asyncio.run_coroutine_threadsafe(_done(self._opened.close()), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._on_close()

    def _live(self, opened: Future[Opened], opening: Callable[[], Coroutine[Any, Any, Opened]]) -> None:
        """The thread: open, work until stopped, leave nobody waiting."""
        asyncio.set_event_loop(self._loop)
        try:
            opened.set_result(self._loop.run_until_complete(opening()))
        except BaseException as error:  # noqa: BLE001 - raised where the home was opened
            self._on_close()
            opened.set_exception(error)
        else:
            try:
                self._loop.run_forever()
            except BaseException:  # noqa: BLE001 - whoever waits must hear of it
                _log.exception("what works in %s was ended from within: nothing goes on until it is opened anew", self.name)
                with self._beginning:
                    self._closed = True
                self._loop.run_until_complete(_done(self._opened.close()))
                self._on_close()
                for call in list(self._calls):
                    call.cancel()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class Home(World):
    """An open home."""

    def __init__(
        self,
        settings: Settings,
        model: Model | None,
        tools: Iterable[Tool],
        clock: Clock | None,
        *,
        on_close: Callable[[], Any],
    ) -> None:
        self._model, brought = model, list(tools)

        async def opened() -> Opened:
            host = embedded(settings, model=model, tools=brought, clock=clock)
            await host.start()
            return Opened(Desk(host.engine), host.close, host.engine)

        super().__init__(str(settings.home), opened, on_close=on_close)

    def join(self, model: Model | None, tools: Iterable[Tool]) -> None:
        """Count one more user of this home in this process, with tools of their own. Raises `WrongState` for another model."""
        if model is not None and model is not self._model:
            raise WrongState(f"home {self.name!r} is open in this process with another model: close that agent first")
        engine = self._opened.engine
        assert engine is not None, "a home has an engine"
        for one in tools:
            if one.name not in engine.registry or engine.registry.get(one.name) != one:
                engine.registry.add(one)
                if engine.company:
                    engine.company.bring([one.name])


async def _done(work: Awaitable[None]) -> None:
    await work


async def _ended(found: AsyncIterator[Any]) -> None:
    close = getattr(found, "aclose", None)
    if close is not None:
        await close()
