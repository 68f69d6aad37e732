"""The files of a run and its steps: one folder, reached only through a jail.

What tools make appears whole or not at all: it is written beside, synced, then renamed. `.trash` holds what was deleted.
The hidden folder beside it (`tools.hidden`) holds what is half-made, and the receipts that let a repeated call find out that it
was done.
"""

from __future__ import annotations

import hashlib
import os
import stat as modes
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from auteryn.errors import ToolFailed
from auteryn.policy import quotas
from auteryn.schema.record import Record
from auteryn.tools.hidden import HIDDEN, RECOUNT, Away, Hidden, dropped, remove
from auteryn.tools.jail import cleaned, told

TRASH = ".trash"
SKIPPED = frozenset({TRASH, ".git", "node_modules", "__pycache__", ".venv"})
"""Folders a search does not enter unless it is told to."""
OUTPUTS = "outputs"
"""Folder of answers that are too long for the conversation, named after their calls."""
DEEPEST = 64
_LIKE = 1_000
"""Files looked at for one that may have been meant."""
_CHUNK = 1 << 18


class Found(Record):
    """A file or folder."""

    path: str
    size_bytes: int
    modified_at: datetime
    folder: bool = False


class Workspace(Hidden):
    """The tree's files. Paths are relative; everything raised is `ToolFailed` for the model, or `DiskFull`."""

    def place_of(self, path: str) -> Path:
        """Where a file lies, the engine's own included."""
        return self._real(path) if path.startswith(f"{HIDDEN}/") else self.root / path

    def remove(self) -> None:
        """All files are gone, the engine's own too."""
        for folder in (self.root, self.own):
            remove(folder)

    # ---- looking

    def stat(self, path: str) -> Found:
        """What is at `path`; raises `ToolFailed("not_found")`."""
        name = self._named(path)
        with self._looked_for(path):
            try:
                return _found(name, self._jail.stat(name), path)
            except FileNotFoundError:
                if (there := self.away(name)) is None:
                    raise
                return _found_away(there)

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, a link included."""
        name = self._named(path)
        return self._on_disk(name) or self.away(name) is not None

    def names(self, text: str) -> bool:
        """Whether a text, which may be no path at all, names something that is there."""
        try:
            return self.exists(text)
        except ToolFailed:
            return False

    def walk(self, under: str = "", *, skip: frozenset[str] = SKIPPED) -> Iterator[Found]:
        """Every file below a folder, by name; links, special files and names that are no Unicode left out. `skip` names folders
        not entered."""
        under = self._named(under)
        waiting = [under]
        while waiting:
            here = waiting.pop()
            with told(here or "."):
                fd = self._jail.folder(here)
                try:
                    with os.scandir(fd) as listing:
                        files, below = _sorted_out(sorted(listing, key=lambda entry: entry.name), here, skip)
                finally:
                    os.close(fd)
            yield from files
            if here.count("/") < DEEPEST:
                waiting += reversed(below)
        yield from (_found_away(one) for one in self.all_away() if one.path.startswith(f"{under}/" if under else ""))

    @contextmanager
    def _looked_for(self, path: str) -> Generator[None]:
        """As `told`; and of a file that is not there, which one may have been meant."""
        try:
            with told(path):
                yield
        except ToolFailed as error:
            if error.kind != "not_found" or not (near := self.near(path)):
                raise
            raise ToolFailed("not_found", f"there is no {path!r}; there is {' and '.join(map(repr, near))}") from error

    def near(self, path: str) -> list[str]:
        """Files that are called much like it, the likest first."""
        if path.startswith(HIDDEN):
            return []
        from difflib import get_close_matches

        known = {file.path: PurePath(file.path).name.lower() for file in islice(self.walk(), _LIKE)}
        names = get_close_matches(PurePath(path).name.lower(), set(known.values()), 3, 0.75)
        return [path for name in names for path, called in known.items() if called == name][:3]

    # ---- reading

    @contextmanager
    def reading(self, path: str, *, engine: bool = False) -> Generator[BufferedReader]:
        """The file, open; raises `ToolFailed` for a folder, a link or a special file. `engine`: one of its own, too."""
        name = self._named(path, engine=engine)
        with self._looked_for(path):
            self._not_away(name)
            fd = self._jail.open(name)
        try:
            with told(path):
                _found(name, os.fstat(fd), path, file=True)
            file = os.fdopen(fd, "rb")
        except BaseException:
            os.close(fd)
            raise
        with file:
            yield file

    def read(self, path: str, *, most: int = quotas.READ_BYTES) -> bytes:
        """The whole file; raises `ToolFailed("too_large")` beyond `most` bytes."""
        with self.reading(path) as file:
            body = file.read(most + 1)
        if len(body) > most:
            raise ToolFailed("too_large", f"{path!r} is larger than {most:,} bytes: read a part of it")
        return body

    @contextmanager
    def path_for_library(self, path: str, *, engine: bool = False) -> Generator[Path]:
        """A real path with the same file name, for a library that takes no open file.

        It is a second name of the file that was opened through the jail, in a place only we write to; gone after the block.
        """
        with self.reading(path, engine=engine) as file:
            aside = self._aside()
            real = aside / Path(path).name
            try:
                _second_name(file, real)
                yield real
            finally:
                remove(aside)

    # ---- writing

    def write(self, path: str, body: bytes | Iterable[bytes], *, key: str | None = None, output: Any = None) -> Found:
        """Put `body` at `path`, whole or not at all; folders on the way are made.

        With `key`, `receipt(key)` gives `output` from the instant the file is there.
        """
        name = self._named(path, to_write=True)
        staged = self._staged(key)
        with told(path), self._cleaned_up(staged):
            self._fill(staged, [body] if isinstance(body, bytes) else body, path)
            if key is not None:
                self._leave_receipt(key, staged, output)
            self._appear(staged, name)
            return _found(name, self._jail.stat(name), path)

    @contextmanager
    def path_to_write(self, path: str, *, engine: bool = False) -> Generator[Path]:
        """A real path for a library to write to; when the block ends well the file is at `path`, whole, synced and counted."""
        name = self._named(path, to_write=True, engine=engine)
        self._room_for(0)
        aside = self._aside()
        staged = f"{HIDDEN}/tmp/{aside.name}/{Path(path).name}"
        try:
            with told(path):
                yield aside / Path(path).name
                fd = self._jail.open(staged)
                try:
                    self._fits(_found(staged, os.fstat(fd), path, file=True).size_bytes, path)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                self._appear(staged, name)
        finally:
            remove(aside)

    def move(self, src: str, dst: str, *, key: str | None = None, output: Any = None) -> None:
        """Rename a file or folder; raises `ToolFailed("conflict")` where something is at `dst`."""
        old, new = self._named(src, to_write=True), self._named(dst, to_write=True)
        if f"{new}/".startswith(f"{old}/"):
            raise ToolFailed("invalid", f"dst: {dst!r} is {src!r} itself or lies inside it")
        with told(src):
            self._not_away(old)
            _found(old, self._jail.stat(old), src)
        if self.exists(new):
            raise ToolFailed("conflict", f"{dst!r} exists already: delete it first or choose another name")
        with told(dst):
            if key is not None:
                self._leave_receipt(key, old, output)
            self._jail.rename(old, new)

    def place(self, files: Iterable[tuple[str, Iterable[bytes]]], *, key: str, output: Callable[[], Any]) -> None:
        """Put many files in their places; all are written aside before the first one appears.

        Raises `ToolFailed("conflict")`, and nothing has changed, where a file exists. Cut off and called once more with the
        same key, it goes on where it was. `output` is asked for once everything is written.
        """
        stage = self._staged(key)
        if not self._has_receipt(key, stage):
            remove(self._real(stage))
            try:
                self._fill_stage(stage, files)
                self._leave_receipt(key, stage, output())
            except BaseException:
                remove(self._real(stage))
                raise
        with told(stage):
            for name in self._below(stage):
                self._appear(f"{stage}/{name}", name)
        remove(self._real(stage))

    def _fill_stage(self, stage: str, files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
        with told(stage):
            os.close(self._jail.folder(stage, create=True))
        for path, chunks in files:
            name = self._named(path, to_write=True)
            if self.exists(name):
                raise ToolFailed("conflict", f"{path!r} exists already: choose another folder, or delete it first")
            with told(path):
                self._fill(f"{stage}/{name}", chunks, path)

    def _below(self, stage: str) -> list[str]:
        top = self._real(stage)
        return sorted(str(file.relative_to(top)) for file in top.rglob("*") if not file.is_dir())

    def _named(self, path: str, *, to_write: bool = False, engine: bool = False) -> str:
        name = cleaned(path)
        if name.split("/", 1)[0] == HIDDEN and not engine:
            raise ToolFailed("denied", f"{path!r} belongs to the engine")
        if to_write and not name:
            raise ToolFailed("invalid", f"path: {path!r} names no file")
        return name

    # ---- deleting

    def trash(self, path: str, batch: str) -> str:
        """Move to the trash and return the new path; a no-op if this batch has it already."""
        name = self._named(path, to_write=True)
        if name.split("/", 1)[0] == TRASH:
            raise ToolFailed("conflict", f"{path!r} is in the trash already; move it out to have it back")
        goal = f"{TRASH}/{batch}/{name}"
        if self.exists(name):
            if self.exists(goal):
                raise ToolFailed("conflict", f"{path!r} was deleted by this call and has been made anew")
            with told(path):
                self._not_away(name)
                self._jail.rename(name, goal)
        elif not self.exists(goal):
            raise ToolFailed("not_found", f"there is no {path!r}; file_find shows what there is")
        return goal

    def tidy(self) -> bool:
        """Empty the trash and drop what is half-made; whether anything was there. For a write that finds the disk full."""
        gone = self.sweep() + dropped((self.root / TRASH).glob("*"))
        self._counted_at = -RECOUNT
        if gone:
            self.said.append(
                f"the disk was full: {gone} things in the trash and half-made files were removed, and work went on"
            )
        return bool(gone)

    def put_away(self, path: str, sha256: str) -> bool:
        """Give the file's place back if it is what lies in the blobs under `sha256`; whether it was. Raises `DiskFull`."""
        name = self._named(path)
        try:
            with self.reading(name) as file:
                at, digest = os.fstat(file.fileno()), hashlib.file_digest(file, "sha256").hexdigest()
        except ToolFailed:
            return False
        if digest != sha256:
            return False
        there = Away(
            path=name,
            sha256=sha256,
            size_bytes=at.st_size,
            modified_at=datetime.fromtimestamp(int(at.st_mtime), UTC),
            executable=bool(at.st_mode & 0o100),
        )
        self.mark_away(there)
        with told(path), self._jail.parent(name) as (fd, last):
            now = os.stat(last, dir_fd=fd, follow_symlinks=False)
            if (now.st_ino, now.st_mtime_ns) != (at.st_ino, at.st_mtime_ns):
                return False  # written anew meanwhile: the file counts, not the word of where it lies
            os.unlink(last, dir_fd=fd)
        self._counted_at = -RECOUNT
        return True


