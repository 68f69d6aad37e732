"""Packing and unpacking zip and tar. An archive is hostile until each member has been looked at.

Nothing of the archive's own paths, modes or links is obeyed: only plain files are written, by us, through the jail, and the
bytes are counted as they come out of the decompressor, whatever the headers say.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, BinaryIO, Literal, cast

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import FILE_BYTES, MB, MEMBERS, RATIO_FREE, UNPACKED_BYTES, UNPACKED_RATIO
from auteryn.schema.record import Record
from auteryn.tools.files import compiled, glob_expression
from auteryn.tools.jail import cleaned
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Found, Workspace

_CHUNK = 1 << 16
_HEADER = MB
"""Most bytes one read may ask for: data is read in chunks, so a larger wish comes from a forged header."""
_LISTED = 200
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
"""What a zip can say of when a file was changed."""
_KINDS = {".zip": "", ".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}
"""Endings, and how a tar is compressed."""


@tool(reads_files=True, effect="idempotent", group="files", serial=lambda args: str(args["path"]))
def archive(
    ctx: ToolContext,
    action: Annotated[Literal["pack", "unpack", "list"], "What to do"],
    path: Annotated[str, "The archive: .zip, .tar, .tar.gz, .tgz, .tar.bz2 or .tar.xz"],
    members: Annotated[
        list[str] | None, "pack: files, folders or globs to put in; unpack: members or globs to take (all)"
    ] = None,
    dest: Annotated[str | None, "unpack: folder to put them in; else one named like the archive"] = None,
) -> dict[str, Any]:
    """Pack files into an archive, unpack one, or list it. Links, devices, paths that lead out, and bombs are refused."""
    kind = _kind(path)
    if (done := ctx.files.receipt(ctx.key)) is not None:
        return done
    match action:
        case "pack":
            return _pack(ctx, path, kind, members or [])
        case "unpack":
            return _unpack(ctx, path, kind, members or [], path.removesuffix(kind) if dest is None else dest)
        case "list":
            with _opened(ctx.files, path, kind) as inside:
                found = [(one.name, one.size_bytes) for one in inside]
            shown = [{"path": name, "size_bytes": size} for name, size in found[:_LISTED]]
            return {"members": shown, "total": len(found), "size_bytes": sum(size for _, size in found)}


def _kind(path: str) -> str:
    kind = next((suffix for suffix in _KINDS if path.lower().endswith(suffix)), None)
    if kind is None:
        raise ToolFailed("unsupported", f"path: {path!r} must end in {', '.join(_KINDS)}")
    return path[-len(kind) :]


# ---- unpack --------------------------------------------------------------------------------------------------


def _unpack(ctx: ToolContext, path: str, kind: str, members: list[str], dest: str) -> dict[str, Any]:
    """All wanted members, or nothing."""
    wanted = [(compiled(glob_expression(glob), "members"), f"{glob.rstrip('/')}/") for glob in members]
    names, meter = list[str](), _Meter(ctx.files.stat(path).size_bytes)

    def chosen(inside: Iterator[_Member]) -> Iterator[tuple[str, Iterator[bytes]]]:
        for one in inside:
            if not wanted or any(glob.fullmatch(one.name) or one.name.startswith(folder) for glob, folder in wanted):
                names.append(f"{dest}/{one.name}" if dest else one.name)
                yield names[-1], meter.counted(one)

    def output() -> dict[str, Any]:
        if not names:
            raise ToolFailed("not_found", f"no member of {path!r} is named by {members}")
        cut = {"cut": f"only the first {_LISTED} are shown"} if len(names) > _LISTED else {}
        return {"dest": dest, "files": names[:_LISTED], "total": len(names), "size_bytes": meter.out, **cut}

    with _opened(ctx.files, path, kind) as inside:
        ctx.files.place(chosen(inside), key=ctx.key, output=output)
    done = ctx.files.receipt(ctx.key)
    assert done is not None
    return done


class _Member(Record):
    name: str
    size_bytes: int
    """As the archive claims."""
    open: Callable[[], IO[bytes] | None]


class _Meter:
    """Counts what comes out; raises `ToolFailed("too_large")` at the caps."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes, self.out = size_bytes, 0

    def counted(self, member: _Member) -> Iterator[bytes]:
        file = member.open()
        if file is None:
            return
        with file:
            while chunk := file.read(_CHUNK):
                self.add(len(chunk))
                yield chunk

    def add(self, count: int) -> None:
        self.out += count
        if self.out > UNPACKED_BYTES:
            raise ToolFailed("too_large", f"the archive unpacks to more than {UNPACKED_BYTES:,} bytes: take single members")
        if self.out > RATIO_FREE and self.out > UNPACKED_RATIO * self.size_bytes:
            raise ToolFailed(
                "too_large", f"the archive unpacks to more than {UNPACKED_RATIO} times its size: it looks like a bomb"
            )


