"""A process is killed before every line of a sending tool, and another resumes the call: what leaves, leaves at most once.

Forked processes under SIGKILL, real sockets, stand-ins that count what reaches them. Where the other side takes a key or can
be asked (Slack, Confluence, a webhook) it is exactly once; a mail that may have left is reported unknown and stays unsent.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.store import SqliteStore
from auteryn.schema import event as e
from unit.tools.bench import Args, Bench, sampled

TRACED = {
    "email_send": ("tools/email.py", "tools/mail_server.py"),
    "slack_post": ("tools/slack.py", "tools/sending.py"),
    "webhook_send": ("tools/webhook.py",),
    "confluence_write": ("tools/confluence.py",),
}
TALKING = frozenset({"hand_over", "_greet", "_part", "send", "_get_socket"})
"""Plain functions that reach outside; all others that do are coroutines. What only makes texts is passed over."""
MOST_LINES = 1_000


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.mark.proves("L6", "P73")
@pytest.mark.parametrize("name", sorted(TRACED))
def test_killed_before_any_line_it_is_delivered_once_or_reported_unknown(bench: Bench, name: str) -> None:
    unknown = 0
    with sampled(bench, name) as args:
        bench.facts_of(name, args)  # what has to be imported is, before processes are forked off
        for line in range(MOST_LINES):
            bench.run = replace(bench.run, id=f"run_at_{line}")
            before = bench.outside()
            killed = killed_at(bench, name, args, line)
            left = bench.outside() - before
            facts = bench.facts_of(name, args, resumed=True)
            answer = next(fact for fact in facts if isinstance(fact, e.CallAnswered))
            delivered = bench.outside() - before
            if name == "email_send":
                assert answer.error == "ambiguous" and delivered == left <= 1, (line, answer)
                unknown += left
            else:
                assert answer.error is None and delivered == 1, (line, answer)
            if not killed:
                break
        else:
            raise AssertionError("the call never came to its end")
    assert line > 8 and (name != "email_send" or unknown > 0)


def killed_at(bench: Bench, name: str, args: Args, line: int) -> bool:
    """Whether the call, made in a process of its own, was killed before the `line`th line; False: it came to its end."""
    asyncio.run(bench.store.close())
    child = os.fork()
    if child == 0:
        try:
            faulthandler.register(signal.SIGALRM, file=2, chain=True)  # one that hangs says where
            signal.alarm(30)
            bench.store = SqliteStore.open(bench.folder, synchronous="off")
            trace = Killer(TRACED[name], line)
            threading.settrace(trace)
            sys.settrace(trace)
            bench.facts_of(name, args)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    bench.reborn()
    assert not os.WIFSIGNALED(status) or os.WTERMSIG(status) == signal.SIGKILL
    return os.WIFSIGNALED(status)


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
