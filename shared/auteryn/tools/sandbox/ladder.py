"""Which wall stands here: each is tried with a canary when somebody first asks, never when a module is imported.

A kernel that should make namespaces and does not, a container that forbids them, a program that is there and fails: nothing of
that can be read off. So a canary is put behind each wall in turn, and the first that holds it is used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from msgspec import Struct

from auteryn.errors import AuterynError, Invalid, ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.sandbox.box import Job, Limits, Sandbox, python
from auteryn.tools.sandbox.bubblewrap import Bubblewrap
from auteryn.tools.sandbox.cloud_run import CloudRun
from auteryn.tools.sandbox.landlock import Landlock

SETTING = "AUTERYN_SANDBOX"
"""`auto` (default), the name of one rung, or `off`: no code is run."""
ALLOWED = frozenset({"ran", "kept"})
CANARY_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Seen(Record):
    """What the canary found behind one wall."""

    rung: str
    why: str = ""
    """Why it does not stand; empty if it does."""


class Chosen(Struct, frozen=True):
    """The outcome of a climb."""

    sandbox: Sandbox | None
    seen: tuple[Seen, ...]

    @property
    def words(self) -> str:
        """One line for logs and `auteryn doctor`."""
        tried = "; ".join(f"{one.rung}: {one.why}" for one in self.seen if one.why)
        if self.sandbox is None:
            return f"no sandbox stands here, so no code is run ({tried or 'it is switched off'})"
        network = "the network through the egress proxy" if self.sandbox.gives_network else "no network"
        return f"{self.sandbox.name} held the canary; {network}{f' ({tried})' if tried else ''}"


def rungs() -> tuple[Sandbox, ...]:
    """All walls there are, the best first."""
    return CloudRun(), Bubblewrap(), Landlock()


def begin() -> None:
    """Look for the wall meanwhile, unless code is not run: whoever asks later waits the less."""
    if _setting() != "off":
        climbing()


def chosen() -> Chosen:
    """The wall of this process, looked for once. Blocks for what is left of a fraction of a second."""
    try:
        return climbing().result()
    except OSError:
        climbing.cache_clear()  # a full disk may be over next time
        raise


@cache
def climbing() -> Future[Chosen]:
    """The climb, begun; in a thread, because whoever asks may be inside an event loop."""
    found = Future[Chosen]()

    def climbs() -> None:
        try:
            outcome = asyncio.run(climb(_wanted()))
        except BaseException as error:  # noqa: BLE001 - told to whoever asks
            found.set_exception(error)
            return
        level = logging.INFO if outcome.sandbox else logging.WARNING
        _log.log(level, "sandbox: %s", outcome.words, extra={"sandbox": outcome.sandbox.name if outcome.sandbox else "none"})
        found.set_result(outcome)

    threading.Thread(target=climbs, name="sandbox").start()
    return found


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=climbing.cache_clear)  # whoever climbs is not there


def no_sandbox() -> str | None:
    """Why tools that run code are hidden; None if they need not be."""
    if _setting() == "off":
        return f"{SETTING} is off"
    return None if chosen().sandbox else chosen().words


def sandbox(*, network: bool = False) -> Sandbox:
    """The wall to use; raises `ToolFailed`, in words that do not speak of kernels."""
    found = chosen().sandbox
    if found is None:
        raise ToolFailed("unavailable", "code cannot be run on this machine: `auteryn doctor` tells the owner why")
    if network and not found.gives_network:
        raise ToolFailed(
            "unsupported",
            "code has no network on this machine: fetch first, with web_fetch or http_request; of a repository the archive its "
            "forge offers (…/archive/HEAD.tar.gz), then unpack it",
        )
    return found


async def climb(walls: Iterable[Sandbox]) -> Chosen:
    """Try one after the other."""
    seen = list[Seen]()
    for wall in walls:
        why = wall.unfit() or await tried(wall)
        seen.append(Seen(rung=wall.name, why=why))
        if not why:
            return Chosen(wall, tuple(seen))
    return Chosen(None, tuple(seen))


async def tried(wall: Sandbox) -> str:
    """What the canary could do that it must not, or why it did not run; empty if the wall stands."""
    from auteryn.tools.sandbox import canary

    with _cage() as place, socket.create_server(("127.0.0.1", 0)) as listener:
        workspace, port = place / "workspace", listener.getsockname()[1]
        argv = [python(), "-I", "-S", "-B", str(canary.__file__), str(place / "secret"), str(port), str(place / "outside")]
        try:
            ran = await wall.run(Job(argv=argv, workspace=workspace, limits=Limits(seconds=CANARY_SECONDS)))
        except (AuterynError, OSError) as error:
            return str(error)
        done = set(ran.stdout.decode(errors="replace").splitlines())
    if not done >= ALLOWED:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        return f"it does not start: {said[-1][:300] if said else ran.stopped or f'exit code {ran.exit_code}'}"
    return ", ".join(f"code {what}" for what in sorted(done - ALLOWED))


@contextmanager
def _cage() -> Generator[Path]:
    """A folder with a workspace, a secret beside it, and nothing but the wall in the way."""
    with tempfile.TemporaryDirectory(prefix="auteryn-canary-") as folder:
        place = Path(folder)
        place.chmod(0o777)
        (place / "secret").write_text("secret")
        (place / "workspace").mkdir()
        yield place


def _wanted() -> tuple[Sandbox, ...]:
    name = _setting()
    return tuple(one for one in rungs() if name in ("auto", one.name))


def _setting() -> str:
    name = os.environ.get(SETTING, "auto").lower()
    if name not in (known := ("auto", "off", *(one.name for one in rungs()))):
        raise Invalid(SETTING, name, f"must be one of {', '.join(known)}")
    return name
