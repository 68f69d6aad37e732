"""One call of a sending tool in a process of its own, which ends itself before a given line."""

from __future__ import annotations

import faulthandler
import importlib
import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from auteryn.schema.run import Run
from auteryn.tools import slack
from auteryn.tools.egress import Egress
from unit.tools.bench import Args, Bench

IMPORTED = (
    "anyio._backends._asyncio",
    "auteryn.tools.confluence",
    "auteryn.tools.egress_client",
    "auteryn.tools.mail_server",
    "auteryn.tools.webhook",
    "email.generator",
    "httpx2",
    "markdown_it",
)
"""Before the first child is born."""
TALKING = frozenset({"hand_over", "_greet", "_part", "send", "_get_socket"})
"""Plain functions that reach outside; all others that do are coroutines. What only makes texts is passed over."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call of `tool` in the folder of a bench; `line` of the `traced` files is never reached."""

    tool: str
    args: Args
    traced: tuple[str, ...]
    line: int
    folder: Path
    run: Run
    egress: Egress
    env: dict[str, str]
    slack: str
    """Where its API is."""

    @classmethod
    def on(cls, bench: Bench, tool: str, args: Args, traced: tuple[str, ...], line: int) -> Delivery:
        return cls(tool, args, traced, line, bench.folder, bench.run, bench.egress, dict(os.environ), slack.API)


class Forks:
    """A process without threads whose children make the calls: a fork beside the threads of gRPC or a stand-in may hang."""

    def __init__(self) -> None:
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "AUTERYN_SANDBOX": "off"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def is_killed(self, delivery: Delivery) -> bool:
        """Whether the call did not come to its end."""
        assert self._process.stdin and self._process.stdout
        pickle.dump(delivery, self._process.stdin)
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, -signal.SIGKILL), code
        return code != 0

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    """One call after the other from stdin; on stdout how each ended."""
    for name in IMPORTED:
        importlib.import_module(name)
    while sys.stdin.buffer.peek(1):
        delivery = pickle.load(sys.stdin.buffer)
        child = os.fork()
        if child == 0:
            _be_killed_in(delivery)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_killed_in(delivery: Delivery) -> None:
    faulthandler.register(signal.SIGALRM, file=2, chain=True)  # one that hangs says where
    signal.alarm(30)
    os.environ.update(delivery.env)
    slack.API = delivery.slack
    bench = Bench(delivery.folder, pytest.MonkeyPatch())
    bench.run, bench.egress = delivery.run, delivery.egress
    trace = Killer(delivery.traced, delivery.line)
    threading.settrace(trace)
    sys.settrace(trace)
    bench.facts_of(delivery.tool, delivery.args)


class Killer:
    """Counts the lines of some files and ends the process before one of them."""

    def __init__(self, files: tuple[str, ...], left: int) -> None:
        self.files, self.left = files, left

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        reaches = code.co_flags & inspect.CO_COROUTINE or code.co_name in TALKING
        if not (reaches and code.co_filename.endswith(self.files)):
            return None
        if event == "line":
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
        return self


if __name__ == "__main__":
    main()