@contextmanager
def _opened(files: Workspace, path: str, kind: str) -> Generator[Iterator[_Member]]:
    """The checked members, in order; what is broken or forged is told."""
    with files.reading(path) as file:
        try:
            yield _zipped(file, path) if kind.lower() == ".zip" else _tarred(file, path, kind.lower())
        except _broken() as error:
            raise ToolFailed("unsupported", f"{path!r} is damaged or no {kind} archive: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise ToolFailed("unsupported", f"{path!r} is damaged or no {kind} archive: {error}") from error
        except RuntimeError as error:  # what zipfile says of a password
            raise ToolFailed("auth", f"{path!r} is protected by a password: {error}") from error


def _broken() -> tuple[type[Exception], ...]:
    """What the readers raise for bytes that are no archive. (They are imported here and below: 10 ms few runs need.)"""
    import lzma
    import tarfile
    import zipfile
    import zlib

    return (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def _decompressed(file: BinaryIO, kind: str) -> Any:
    match _KINDS[kind]:
        case "gz":
            import gzip

            return gzip.GzipFile(fileobj=file)
        case "bz2":
            import bz2

            return bz2.BZ2File(file)
        case "xz":
            import lzma

            return lzma.LZMAFile(file)
        case _:
            return file


def _zipped(file: BinaryIO, path: str) -> Iterator[_Member]:
    import zipfile

    with zipfile.ZipFile(file) as inside:
        entries = inside.infolist()
        _few_enough(len(entries), path)
        for entry in entries:
            mode = entry.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ToolFailed(
                    "denied", f"{path!r} holds {entry.filename!r}, which is a link or a device; nothing was unpacked"
                )
            if not entry.is_dir():
                yield _Member(
                    name=_safe(entry.orig_filename, path),
                    size_bytes=entry.file_size,
                    open=lambda entry=entry: inside.open(entry),
                )


def _tarred(file: BinaryIO, path: str, kind: str) -> Iterator[_Member]:
    import tarfile

    stream = cast("Any", _Guarded(_decompressed(file, kind), _Meter(os.fstat(file.fileno()).st_size)))
    with tarfile.open(fileobj=stream, mode="r:") as inside:
        for count, entry in enumerate(inside):
            _few_enough(count + 1, path)
            if not (entry.isreg() or entry.isdir()):
                raise ToolFailed("denied", f"{path!r} holds {entry.name!r}, which is a link or a device; nothing was unpacked")
            name = _safe(entry.name, path)
            if entry.isreg():
                yield _Member(name=name, size_bytes=entry.size, open=lambda entry=entry: inside.extractfile(entry))


def _few_enough(count: int, path: str) -> None:
    if count > MEMBERS:
        raise ToolFailed("too_large", f"{path!r} holds more than {MEMBERS:,} members")


def _safe(name: str, path: str) -> str:
    try:
        return cleaned(name.rstrip("/")) or "_"
    except ToolFailed as error:
        raise ToolFailed("denied", f"{path!r} holds a member that may not be unpacked, so nothing was: {error}") from error


class _Guarded:
    """A decompressed tar whose bytes are counted, the skipped ones too, and whose headers cannot ask for memory."""

    def __init__(self, file: BinaryIO, meter: _Meter) -> None:
        self._file, self._meter, self._at = file, meter, 0

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _HEADER:
            raise ToolFailed("too_large", "a header of the archive claims to be larger than any is")
        body = self._file.read(size)
        self._at += len(body)
        return body

    def tell(self) -> int:
        return self._at

    def seek(self, to: int, whence: int = 0) -> int:
        assert whence == 0
        if to < self._at:
            self._file.seek(to)
            self._at = to
        while self._at < to and (body := self._file.read(min(_CHUNK, to - self._at))):
            self._meter.add(len(body))
            self._at += len(body)
        return self._at


# ---- pack ----------------------------------------------------------------------------------------------------


def _pack(ctx: ToolContext, path: str, kind: str, members: list[str]) -> dict[str, Any]:
    if not members:
        raise ToolFailed("invalid", "members: [] names nothing to pack")
    inside = _named(ctx.files, members, but=cleaned(path))
    total = sum(file.size_bytes for file in inside)
    if total > UNPACKED_BYTES or len(inside) > MEMBERS:
        raise ToolFailed("too_large", f"{len(inside):,} files of {total:,} bytes are more than one archive may hold")
    with ctx.files.path_to_write(path) as real:
        (_zip if kind.lower() == ".zip" else _tar)(ctx.files, inside, real, kind.lower())
    return {"path": path, "files": len(inside), "size_bytes": ctx.files.stat(path).size_bytes}


def _named(files: Workspace, members: list[str], *, but: str) -> list[Found]:
    """The files that paths, folders and globs name, each once."""
    found: dict[str, Found] = {}
    for member in members:
        if files.exists(member):
            at = files.stat(member)
            matches = files.walk(member) if at.folder else iter([at])
        else:
            expression = compiled(glob_expression(member), "members")
            matches = (file for file in files.walk() if expression.fullmatch(file.path))
        named = {file.path: file for file in matches if file.path != but}
        found |= named
        if not named and not files.exists(member):
            raise ToolFailed("not_found", f"members: there is no {member!r}")
    return list(found.values())


def _zip(files: Workspace, inside: list[Found], real: Path, _kind: str) -> None:
    import zipfile

    with zipfile.ZipFile(real, "w", zipfile.ZIP_DEFLATED) as out:
        for one in inside:
            entry = zipfile.ZipInfo(one.path, min(max(one.modified_at.timetuple()[:6], _EARLIEST), _LATEST))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with files.reading(one.path) as source, out.open(entry, "w", force_zip64=one.size_bytes > FILE_BYTES) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)


def _tar(files: Workspace, inside: list[Found], real: Path, kind: str) -> None:
    import tarfile

    mode: Any = f"w:{_KINDS[kind]}"
    with tarfile.open(real, mode) as out:
        for one in inside:
            entry = tarfile.TarInfo(one.path)
            entry.mtime, entry.mode = int(one.modified_at.timestamp()), 0o644
            with files.reading(one.path) as source:
                source.seek(0, 2)
                entry.size = source.tell()
                source.seek(0)
                out.addfile(entry, source)