def _found_away(there: Away) -> Found:
    return Found(path=there.path, size_bytes=there.size_bytes, modified_at=there.modified_at)


def _found(name: str, at: os.stat_result, path: str, *, file: bool = False) -> Found:
    if modes.S_ISLNK(at.st_mode):
        raise ToolFailed("denied", f"{path!r} is a link; links are not followed")
    folder = modes.S_ISDIR(at.st_mode)
    if folder and file:
        raise ToolFailed("invalid", f"{path!r} is a folder")
    if not folder and not modes.S_ISREG(at.st_mode):
        raise ToolFailed("denied", f"{path!r} is no ordinary file")
    size = 0 if folder else at.st_size
    return Found(path=name, size_bytes=size, modified_at=datetime.fromtimestamp(int(at.st_mtime), UTC), folder=folder)


def _sorted_out(entries: list[os.DirEntry[str]], here: str, skip: frozenset[str]) -> tuple[list[Found], list[str]]:
    """The plain files of a folder, and the folders to enter."""
    files, below = list[Found](), list[str]()
    for entry in entries:
        name = f"{here}/{entry.name}" if here else entry.name
        if name == HIDDEN or not _is_text(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in skip:
                below.append(name)
        elif entry.is_file(follow_symlinks=False):
            files.append(_found(name, entry.stat(follow_symlinks=False), name))
    return files, below


def _is_text(name: str) -> bool:
    """A name in another encoding is no path a tool could be given."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _second_name(file: BinaryIO, real: Path) -> None:
    """A hard link to the open file, else a copy: what `real` names cannot be swapped for another file on the way."""
    aside = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:  # only with a folder's descriptor does os.link follow /proc/self/fd to the file itself
        os.link(f"/proc/self/fd/{file.fileno()}", real.name, dst_dir_fd=aside, follow_symlinks=True)
    except OSError:
        with real.open("xb") as copy:
            while chunk := file.read(_CHUNK):
                copy.write(chunk)
    finally:
        os.close(aside)
