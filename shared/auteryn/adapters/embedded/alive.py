"""Which processes of a home folder live: each holds a lock on a file of its own, and the kernel lets go of it when it dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from weakref import WeakSet

from auteryn.adapters.embedded.faults import from_os
from auteryn.adapters.embedded.folders import make_folder

_held = WeakSet["Alive"]()


class Alive:
    """This process's sign of life, `home/alive/<token>`, and a look at the others'."""

    def __init__(self, home: Path) -> None:
        self._folder = make_folder(home / "alive")
        self.token = f"proc_{secrets.token_hex(5)}"
        self._lock = self._hold()
        _held.add(self)
        self._bury()

    def tell(self, tools: Collection[str]) -> None:
        """What this process has that others may lack is written into its file."""
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, " ".join(tools).encode(), 0)
        except OSError as error:
            raise from_os(error, self._folder / self.token) from error

    def others_have(self, tools: Collection[str]) -> bool:
        """Whether another living process has told of all of these."""
        for path in self._folder.glob("proc_*"):
            with contextlib.suppress(OSError):
                if (
                    path.name != self.token
                    and {*tools} <= {*path.read_text(errors="replace").split()}
                    and self.lives(path.name)
                ):
                    return True
        return False

    def lives(self, token: str) -> bool:
        """Whether the process that holds this token still runs; a dead one's file is removed."""
        if token == self.token:
            return True
        path = self._folder / token
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise from_os(error, path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look at once both see that it is dead
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def close(self) -> None:
        """From here on this process counts as dead."""
        if self._lock >= 0:
            with contextlib.suppress(OSError):
                (self._folder / self.token).unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _hold(self) -> int:
        """Others see the file when it is locked: not yet locked it would be a dead one's."""
        path, aside = self._folder / self.token, self._folder / f".{self.token}"
        try:
            handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            aside.rename(path)
        except OSError as error:
            raise from_os(error, path) from error
        return handle

    def _bury(self) -> None:
        for path in self._folder.glob("proc_*"):
            self.lives(path.name)


def _forked() -> None:
    """In the child: it must not keep its parent's sign of life when the parent is dead."""
    for one in _held:
        one.let_go()


os.register_at_fork(after_in_child=_forked)
