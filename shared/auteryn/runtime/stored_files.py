"""How the files of a tree reach its next slice where every slice has a machine of its own.

Each has a folder that goes with the machine. So every commit that answers a call also says what has become of the files, in
the same batch: their bytes are in the blobs before. A slice that dies in between leaves neither the answer nor the files, and
the call is made again from the same state.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from auteryn.errors import Corrupt, ToolFailed
from auteryn.policy.cloud import BLOBS_RENEWED
from auteryn.ports import Blobs, Store
from auteryn.runtime.files import Files
from auteryn.schema.change import Doc
from auteryn.schema.files import KIND, FileChanges, FileState, Receipt
from auteryn.schema.record import derived_id, new_id
from auteryn.schema.run import Run
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.workspace import Workspace

AT_ONCE = 16
"""Files on their way to or from the blobs."""
MERGE_AT = 50
"""This many documents are merged into one, when nobody else in the tree is at work."""
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)


class StoredFiles(Files):
    """Every slice has its own folder under `folder`; the truth is in `store` and `blobs`."""

    def __init__(self, folder: Path, store: Store, blobs: Blobs, *, tree_bytes: int) -> None:
        super().__init__(folder)
        self._store, self._blobs, self._tree_bytes = store, blobs, tree_bytes
        self._open: dict[Path, _Folder] = {}

    async def begin(self, run: Run, keys: Collection[str] = ()) -> Workspace:
        files = self._new(run.root)
        try:
            documents = await self._take_over(run.root, files)
            if len(documents) > MERGE_AT and run.parent is None and not run.shares:
                await self._merge(run.root, documents, keys)
        except BaseException:
            await self.end(files)
            raise
        return files

    async def news(self, run: Run, files: Workspace) -> None:
        await self._take_over(run.root, files)

    async def changed(self, run: Run, files: Workspace, keys: Collection[str], now: datetime) -> tuple[Doc, ...]:
        return await self._changed(run.root, files, keys, now)

    def at_rest(self, files: Workspace) -> bool:
        return False

    async def end(self, files: Workspace) -> None:
        self._open.pop(files.root, None)
        await asyncio.to_thread(files.remove)

    async def given(self, root: str, write: Callable[[Workspace], None], now: datetime) -> None:
        files = self._new(root)
        try:
            await asyncio.to_thread(write, files)
            for document in await self._changed(root, files, (), now):
                await self._store.put(document)
        finally:
            await self.end(files)

    async def copied(self, old: str, new: str, now: datetime) -> None:
        documents = await self._store.docs(KIND, old)
        if documents and now - documents[0].at > BLOBS_RENEWED:
            await self._renewed(new, documents)
        for document in documents:
            await self._store.put(replace(document, id=new_id("files"), scope=new), if_absent=True)

    async def _renewed(self, root: str, documents: Sequence[Doc]) -> None:
        """A young run begins with old bytes: put again, they are kept as long as it lives. Raises `NotFound` if one is gone."""
        scratch = self._new(root)

        async def renew(files: Workspace, folder: _Folder, sha256: str) -> None:
            aside = files.root / sha256
            await self._blobs.save(sha256, aside)
            await self._blobs.put(aside)
            aside.unlink()

        try:
            there = {state.sha256 for state in _folded(documents)[0].values() if state.sha256}
            await _side_by_side(renew, scratch, self._open[scratch.root], there)
        finally:
            await self.end(scratch)

    async def drop(self, root: str) -> None:
        for document in await self._store.docs(KIND, root):
            await self._store.drop(KIND, document.id)

    # ---- from the store into the folder

    def _new(self, root: str) -> Workspace:
        files = Workspace(self.folder / f"{root}.{new_id('sit')}", tree_bytes=self._tree_bytes)
        self._open[files.root] = _Folder()
        return files

    async def _take_over(self, root: str, files: Workspace) -> Sequence[Doc]:
        folder = self._open[files.root]
        documents = await self._store.docs(KIND, root)
        states, receipts = _folded(documents, folder.read)
        changed = [state for state in states.values() if folder.sha256_of(state.path) != state.sha256]
        changed.sort(key=lambda state: state.sha256 is not None)  # what is gone first: a file may be where a folder was
        await _side_by_side(self._bring, files, folder, changed)
        for receipt in receipts:
            files.settle(receipt.key, receipt.output)
        folder.read |= {document.id for document in documents}
        folder.latest = max([folder.latest, *(document.at for document in documents)])
        return documents

    async def _bring(self, files: Workspace, folder: _Folder, state: FileState) -> None:
        """Bring the file here in this state, or remove it. A file that was changed here since then stays as it is.

        Steps side by side may make a folder and a file of one name. Then the one that finds the other in its place is moved,
        as if the slice had done it: both are kept, and no slice begins with what no folder can hold.
        """
        place = files.place_of(state.path)
        known = folder.known.get(state.path)
        changed = known is None or (place.exists() and known.sign != _sign(place.lstat()))
        if place.is_symlink() or (place.exists() and not place.is_dir() and changed):
            return
        if state.sha256 is None:
            if place.is_file():
                place.unlink(missing_ok=True)
                with suppress(OSError):  # no folder stays empty: a file may take its name
                    for above in Path(state.path).parents[:-1]:
                        (files.root / above).rmdir()
            folder.known.pop(state.path, None)
            return
        path = state.path
        try:
            await self._fetch(files, state, path)
        except ToolFailed as error:
            if not (isinstance(error.__cause__, OSError) and error.__cause__.errno in _IN_THE_WAY):
                raise
            path = f"{derived_id('moved', path, state.sha256)}/{place.name}"
            files.said.append(f"something else of its name is in the way: {state.path!r} was moved to {path!r}")
            await self._fetch(files, state, path)
        folder.known[state.path] = _Known(_sign(files.place_of(path).lstat()), state.sha256)

    async def _fetch(self, files: Workspace, state: FileState, path: str) -> None:
        assert state.sha256 is not None
        with Workspace(files.root, file_bytes=1 << 62, tree_bytes=1 << 62).path_to_write(path, engine=True) as aside:
            await self._blobs.save(state.sha256, aside)
            aside.chmod(0o755 if state.executable else 0o644)
            if state.modified_at:
                at = state.modified_at.timestamp()
                os.utime(aside, (at, at))

    async def _merge(self, root: str, documents: Sequence[Doc], keys: Collection[str]) -> None:
        """Replace many documents by one. It sorts after them, so a crash before they are deleted changes nothing."""
        states, receipts = _folded(documents)
        there = tuple(state for state in states.values() if state.sha256)
        merged = FileChanges(files=there, receipts=tuple(one for one in receipts if one.key in keys))
        await self._store.put(_document(root, merged, documents[-1].at))
        for document in documents:
            await self._store.drop(KIND, document.id)

    # ---- from the folder into the store

    async def _changed(self, root: str, files: Workspace, keys: Collection[str], now: datetime) -> tuple[Doc, ...]:
        folder = self._open[files.root]
        there, receipts = await asyncio.to_thread(_looked, files, keys)
        new = [path for path, sign in there.items() if path not in folder.known or folder.known[path].sign != sign]
        states = list[FileState]()

        async def upload(files: Workspace, folder: _Folder, path: str) -> None:
            if state := await self._upload(files, folder, path, there[path]):
                states.append(state)

        await _side_by_side(upload, files, folder, new)
        gone = [path for path in folder.known if path not in there]
        for path in gone:
            del folder.known[path]
        states += (FileState(path=path) for path in gone)
        told = tuple(one for one in receipts if one.key not in folder.told)
        folder.told |= {one.key for one in told}
        if not (states or told):
            return ()
        folder.latest = max(now, folder.latest + timedelta(microseconds=1))
        states.sort(key=lambda state: state.path)
        document = _document(root, FileChanges(files=tuple(states), receipts=told), folder.latest)
        folder.read.add(document.id)
        return (document,)

    async def _upload(self, files: Workspace, folder: _Folder, path: str, sign: _Sign) -> FileState | None:
        """The stored state, or None: only the date has changed, or the file vanished meanwhile and the next look sees that."""
        try:
            with files.path_for_library(path, engine=True) as real:
                sha256 = await self._blobs.put(real)
        except ToolFailed:
            return None
        known = folder.known.get(path)
        folder.known[path] = _Known(sign, sha256)
        if known and known.sha256 == sha256 and known.sign.executable == sign.executable:
            return None
        modified_at = datetime.fromtimestamp(sign.modified_ns // 1_000_000_000, UTC)
        return FileState(
            path=path, sha256=sha256, size_bytes=sign.size_bytes, executable=sign.executable, modified_at=modified_at
        )


class _Sign(NamedTuple):
    """A file's metadata: while it is the same, so are the bytes."""

    size_bytes: int
    modified_ns: int
    inode: int
    executable: bool


