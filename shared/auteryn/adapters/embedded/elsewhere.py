"""News between the processes of one folder: a datagram to everybody who listens, trusted for nothing.

Nobody polls, and a process that does not listen costs the others nothing. Where such sockets cannot be made, the listener
polls SQLite's own change number instead, and hears that something is new, but not what.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from auteryn.adapters.embedded.folders import make_folder
from auteryn.errors import AuterynError, Corrupt
from auteryn.schema.message import Delta
from auteryn.schema.record import Record, from_json, to_json


class News(Record):
    """Something is new about `topic`: the root of a tree of runs, or `wakes`. Without a topic it may be anything."""

    topic: str = ""
    run: str = ""
    delta: Delta | None = None
    """Only this is news in itself; all else is read from the database."""


Told = Callable[[News], None]

POLL_SECONDS = 0.1
"""Without a socket."""

SETTLED_SECONDS = 0.1
"""A folder's time of change has the kernel's tick for a unit (4 ms): a listing is trusted only if it was older than this."""

LONGEST_SOCKET_NAME = 100
"""Bytes; the kernel takes 107, some kernels 103."""

LONGEST_NEWS = 65_536


class Elsewhere:
    """This process's ear, `home/ears/<token>`, and its voice."""

    def __init__(self, home: Path, token: str, version: Callable[[], int]) -> None:
        folder, self._token, self._version = make_folder(home / "ears"), token, version
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self._way = str(folder)
        """To the ears, as sockets take it."""
        if len(os.fsencode(folder / token)) > LONGEST_SOCKET_NAME and sys.platform == "linux":
            self._way = f"/proc/self/fd/{self._handle}"
        self._voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._voice.setblocking(False)
        self._listed_ns, self._others = -1, tuple[str, ...]()
        self._listeners: dict[Told, None] = {}
        self._stop_listening: Callable[[], None] | None = None
        self._heard = bytearray(LONGEST_NEWS)
        """Read into again and again: room for the longest news, made anew for each, costs more than reading it."""
        self._full: dict[str, Callable[[], None]] = {}
        """Whose ear had no room: how to stop waiting for it."""

    def listen(self, told: Told) -> None:
        """From now on `told(news)` is called with what other processes say; nothing is, once this is closed."""
        if self._voice.fileno() < 0:
            return
        self._listeners[told] = None
        if self._stop_listening is None:
            try:
                self._stop_listening = self._open_ear()
            except OSError:
                self._stop_listening = self._poll()

    def forget(self, told: Told) -> None:
        self._listeners.pop(told, None)
        if not self._listeners and self._stop_listening:
            self._stop_listening()
            self._stop_listening = None

    def say(self, news: News) -> None:
        """Tell the others. Never fails: a listener that cannot be reached is dead, or is reminded."""
        with contextlib.suppress(OSError):
            changed_ns = os.fstat(self._handle).st_mtime_ns
            if changed_ns != self._listed_ns:
                with os.scandir(self._handle) as found:
                    self._others = tuple(entry.name for entry in found if entry.name != self._token)
                self._listed_ns = changed_ns if time.time_ns() - changed_ns > SETTLED_SECONDS * 1e9 else -1
        if self._others:
            said = to_json(news)
            for other in self._others:
                self._tell(other, said if len(said) <= LONGEST_NEWS else _ANYTHING)

    def close(self) -> None:
        for told in tuple(self._listeners):
            self.forget(told)
        for stop in tuple(self._full.values()):
            stop()
        if self._voice.fileno() >= 0:
            self._voice.close()
            os.close(self._handle)

    def _tell(self, other: str, said: bytes) -> None:
        try:
            self._voice.sendto(said, self._address(other))
        except ConnectionRefusedError:  # it died with its ear open
            with contextlib.suppress(OSError):
                os.unlink(other, dir_fd=self._handle)
        except BlockingIOError:  # an ear may hold no more than ten
            if other not in self._full:
                self._remind(other)
        except OSError:
            pass  # gone meanwhile

    def _remind(self, other: str) -> None:
        """As soon as there is room in its ear it is told that it may have missed anything."""
        loop, line = asyncio.get_running_loop(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        line.setblocking(False)

        def stop() -> None:
            self._full.pop(other, None)
            if not loop.is_closed():
                loop.remove_writer(line)
            line.close()

        def speak() -> None:
            try:
                line.send(_ANYTHING)
            except BlockingIOError:
                return  # somebody else took the room
            except OSError:
                pass  # gone meanwhile
            stop()

        self._full[other] = stop
        try:
            line.connect(self._address(other))
            loop.add_writer(line, speak)
        except OSError:
            stop()

    def _address(self, token: str) -> str:
        return f"{self._way}/{token}"

    def _open_ear(self) -> Callable[[], None]:
        loop, ear = asyncio.get_running_loop(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ear.setblocking(False)
            ear.bind(self._address(self._token))
        except OSError:
            ear.close()
            raise
        loop.add_reader(ear, self._hear, ear)

        def stop() -> None:
            if not loop.is_closed():
                loop.remove_reader(ear)
            ear.close()
            with contextlib.suppress(OSError):
                os.unlink(self._token, dir_fd=self._handle)

        return stop

    def _hear(self, ear: socket.socket) -> None:
        while True:
            try:
                said = bytes(self._heard[: ear.recv_into(self._heard)])
            except BlockingIOError:
                return
            try:
                self._pass_on(from_json(said, News, where="news from another process"))
            except Corrupt:  # of another release, perhaps
                self._pass_on(News())

    def _poll(self) -> Callable[[], None]:
        async def look() -> None:
            seen = self._version()
            while True:
                await asyncio.sleep(POLL_SECONDS)
                with contextlib.suppress(AuterynError):  # whoever reads next is told; this only looks
                    if (now := self._version()) != seen:
                        seen = now
                        self._pass_on(News())

        task = asyncio.create_task(look())

        def stop() -> None:
            task.cancel()

        return stop

    def _pass_on(self, news: News) -> None:
        for told in tuple(self._listeners):
            told(news)


_ANYTHING = to_json(News())
