"""A program of the system that turns one file into another: without our environment, gone with its call and all it started."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from auteryn.errors import ToolFailed
from auteryn.tools.leash import Leash

LONGEST = 120.0
"""Seconds for one file; LibreOffice needs two of them for a fresh profile."""
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there."""


def run_to_end(command: list[str], work: Path, what: str, leash: Leash) -> int:
    """Run it in `work`, and return its exit code; raises `ToolFailed("timeout")`. What it made is the caller's to look for."""
    leash.check()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE)
    clean = {"PATH": os.environ.get("PATH", ""), "HOME": str(work), "TMPDIR": str(work), "LANG": "C.UTF-8", **proxies}
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=work, env=clean, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    leash.on_pull(lambda: _kill(process))
    try:
        process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        raise ToolFailed("timeout", f"{what} did not finish within {LONGEST:.0f} s") from None
    finally:
        leash.on_pull(None)
        _kill(process)
        process.wait()
    leash.check()
    return process.returncode


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With everything it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
