"""Changes of a tree's files, where files must outlive the folder they were made in. Read in order they give the files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auteryn.schema.record import Record

KIND = "files"
"""Of the documents that hold `FileChanges`; their scope is the tree's root run."""


class FileState(Record):
    """One file as it is now."""

    path: str
    sha256: str | None = None
    """Its bytes; None: it is gone."""
    size_bytes: int = 0
    executable: bool = False
    modified_at: datetime | None = None


class Receipt(Record):
    """A call that has had its effect on the files, and has no answer yet."""

    key: str
    output: Any


class FileChanges(Record):
    """What changed between two commits of one slice; committed with the second."""

    files: tuple[FileState, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    version: int = 1
