"""Programs that run as other processes on the test's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[2]


@contextmanager
def child(program: str, *args: object, pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[str]]:
    """A Python program in a process of its own, its output in `stdout`; killed at the end if it still runs."""
    running = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        assert running.stdout
        running.stdout.close()


def line(running: subprocess.Popen[str]) -> str:
    """The next line it prints."""
    assert running.stdout
    return running.stdout.readline().strip()
