"""Office files, opened with care: they are archives, may be bombs, may be locked, may be damaged in any way."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from auteryn.errors import ToolFailed
from auteryn.tools.leash import Stopped
from auteryn.tools.tables.workbooks import refuse_bomb
from auteryn.tools.workspace import Workspace

T = TypeVar("T")

_WHEN = (2026, 1, 1, 0, 0, 0)
_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</)")

_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
"""Begins the form of Office before 2007; newer files are put into one when they get a password."""
_LOCKED = "EncryptedPackage".encode("utf-16-le")


def opened(files: Workspace, path: str, read: Callable[[Path], T]) -> T:
    """What `read` makes of the file; raises `ToolFailed` for bombs, locked and damaged files."""
    with files.path_for_library(path) as real:
        return opened_at(real, path, read)


def opened_at(real: Path, shown: str, read: Callable[[Path], T]) -> T:
    """The same for a file at a real path."""
    refuse_bomb(real, shown)
    refuse_locked(real, shown)
    try:
        return read(real)
    except (ToolFailed, Stopped):
        raise
    except ModuleNotFoundError as error:
        raise ToolFailed("missing_extra", f"{shown!r} needs {error.name}: pip install 'auteryn[all]'") from error
    except Exception as error:  # the libraries raise whatever they stumble over in a damaged file
        raise ToolFailed("unsupported", f"{shown!r} cannot be read, it seems damaged: {type(error).__name__}") from error


def settled(body: bytes) -> bytes:
    """The same package without the time it was written at, so that a repeated call makes the same file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "docProps/core.xml":
                part = _TIMES.sub(rb"\g<1>2026-01-01T00:00:00Z\g<2>", part)
            new.writestr(zipfile.ZipInfo(name, _WHEN), settled(part) if name.endswith(".xlsx") else part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def refuse_locked(real: Path, shown: str) -> None:
    """Raises `ToolFailed("auth")` for a file with a password, `unsupported` for the old form under a new ending."""
    if real.suffix.lower() in (".doc", ".xls", ".ppt"):
        return
    with real.open("rb") as file:
        if file.read(8) != _COMPOUND:
            return
        locked = _LOCKED in file.read(1 << 20)
    if locked:
        raise ToolFailed("auth", f"{shown!r} is protected by a password")
    raise ToolFailed("unsupported", f"{shown!r} has the form of Office before 2007, whatever its ending says")
