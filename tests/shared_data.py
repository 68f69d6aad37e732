"""Where other people's data lies: recordings, labelled prompts, outside checks. Read in place, never copied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(path: str) -> Path:
    """The file or folder `path` of the shared data; fails the test loudly where it is absent."""
    base = Path(os.environ.get("AUTERYN_SHARED", ROOT.parent / "shared"))
    found = base / path
    if not found.exists():
        pytest.fail(f"shared data {path!r} is not at {base}: set AUTERYN_SHARED to the folder that holds it")
    return found
