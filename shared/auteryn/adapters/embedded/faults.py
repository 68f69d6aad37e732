"""What SQLite and the file system say, in the words of `auteryn.errors`."""

from __future__ import annotations

import errno
import os
import sqlite3
from datetime import timedelta
from pathlib import Path

from auteryn.errors import AuterynError, Corrupt, DiskFull, NotAllowed, Unavailable

FREE_BYTES_LEFT = 64 * 1024
"""Below this an input/output error is put down to a full disk: SQLite cannot say so for its shared-memory file."""

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def is_busy(error: sqlite3.Error) -> bool:
    """Somebody else holds the lock."""
    return _primary(error) in BUSY


def from_sqlite(error: sqlite3.Error, file: Path) -> AuterynError:
    """The typed error for one of SQLite's; raise it `from error`."""
    code = _primary(error)
    if code in BUSY:
        return Unavailable(
            f"{str(file)!r} is locked by another writer: try again, or end the program that holds it ({error})",
            retry_after=timedelta(seconds=1),
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) and (code == sqlite3.SQLITE_FULL or _disk_is_full(file)):
        return disk_full(file)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(
            f"{str(file)!r} is damaged ({error}): what lies on other pages is still read. Stop every program that uses it, copy"
            f" the folder away, then restore a backup or rebuild the file with: sqlite3 {file.name} '.recover'"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN):
        return read_only(file, str(error))
    return Unavailable(f"{str(file)!r} could not be used: {error}", retry_after=timedelta(seconds=1))


def from_os(error: OSError, path: Path) -> AuterynError:
    """The typed error for one of the file system's; raise it `from error`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return disk_full(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return read_only(path, error.strerror or str(error))
    return Unavailable(f"{str(path)!r} could not be used: {error}", retry_after=timedelta(seconds=1))


def disk_full(path: Path) -> DiskFull:
    folder = _existing(path)
    return DiskFull(
        f"no space is left on the disk of {str(folder)!r} ({_mount_point(folder)}): nothing was half written. Free some"
        f" (files of runs that have ended, temporary files, logs), then the same write succeeds",
        retry_after=timedelta(seconds=5),
    )


def read_only(path: Path, why: str) -> NotAllowed:
    folder = _existing(path if path.is_dir() else path.parent)
    return NotAllowed(
        f"{str(path)!r} cannot be written by user {os.geteuid()} ({why}): give this user write access to {str(folder)!r}"
        f" and everything in it, or choose another folder with AUTERYN_HOME"
    )


def _primary(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # extended codes carry their detail in the upper bytes


def _disk_is_full(file: Path) -> bool:
    try:
        state = os.statvfs(_existing(file))
    except OSError:
        return False
    return state.f_bavail * state.f_frsize < FREE_BYTES_LEFT


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path if path.is_dir() else path.parent


def _mount_point(folder: Path) -> str:
    folder = folder.absolute()
    while not folder.is_mount():
        folder = folder.parent
    return f"mounted at {str(folder)!r}"
