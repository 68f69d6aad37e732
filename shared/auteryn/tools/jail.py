"""One folder and nothing above it. Every path is opened beneath it by the kernel, without following a link.

Never "resolve, then open": between the two, somebody else can swap a folder for a link. Linux refuses in one step
(`openat2`, man 2 openat2); elsewhere each folder on the way is opened by itself with `O_NOFOLLOW`.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from auteryn.errors import AuterynError, DiskFull, ToolFailed

FULL = (errno.ENOSPC, errno.EDQUOT)
PATH_BYTES = 1_024
NAME_BYTES = 255

_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_OPENAT2 = 437
"""The same number on every architecture Linux supports, alpha apart."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def cleaned(path: str) -> str:
    """The path in one spelling, relative to the jail ("" is the jail itself); raises `ToolFailed` for one that is none."""
    if "\\" in path or any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise ToolFailed("invalid", f"path: {path!r} holds a backslash or a control character")
    if path.startswith(("/", "~")):
        raise ToolFailed("denied", f"path: {path!r} is not inside the run's files: give a path relative to them")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ToolFailed("denied", f"path: {path!r} may not go up with '..': give a path relative to the run's files")
    try:
        raw = [os.fsencode(part) for part in parts]
        "/".join(parts).encode()
    except UnicodeEncodeError:
        raise ToolFailed("invalid", f"path: {path!r} is not valid Unicode") from None
    if sum(map(len, raw)) + len(raw) > PATH_BYTES or any(len(part) > NAME_BYTES for part in raw):
        raise ToolFailed(
            "invalid", f"path: {path[:60]!r}… is longer than {PATH_BYTES} bytes, or a part of it than {NAME_BYTES}"
        )
    return "/".join(parts)


class Jail:
    """A folder that nothing gets out of. Paths are those that `cleaned` returns."""

    def __init__(self, root: Path, *, beside: dict[str, Path] | None = None, kernel: bool | None = None) -> None:
        """`beside`: names at the top that lie elsewhere, so that whoever is given the root does not have them.

        `kernel=False` takes the slower way that needs no `openat2`.
        """
        self.root = root
        self._fd = _entered(root)
        self._beside = {name: _entered(place) for name, place in (beside or {}).items()}
        self._kernel = _has_openat2() if kernel is None else kernel
        for fd in (self._fd, *self._beside.values()):
            weakref.finalize(self, os.close, fd)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """A file descriptor; raises `OSError` (`ELOOP` or `EXDEV` where a link is in the way)."""
        flags |= os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not hang the open
        top, _, rest = path.partition("/")
        root, below = (self._beside[top], rest) if top in self._beside else (self._fd, path)
        return _openat2(root, below or ".", flags) if self._kernel else _walked(root, below, flags)

    def folder(self, path: str, *, create: bool = False) -> int:
        """A descriptor of the folder, made with those above it if `create`."""
        try:
            return self.open(path, _FOLDER)
        except FileNotFoundError:
            if not create or not path:
                raise
        above, _, name = path.rpartition("/")
        fd = self.folder(above, create=True)
        try:
            os.mkdir(name, 0o755, dir_fd=fd)
        except FileExistsError:
            pass  # another writer made it meanwhile
        finally:
            os.close(fd)
        return self.open(path, _FOLDER)

    @contextmanager
    def parent(self, path: str, *, create: bool = False) -> Generator[tuple[int, str]]:
        """The open folder that holds `path`, and its name in there: what `rename`, `unlink` and `stat` need."""
        above, _, name = path.rpartition("/")
        fd = self.folder(above, create=create)
        try:
            yield fd, name
        finally:
            os.close(fd)

    def stat(self, path: str) -> os.stat_result:
        """Of the thing itself, never of what a link points to."""
        if not path:
            return os.fstat(self._fd)
        with self.parent(path) as (fd, name):
            return os.stat(name, dir_fd=fd, follow_symlinks=False)

    def rename(self, src: str, dst: str) -> None:
        """Move in one step and make it last; `dst` is replaced."""
        with self.parent(src) as (from_fd, old), self.parent(dst, create=True) as (to_fd, new):
            os.rename(old, new, src_dir_fd=from_fd, dst_dir_fd=to_fd)
            os.fsync(to_fd)


def _entered(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder, _FOLDER)


@contextmanager
def told(path: str) -> Generator[None]:
    """Turn the system's errors about `path` into what the model can act on."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # not the system's, but a decompressor's
        raise _meaning(error, path) from error


def out_of_space(error: BaseException | None) -> bool:
    """Whether the system said so first, whatever a library made of it."""
    while error is not None and not (isinstance(error, OSError) and error.errno in FULL):
        error = error.__cause__ or error.__context__
    return error is not None


def _meaning(error: OSError, path: str) -> AuterynError:
    match error.errno:
        case code if code in FULL:
            return DiskFull(f"no space left on the run's disk while writing {path!r}: remove or publish large files")
        case errno.ELOOP | errno.EXDEV:
            return ToolFailed("denied", f"{path!r} leads through a link; links are not followed")
        case errno.ENOENT:
            return ToolFailed("not_found", f"there is no {path!r}; file_find shows what there is")
        case errno.ENOTDIR:
            return ToolFailed("not_found", f"{path!r} leads through something that is not a folder")
        case errno.EISDIR:
            return ToolFailed("invalid", f"{path!r} is a folder")
        case errno.EEXIST | errno.ENOTEMPTY:
            return ToolFailed("conflict", f"{path!r} exists already")
        case errno.ENAMETOOLONG:
            return ToolFailed("invalid", f"{path!r} is too long for this disk")
        case _:
            return ToolFailed("denied", f"{path!r}: {os.strerror(error.errno or 0)}")


# ---- the kernel's way ----------------------------------------------------------------------------------------


@cache
def _syscall() -> Callable[[int, bytes, bytes], int]:
    """`openat2` of a folder, a path and how: a file descriptor, or the error's number with a minus."""
    import ctypes  # here: a run that touches no file need not load it

    libc = ctypes.CDLL(None, use_errno=True)

    def openat2(root: int, path: bytes, how: bytes) -> int:
        fd: int = libc.syscall(_OPENAT2, root, path, how, len(how))
        return fd if fd >= 0 else -ctypes.get_errno()

    return openat2


def _openat2(root: int, path: str, flags: int) -> int:
    how = struct.pack("QQQ", flags, 0o644 if flags & os.O_CREAT else 0, _BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)
    for _ in range(64):
        fd = _syscall()(root, os.fsencode(path), how)
        if fd >= 0:
            return fd
        if -fd not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a folder on the way was renamed meanwhile
            raise OSError(-fd, os.strerror(-fd), path)
    raise OSError(errno.EAGAIN, "folders on the way are being renamed", path)


@cache
def _has_openat2() -> bool:
    """Linux 5.6 and up, unless a sandbox forbids the call."""
    if sys.platform != "linux":
        return False
    here = os.open("/", _FOLDER)
    try:
        os.close(_openat2(here, ".", _FOLDER))
    except OSError:
        return False
    finally:
        os.close(here)
    return True


# ---- the way without it --------------------------------------------------------------------------------------


def _walked(root: int, path: str, flags: int) -> int:
    *above, last = path.split("/") if path else ["."]
    at = os.dup(root)
    try:
        for name in above:
            below = _no_link(name, _FOLDER, at)
            os.close(at)
            at = below
        return _no_link(last, flags, at)
    finally:
        os.close(at)


def _no_link(name: str, flags: int, at: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, 0o644, dir_fd=at)
    except NotADirectoryError:  # what Linux says of a link, with O_DIRECTORY
        if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise
