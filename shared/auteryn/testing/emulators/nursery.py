"""Python programs that start at once: children of one process that has imported what they need and opened nothing.

Importing Google's clients takes seconds of a processor; a machine that stands in for a hundred others pays that once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import json
import os
import runpy
import selectors
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from auteryn.testing.emulators.servers import leashed

IMPORTED = (
    "anyio._backends._asyncio",
    "auteryn.adapters.embedded.bus",
    "auteryn.adapters.embedded.clock",
    "auteryn.adapters.embedded.jobs",
    "auteryn.adapters.gcp.blobs",
    "auteryn.adapters.gcp.bus",
    "auteryn.adapters.gcp.jobs",
    "auteryn.adapters.gcp.log",
    "auteryn.adapters.gcp.model",
    "auteryn.adapters.gcp.queue",
    "auteryn.adapters.gcp.settings",
    "auteryn.adapters.gcp.store",
    "auteryn.compose",
    "auteryn.policy.credits",
    "auteryn.policy.models",
    "auteryn.runtime.slice",
    "auteryn.testing.scenarios",
    "auteryn.tools.builtin",
    "google.cloud.firestore_v1",
    "google.cloud.storage",
    "google.cloud.tasks_v2",
    "google.genai",
    "google.pubsub_v1",
    "h11",
    "httpcore2",
    "truststore",
)
"""Before the first child is born."""

_PR_SET_PDEATHSIG = 1


class Child:
    """As `asyncio.subprocess.Process`, as far as executions need it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


class Nursery:
    """Between entering and leaving, `spawn` runs `[python, program, …]`, each in a session of its own."""

    async def __aenter__(self) -> Nursery:
        program = [sys.executable, "-m", "auteryn.testing.emulators.nursery"]
        self._process = await asyncio.create_subprocess_exec(
            *leashed(program), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        self._children: dict[int, Child] = {}
        self._born: list[asyncio.Future[Child]] = []
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Every child is gone."""
        self._process.kill()
        await self._process.wait()
        await self._hearing

    async def spawn(self, command: Sequence[str], env: Mapping[str, str]) -> Child:
        birth: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._born.append(birth)
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"argv": list(command[1:]), "env": dict(env)}).encode() + b"\n")
        await self._process.stdin.drain()
        return await birth

    async def _hear(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            said: dict[str, int] = json.loads(line)
            if "code" in said:
                self._children.pop(said["pid"]).ended.set_result(said["code"])
            else:
                child = self._children[said["pid"]] = Child(said["pid"])
                birth = self._born.pop(0)
                if not birth.cancelled():
                    birth.set_result(child)
        for child in self._children.values():
            child.ended.set_result(-signal.SIGKILL)


def main() -> None:
    """One line a birth on stdin; on stdout one line a birth and one a death, in the order they happen."""
    for name in IMPORTED:
        importlib.import_module(name)
    libc, parent = ctypes.CDLL(None), os.getpid()
    out, dead = os.dup(1), os.pipe()
    os.set_blocking(dead[1], False)
    signal.set_wakeup_fd(dead[1])
    signal.signal(signal.SIGCHLD, _heard)
    waiting = selectors.DefaultSelector()
    waiting.register(0, selectors.EVENT_READ, "births")
    waiting.register(dead[0], selectors.EVENT_READ, "deaths")
    rest = b""
    while True:
        for key, _ in waiting.select():
            if key.data == "deaths":
                os.read(dead[0], 4096)
                continue
            read = os.read(0, 1 << 16)
            if not read:
                return
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    _live(json.loads(line), libc, parent)
                os.write(out, json.dumps({"pid": pid}).encode() + b"\n")
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                told = {"pid": found[0], "code": os.waitstatus_to_exitcode(found[1])}
                os.write(out, json.dumps(told).encode() + b"\n")


def _heard(number: int, frame: object) -> None:
    """Nothing: that it was heard wakes the loop."""


def _live(life: dict[str, Any], libc: ctypes.CDLL, parent: int) -> None:
    """Be the program; never returns."""
    code = 1
    try:
        os.setsid()
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.environ.clear()
        os.environ.update(life["env"])
        sys.argv = life["argv"]
        runpy.run_path(life["argv"][0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does at a program's end
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
