"""Which processes of a home folder live: each holds a lock on a file of its own, and the kernel lets go of it when it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from auteryn.adapters.embedded.database import make_folder
from auteryn.adapters.embedded.faults import from_os
from auteryn.schema.record import new_id


class Alive:
    """This process's sign of life, `home/alive/<token>`, and a look at the others'."""

    def __init__(self, home: Path) -> None:
        self.folder = make_folder(home / "alive")
        self.token = new_id("host")
        self._lock = self._hold()
        self.bury()

    def lives(self, token: str) -> bool:
        """Whether the process that holds this token still runs; a dead one's file is removed."""
        if token == self.token:
            return True
        path = self.folder / token
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise from_os(error, path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def bury(self) -> None:
        """Remove the files of all who died."""
        for path in self.folder.iterdir():
            self.lives(path.name)

    def close(self) -> None:
        """From here on this process counts as dead."""
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                (self.folder / self.token).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1

    def _hold(self) -> int:
        path = self.folder / self.token
        try:
            while True:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(handle, fcntl.LOCK_EX)
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(handle), path.stat()):
                        return handle
                os.close(handle)  # somebody took the new file, not yet locked, for a dead one's
        except OSError as error:
            raise from_os(error, path) from error
