"""Ctrl-C and its kin, once and again."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, os, signal
from auteryn.cli import home

async def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        {closing}
        print("in order")

{how}
try:
    home.going(main())
except KeyboardInterrupt:
    print("stopped")
"""


def told_twice(closing: str, how: str = "") -> str:
    program = PROGRAM.format(closing=closing, how=how)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


def test_a_signal_that_a_wrapper_passes_on_as_well_is_one():
    assert told_twice("[await asyncio.sleep(0) for _ in range(9)]", "home.SAME_STOP_SECONDS = 60") == "in order\nstopped\n"


def test_whoever_asks_again_does_not_wait_for_the_end_of_closing():
    assert told_twice("await asyncio.Event().wait()", "home.SAME_STOP_SECONDS = -1") == "stopped\n"
