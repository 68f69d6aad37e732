"""Folders that are there, also after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

from auteryn.adapters.embedded.faults import from_os
from auteryn.errors import Invalid


def make_folder(folder: Path) -> Path:
    """The folder exists; a new one is this user's only."""
    if folder.is_dir():
        return folder
    if folder.exists():
        raise Invalid("folder", str(folder), "must be a folder, and is a file")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise from_os(error, folder) from error
    return folder


def sync_folder(folder: Path) -> None:
    """The names in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
