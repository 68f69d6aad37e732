"""The files of a run and its steps: one folder, reached only through a jail.

What tools make appears whole or not at all: it is written beside, synced, then renamed. `.trash` holds what was deleted.
The hidden `.auteryn` holds what is half-made, and the receipts that let a repeated call find out that it was done. It lies
beside the folder: code in the sandbox is given the folder, and must not write receipts.
"""

from __future__ import annotations

import os
import shutil
import stat as modes
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from auteryn.errors import DiskFull, ToolFailed
from auteryn.policy import quotas
from auteryn.schema.record import Record, derived_id, from_json, new_id, to_json
from auteryn.tools.jail import Jail, cleaned, told

HIDDEN = ".auteryn"
TRASH = ".trash"
SKIPPED = frozenset({TRASH, ".git", "node_modules", "__pycache__", ".venv"})
"""Folders a search does not enter unless it is told to."""
DEEPEST = 64
STALE = timedelta(hours=1)
"""What is half-made for longer belongs to a call that is gone."""
_CHUNK = 1 << 18
_RECOUNT = 30.0
"""Seconds after which the disk is counted again: code in the sandbox writes here too."""


class Found(Record):
    """A file or folder."""

    path: str
    size_bytes: int
    modified_at: datetime
    folder: bool = False


class _Undone(Record):
    """The effect has not happened while `path` still is this very thing."""

    path: str
    inode: int


class _Receipt(Record):
    output: Any
    undone: _Undone