class _Known(NamedTuple):
    sign: _Sign
    sha256: str


class _Folder:
    """What one slice's folder holds of what is stored."""

    def __init__(self) -> None:
        self.known: dict[str, _Known] = {}
        self.read: set[str] = set()
        """Documents that are taken into account."""
        self.told: set[str] = set()
        """Keys of receipts that are stored."""
        self.latest = datetime.min.replace(tzinfo=UTC)
        """Of all documents seen: the next one comes after it, whatever this machine's clock says."""

    def sha256_of(self, path: str) -> str | None:
        return known.sha256 if (known := self.known.get(path)) else None


async def _side_by_side(act: Callable[..., Awaitable[None]], files: Workspace, folder: _Folder, each: Iterable[Any]) -> None:
    """Run these together; raises the first failure, after all of them have ended."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(what: Any) -> None:
        async with gate:
            await act(files, folder, what)

    try:
        async with asyncio.TaskGroup() as group:
            for what in each:
                group.create_task(one(what))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed.exceptions[0].__cause__


def _folded(documents: Iterable[Doc], read: Collection[str] = ()) -> tuple[dict[str, FileState], list[Receipt]]:
    """The newest state of each file by path, deleted ones included, where it is in none of the documents that were `read`; and
    the receipts of the others."""
    states, receipts = dict[str, FileState](), list[Receipt]()
    for document in documents:
        changes = _changes(document)
        if document.id in read:
            for state in changes.files:
                states.pop(state.path, None)
            continue
        states |= {state.path: state for state in changes.files}
        receipts += changes.receipts
    return states, receipts


def _changes(document: Doc) -> FileChanges:
    try:
        return msgspec.convert(document.body, FileChanges)
    except msgspec.ValidationError as error:
        raise Corrupt(f"the files of {document.scope!r} cannot be read: document {document.id!r}: {error}") from error


def _document(root: str, changes: FileChanges, at: datetime) -> Doc:
    return Doc(kind=KIND, id=new_id("files"), scope=root, body=changes, at=at)


def _looked(files: Workspace, keys: Collection[str]) -> tuple[dict[str, _Sign], list[Receipt]]:
    """Files and receipts of the same moment. If a receipt came without its file, or the reverse, look again."""
    while True:
        before = _receipts(files, keys)
        there = {path: _sign(at) for path, at in _below(files)}
        receipts = _receipts(files, keys)
        if receipts == before:
            return there, receipts


def _receipts(files: Workspace, keys: Collection[str]) -> list[Receipt]:
    if not files.root.exists():
        return []
    found = ((key, files.receipt(key)) for key in keys)
    return [Receipt(key=key, output=output) for key, output in found if output is not None]


def _below(files: Workspace) -> Iterator[tuple[str, os.stat_result]]:
    """Every plain file below, without links and half-made files. Hidden folders that sandboxed code made are skipped."""
    for top, prefix, skipped in ((files.root, "", (HIDDEN,)), (files.own, f"{HIDDEN}/", ("tmp", "done"))):
        for folder, folders, names in os.walk(top):
            here = os.path.relpath(folder, top)
            if here == ".":
                folders[:] = [name for name in folders if name not in skipped]
            for name in names:
                path = prefix + (name if here == "." else f"{here}/{name}")
                with suppress(FileNotFoundError, UnicodeEncodeError):
                    path.encode()  # code in a sandbox may give names that are no text: they stay where they are
                    at = (Path(folder) / name).lstat()
                    if (at.st_mode & 0o170000) == 0o100000:
                        yield path, at


def _sign(at: os.stat_result) -> _Sign:
    return _Sign(at.st_size, at.st_mtime_ns, at.st_ino, bool(at.st_mode & 0o100))
