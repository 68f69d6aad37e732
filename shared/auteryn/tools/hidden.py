"""The engine's own folder beside a run's files: what is half-made, receipts of what was done, what is kept for tools, and word
of files that lie in the blobs only.

It lies beside the run's folder and not in it: code in the sandbox is given the run's folder, and must not write receipts.
"""

from __future__ import annotations

import os
import stat as modes
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from auteryn.errors import ToolFailed
from auteryn.policy import quotas
from auteryn.schema.record import Record, derived_id, from_json, new_id, to_json
from auteryn.tools.jail import Jail, told

HIDDEN = ".auteryn"
STALE = timedelta(hours=1)
"""What is half-made for longer belongs to a call that is gone."""
RECOUNT = 30.0
"""Seconds after which the disk is counted again: code in the sandbox writes here too."""


class Away(Record):
    """A file whose bytes lie in the blobs only."""

    path: str
    sha256: str
    size_bytes: int
    modified_at: datetime
    executable: bool = False


class PutAway(ToolFailed):
    """The file is asked for and lies in the blobs: the engine brings it back and makes the call again."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "quota", f"{path!r} lies with the published files, and the disk has no room for it: delete others first"
        )
        self.path = path


class _Undone(Record):
    """The effect has not happened while `path` still is this very thing."""

    path: str
    inode: int


class _Receipt(Record):
    output: Any
    undone: _Undone


class Hidden:
    """What a workspace keeps for itself, and how it writes: whole or not at all, within its quota."""

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
        self._used, self._counted_at, self._ready = 0, -RECOUNT, False
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

    def _on_disk(self, name: str) -> bool:
        try:
            self._jail.stat(name)
        except OSError:
            return False
        return True

    # ---- half-made

    def half_made(self) -> bool:
        """There may be something to sweep. One look, for every slice of every step: it is not worth a thread."""
        try:
            with os.scandir(f"{self.root}{HIDDEN}/tmp") as found:
                return any(True for _ in found)
        except OSError:
            return False

    def sweep(self) -> int:
        """Drop what broken-off calls left half-made; how many things. Stages with a key stay: a receipt may depend on them."""
        before = time.time() - STALE.total_seconds()
        half_made = (self.own / "tmp").glob("*")
        return dropped([one for one in half_made if not one.name.startswith("at_") and one.lstat().st_mtime < before])

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

    # ---- quota

    def check_room(self) -> None:
        """Raises `ToolFailed("quota")` if the run's files have taken all they may."""
        self._counted_at = -RECOUNT
        self._room_for(1)

    def _room_for(self, size_bytes: int) -> None:
        if time.monotonic() - self._counted_at > RECOUNT:
            self._used = _taken(self.root) + _taken(self.own)
            self._counted_at = time.monotonic()
        if self._used + size_bytes > self.tree_bytes:
            raise ToolFailed(
                "quota", f"the run's files would take more than {self.tree_bytes:,} bytes: delete what is not needed any more"
            )

    def _fits(self, size_bytes: int, path: str) -> None:
        if size_bytes > self.file_bytes:
            raise ToolFailed("too_large", f"{path!r} would be larger than {self.file_bytes:,} bytes, the most a file may have")
        self._room_for(size_bytes)

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

    @contextmanager
    def _raw(self, name: str) -> Generator[BinaryIO]:
        with os.fdopen(self._jail.open(name), "rb") as file:
            yield file

    # ---- once

    def receipt(self, key: str) -> Any | None:
        """The output of the effect `key` stands for, if it has happened; else None."""
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

    # ---- put away

    def mark_away(self, there: Away) -> None:
        """The file counts as put away while nothing is in its place."""
        self.keep(_away(there.path), to_json(there))

    def away(self, path: str) -> Away | None:
        """What is known of a file that was put away."""
        kept = self.kept(_away(path)) if (self.own / "away").is_dir() else None
        return None if kept is None else from_json(kept, Away, where=f"what is known of {path!r}")

    def all_away(self) -> list[Away]:
        """Every file that was put away and has not come back, by path."""
        kept = (self.kept(f"away/{one.name}") for one in (self.own / "away").glob("*"))
        known = (from_json(body, Away, where="what was put away") for body in kept if body is not None)
        return sorted((one for one in known if not self._on_disk(one.path)), key=lambda one: one.path)

    def _not_away(self, name: str) -> None:
        """Raises `PutAway` if the file lies in the blobs only."""
        if self.away(name) is not None and not self._on_disk(name):
            raise PutAway(name)

    def _appear(self, staged: str, name: str) -> None:
        self._jail.rename(staged, name)
        (self.own / _away(name)).unlink(missing_ok=True)


def dropped(things: Iterable[Path]) -> int:
    gone = list(things)
    for one in gone:
        remove(one) if one.is_dir() else one.unlink(missing_ok=True)
    return len(gone)


def remove(folder: Path) -> None:
    """With all there is in it, as far as that goes."""
    import shutil  # here: it loads every compression there is, and most slices remove nothing

    shutil.rmtree(folder, ignore_errors=True)


def _taken(folder: Path) -> int:
    """Bytes of all files below, whatever their folders are called; one with two names counts once."""
    sizes = dict[int, int]()
    for _, _, names, fd in os.fwalk(folder, follow_symlinks=False) if folder.is_dir() else ():
        for name in names:
            with suppress(FileNotFoundError):
                at = os.stat(name, dir_fd=fd, follow_symlinks=False)
                sizes[at.st_ino] = at.st_size if modes.S_ISREG(at.st_mode) else 0
    return sum(sizes.values())


def _away(path: str) -> str:
    return f"away/{derived_id('at', path)}"


def _receipt_path(key: str) -> str:
    return f"{HIDDEN}/done/{derived_id('at', key)}"