class Workspace:
    """The tree's files. Paths are relative; everything raised is `ToolFailed` for the model, or `DiskFull`."""

    def __init__(
        self,
        root: Path,
        *,
        file_bytes: int = quotas.FILE_BYTES,
        tree_bytes: int = quotas.TREE_BYTES,
        kernel: bool | None = None,
    ) -> None:
        self.root = root
        self.file_bytes, self.tree_bytes = file_bytes, tree_bytes
        self._kernel = kernel
        self._used, self._counted_at, self._ready = 0, -_RECOUNT, False
        self.said = list[str]()
        """What the run should know of its disk; whoever writes it into the log empties this."""

    @cached_property
    def _jail(self) -> Jail:
        """Made with its folder on first use: a run that touches no file has none, and holds no descriptor."""
        return Jail(self.root, beside={HIDDEN: self.own}, kernel=self._kernel)

    @property
    def own(self) -> Path:
        """Where the hidden folder lies."""
        return self.root.with_name(f"{self.root.name}{HIDDEN}")

    def place_of(self, path: str) -> Path:
        """Where a file lies, the engine's own included."""
        return self._real(path) if path.startswith(f"{HIDDEN}/") else self.root / path

    def remove(self) -> None:
        """All files are gone, the engine's own too."""
        for folder in (self.root, self.own):
            shutil.rmtree(folder, ignore_errors=True)

    # ---- looking

    def stat(self, path: str) -> Found:
        """What is at `path`; raises `ToolFailed("not_found")`."""
        name = self._named(path)
        with told(path):
            return _found(name, self._jail.stat(name), path)

    def exists(self, path: str) -> bool:
        """Whether anything is at `path`, a link included."""
        name = self._named(path)
        try:
            self._jail.stat(name)
        except OSError:
            return False
        return True

    def walk(self, under: str = "", *, skip: frozenset[str] = SKIPPED) -> Iterator[Found]:
        """Every file below a folder, by name, links and special files left out. `skip` names folders not entered."""
        waiting = [self._named(under)]
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

    # ---- reading

    @contextmanager
    def reading(self, path: str, *, engine: bool = False) -> Generator[BinaryIO]:
        """The file, open; raises `ToolFailed` for a folder, a link or a special file. `engine`: one of its own, too."""
        name = self._named(path, engine=engine)
        with told(path):
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
                shutil.rmtree(aside, ignore_errors=True)

    # ---- writing

    def write(self, path: str, body: bytes | Iterable[bytes], *, key: str | None = None, output: Any = None) -> Found:
        """Put `body` at `path`, whole or not at all; folders on the way are made.

        With `key`, `receipt(key)` gives `output` from the instant the file is there.
        """
        try:
            return self._write(path, [body] if isinstance(body, bytes) else body, key, output)
        except DiskFull:
            if not (isinstance(body, bytes) and self.tidy()):
                raise
            return self._write(path, [body], key, output)

    def _write(self, path: str, chunks: Iterable[bytes], key: str | None, output: Any) -> Found:
        name = self._named(path, to_write=True)
        staged = self._staged(key)
        with told(path), self._cleaned_up(staged):
            self._fill(staged, chunks, path)
            if key is not None:
                self._leave_receipt(key, staged, output)
            self._jail.rename(staged, name)
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
                self._jail.rename(staged, name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def move(self, src: str, dst: str, *, key: str | None = None, output: Any = None) -> None:
        """Rename a file or folder; raises `ToolFailed("conflict")` where something is at `dst`."""
        old, new = self._named(src, to_write=True), self._named(dst, to_write=True)
        if f"{new}/".startswith(f"{old}/"):
            raise ToolFailed("invalid", f"dst: {dst!r} is {src!r} itself or lies inside it")
        with told(src):
            _found(old, self._jail.stat(old), src)
        if self.exists(new):
            raise ToolFailed("conflict", f"{dst!r} exists already: delete it first or choose another name")
        with told(dst):
            if key is not None:
                self._leave_receipt(key, old, output)
            self._jail.rename(old, new)

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
                self._jail.rename(name, goal)
        elif not self.exists(goal):
            raise ToolFailed("not_found", f"there is no {path!r}; file_find shows what there is")
        return goal

    def half_made(self) -> bool:
        """There may be something to sweep. One look, for every slice of every step: it is not worth a thread."""
        try:
            with os.scandir(self.own / "tmp") as found:
                return any(True for _ in found)
        except OSError:
            return False

    def sweep(self) -> int:
        """Drop what broken-off calls left half-made; how many things. Stages with a key stay: a receipt may depend on them."""
        before = time.time() - STALE.total_seconds()
        half_made = (self.own / "tmp").glob("*")
        return _dropped([one for one in half_made if not one.name.startswith("at_") and one.lstat().st_mtime < before])

    def tidy(self) -> bool:
        """Empty the trash and drop what is half-made; whether anything was there. For a write that finds the disk full."""
        gone = self.sweep() + _dropped((self.root / TRASH).glob("*"))
        self._counted_at = -_RECOUNT
        if gone:
            self.said.append(
                f"the disk was full: {gone} things in the trash and half-made files were removed, and work went on"
            )
        return bool(gone)

    # ---- kept for tools

    def keep(self, name: str, body: bytes) -> None:
        """Put away what tools need later and no model may read or write: whole or not at all."""
        self._prepare()
        draft = f"{HIDDEN}/tmp/{new_id('new')}"
        with told(name), self._cleaned_up(draft):
            self._fill(draft, [body], name)
            self._jail.rename(draft, f"{HIDDEN}/{name}")

    def kept(self, name: str) -> bytes | None:
        """What was put away under that name, if anything."""
        try:
            with self._raw(f"{HIDDEN}/{name}") as file:
                return file.read()
        except OSError:
            return None

    # ---- once

    def receipt(self, key: str) -> Any | None:
        """The output of the effect that `key` stands for, if it has happened; else None."""
        try:
            with self._raw(_receipt_path(key)) as file:
                left = from_json(file.read(), _Receipt, where=f"the receipt of {key}")
        except FileNotFoundError:
            return None
        try:
            there = self._jail.stat(left.undone.path)
        except OSError:
            return left.output
        return None if there.st_ino == left.undone.inode else left.output

    def settle(self, key: str, output: Any) -> None:
        """The effect that `key` stands for happened before these files came here: `receipt(key)` gives `output`."""
        self._prepare()
        draft = f"{HIDDEN}/tmp/{new_id('new')}"
        nothing = _Undone(path=HIDDEN, inode=0)
        self._fill(draft, [to_json(_Receipt(output=output, undone=nothing))], draft)
        self._jail.rename(draft, _receipt_path(key))

    def place(self, files: Iterable[tuple[str, Iterable[bytes]]], *, key: str, output: Callable[[], Any]) -> None:
        """Put many files in their places; all are written aside before the first one appears.

        Raises `ToolFailed("conflict")`, and nothing has changed, where a file exists. Cut off and called once more with the
        same key, it goes on where it was. `output` is asked for once everything is written.
        """
        stage = self._staged(key)
        if not self._has_receipt(key, stage):
            shutil.rmtree(self._real(stage), ignore_errors=True)
            try:
                self._fill_stage(stage, files)
                self._leave_receipt(key, stage, output())
            except BaseException:
                shutil.rmtree(self._real(stage), ignore_errors=True)
                raise
        with told(stage):
            for name in self._below(stage):
                self._jail.rename(f"{stage}/{name}", name)
        shutil.rmtree(self._real(stage), ignore_errors=True)

    # ---- pieces

    def _named(self, path: str, *, to_write: bool = False, engine: bool = False) -> str:
        name = cleaned(path)
        if name.split("/", 1)[0] == HIDDEN and not engine:
            raise ToolFailed("denied", f"{path!r} belongs to the engine")
        if to_write and not name:
            raise ToolFailed("invalid", f"path: {path!r} names no file")
        return name

    @contextmanager
    def _raw(self, name: str) -> Generator[BinaryIO]:
        with os.fdopen(self._jail.open(name), "rb") as file:
            yield file

    def _staged(self, key: str | None) -> str:
        self._prepare()
        return f"{HIDDEN}/tmp/{derived_id('at', key) if key is not None else new_id('new')}"

    def _aside(self) -> Path:
        """A private folder, new and empty."""
        self._prepare()
        aside = self.own / "tmp" / new_id("aside")
        with told(HIDDEN):
            aside.mkdir(mode=0o700)
        return aside

    def _prepare(self) -> None:
        if self._ready:
            return
        with told(HIDDEN):
            for part in ("tmp", "done"):
                os.close(self._jail.folder(f"{HIDDEN}/{part}", create=True))
            fd = self._jail.folder(HIDDEN)
            try:
                os.fchmod(fd, 0o700)  # code in the sandbox runs as somebody else
            finally:
                os.close(fd)
        self._ready = True

    def _real(self, hidden: str) -> Path:
        return self.own / hidden.removeprefix(f"{HIDDEN}/")

    @contextmanager
    def _cleaned_up(self, staged: str) -> Generator[None]:
        """What is staged goes away if the block fails; a crash leaves it, which is what tells a receipt apart."""
        try:
            yield
        except BaseException:
            with suppress(OSError), self._jail.parent(staged) as (fd, name):
                os.unlink(name, dir_fd=fd)
            raise

    def _fill(self, staged: str, chunks: Iterable[bytes], path: str) -> None:
        with self._jail.parent(staged, create=True) as (fd, name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=fd)  # of a try that was cut off
        fd = self._jail.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(fd, "wb") as file:
            written = 0
            for chunk in chunks:
                written += len(chunk)
                self._fits(written, path)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        self._used += written

    def _fits(self, size_bytes: int, path: str) -> None:
        if size_bytes > self.file_bytes:
            raise ToolFailed("too_large", f"{path!r} would be larger than {self.file_bytes:,} bytes, the most a file may have")
        self._room_for(size_bytes)

    def check_room(self) -> None:
        """Raises `ToolFailed("quota")` if the run's files have taken all they may."""
        self._counted_at = -_RECOUNT
        self._room_for(1)

    def _room_for(self, size_bytes: int) -> None:
        if time.monotonic() - self._counted_at > _RECOUNT:
            self._used = sum(found.size_bytes for found in self.walk(skip=frozenset()))
            self._counted_at = time.monotonic()
        if self._used + size_bytes > self.tree_bytes:
            raise ToolFailed(
                "quota", f"the run's files would take more than {self.tree_bytes:,} bytes: delete what is not needed any more"
            )

    def _leave_receipt(self, key: str, undone: str, output: Any) -> None:
        """From here on the effect counts as done, as soon as `undone` is no longer in its place."""
        self._prepare()
        inode = self._jail.stat(undone).st_ino
        draft = f"{HIDDEN}/tmp/{new_id('new')}"
        self._fill(draft, [to_json(_Receipt(output=output, undone=_Undone(path=undone, inode=inode)))], draft)
        self._jail.rename(draft, _receipt_path(key))

    def _has_receipt(self, key: str, stage: str) -> bool:
        """Whether the stage is complete and only has to be emptied."""
        try:
            self._jail.stat(stage)
            self._jail.stat(_receipt_path(key))
        except OSError:
            return False
        return True

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


def _dropped(things: Iterable[Path]) -> int:
    gone = list(things)
    for one in gone:
        shutil.rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink(missing_ok=True)
    return len(gone)


def _receipt_path(key: str) -> str:
    return f"{HIDDEN}/done/{derived_id('at', key)}"


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
        if name == HIDDEN:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in skip:
                below.append(name)
        elif entry.is_file(follow_symlinks=False):
            files.append(_found(name, entry.stat(follow_symlinks=False), name))
    return files, below


def _second_name(file: BinaryIO, real: Path) -> None:
    """A hard link to the open file, else a copy: what `real` names cannot be swapped for another file on the way."""
    aside = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:  # only with a folder's descriptor does os.link follow /proc/self/fd to the file itself
        os.link(f"/proc/self/fd/{file.fileno()}", real.name, dst_dir_fd=aside, follow_symlinks=True)
    except OSError:
        with real.open("xb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
    finally:
        os.close(aside)
