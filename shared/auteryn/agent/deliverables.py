"""Is what the model says it made really there? Looked at by the host: the file, its form, its size, its rows, its text.

Only the standard library reads here, so the verdict is the same on every machine and needs no extra.
"""

from __future__ import annotations

import codecs
import csv
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import BinaryIO, cast
from xml.parsers import expat

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MEMBERS, RATIO_FREE, UNPACKED_BYTES, UNPACKED_RATIO
from auteryn.schema.run import FileCheck, Verdict
from auteryn.tools.files import compiled, glob_expression
from auteryn.tools.workspace import Found, Workspace

_CHUNK = 1 << 16
_LOOKED_AT = 50
"""Files of one glob that are opened."""
OFFICE = {
    ".xlsx": "xl/workbook.xml",
    ".xlsm": "xl/workbook.xml",
    ".docx": "word/document.xml",
    ".pptx": "ppt/presentation.xml",
    ".ods": "content.xml",
    ".odt": "content.xml",
    ".odp": "content.xml",
}
"""The part without which such a file cannot be opened."""
TABLES = (".csv", ".tsv", ".xlsx", ".xlsm", ".jsonl", ".json")


class _Wrong(Exception):
    """Why a file is not the deliverable."""


def verify(checks: tuple[FileCheck, ...], files: Workspace) -> tuple[Verdict, ...]:
    """One verdict a check. A glob is met by any one file that passes; where none does, the detail is about the best."""
    return tuple(_verdict(check, files) for check in checks)


def _verdict(check: FileCheck, files: Workspace) -> Verdict:
    try:
        found = _candidates(check.path, files)
    except ToolFailed as error:
        return Verdict(deliverable=check.path, ok=False, detail=str(error))
    wrong = "there is no such file" if not found else ""
    for file in found[:_LOOKED_AT]:
        try:
            detail = _looked_at(check, file, files)
        except _Wrong as why:
            wrong = wrong or f"{file.path}: {why}"
        except ToolFailed as error:
            wrong = wrong or str(error)
        else:
            return Verdict(deliverable=check.path, ok=True, detail=detail)
    return Verdict(deliverable=check.path, ok=False, detail=wrong)


def _candidates(path: str, files: Workspace) -> list[Found]:
    """The file of that very name, else those the glob names, the newest first."""
    with suppress(ToolFailed):
        exact = files.stat(path)
        return [] if exact.folder else [exact]
    expression = compiled(glob_expression(path), "deliverable")
    named = [file for file in files.walk() if expression.fullmatch(file.path)]
    return sorted(named, key=lambda file: (-file.modified_at.timestamp(), file.path))


def _looked_at(check: FileCheck, file: Found, files: Workspace) -> str:
    """What is there, in words; raises `_Wrong`."""
    if file.size_bytes < check.min_bytes:
        raise _Wrong(f"{file.size_bytes:,} bytes, at least {check.min_bytes:,} are asked for")
    told = [file.path, f"{file.size_bytes:,} bytes"]
    suffix = PurePosixPath(file.path).suffix.lower()
    with files.reading(file.path) as raw:
        if file.size_bytes:
            _well_formed(raw, suffix, file.size_bytes)
        if check.min_rows is not None:
            rows = _rows(raw, suffix) if file.size_bytes else 0
            if rows < check.min_rows:
                raise _Wrong(f"{rows:,} data rows, at least {check.min_rows:,} are asked for")
            told.append(f"{rows:,} data rows")
        if check.min_pages is not None:
            pages, what = _pages(raw, suffix) if file.size_bytes else (0, "pages")
            if pages < check.min_pages:
                raise _Wrong(f"{pages:,} {what}, at least {check.min_pages:,} are asked for")
            told.append(f"{pages:,} {what}")
        if check.contains is not None:
            if not _contains(raw, suffix, check.contains):
                raise _Wrong(f"the text {check.contains!r} is not in it")
            told.append(f"contains {check.contains!r}")
    return ", ".join(told)


# ---- form ----------------------------------------------------------------------------------------------------


def _well_formed(raw: BinaryIO, suffix: str, size_bytes: int) -> None:
    """Raises `_Wrong` if the file is not what its name says."""
    if suffix in OFFICE:
        _office(raw, OFFICE[suffix], size_bytes)
    elif look := _LOOKS.get(suffix):
        raw.seek(0)
        look(raw)


def _office(raw: BinaryIO, main: str, size_bytes: int) -> None:
    with _unzipped(raw, size_bytes) as inside:
        if main not in inside.namelist():
            raise _Wrong(f"it has no {main}, so no program can open it")
        if (broken := _damaged(inside)) is not None:
            raise _Wrong(f"its part {broken} is damaged")
        for name in inside.namelist():
            if name.endswith((".xml", ".rels")):
                with inside.open(name) as part:
                    _xml(cast("BinaryIO", part), name)


def _unzipped(raw: BinaryIO, size_bytes: int) -> zipfile.ZipFile:
    """The archive, small enough to be read whole."""
    raw.seek(0)
    try:
        inside = zipfile.ZipFile(raw)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise _Wrong(f"it is no readable archive: {error}") from error
    unpacked = sum(entry.file_size for entry in inside.infolist())
    bomb = unpacked > RATIO_FREE and unpacked > UNPACKED_RATIO * size_bytes
    if bomb or unpacked > UNPACKED_BYTES or len(inside.infolist()) > MEMBERS:
        raise _Wrong(f"it unpacks to {unpacked:,} bytes, more than is sane")
    if any(entry.flag_bits & 1 for entry in inside.infolist()):
        raise _Wrong("it is protected by a password")
    return inside


def _damaged(inside: zipfile.ZipFile) -> str | None:
    try:
        return inside.testzip()
    except (zlib.error, EOFError, NotImplementedError) as error:
        return f"({error})"


def _xml(part: BinaryIO, name: str) -> None:
    """Well-formed, and without entities of its own."""
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _no_entities
    try:
        while chunk := part.read(_CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _Wrong(f"{name} is no well-formed XML: {error}") from error


def _no_entities(*_: object) -> None:
    raise _Wrong("its XML declares entities, which no honest file does")


def _png(raw: BinaryIO) -> None:
    head = raw.read(33)
    raw.seek(max(0, raw.seek(0, io.SEEK_END) - 12))
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR" or b"IEND" not in raw.read():
        raise _Wrong("it is no whole PNG image")
    if 0 in (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])):
        raise _Wrong("the image has no width or height")


def _pdf(raw: BinaryIO) -> None:
    head = raw.read(1024)
    end = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, end - 2048))
    if b"%PDF-" not in head or b"%%EOF" not in raw.read():
        raise _Wrong("it is no whole PDF")


def _starts(*signatures: bytes) -> Callable[[BinaryIO], None]:
    def look(raw: BinaryIO) -> None:
        head = raw.read(16)
        if not head.startswith(signatures):
            raise _Wrong("its first bytes are not those of its kind")

    return look


def _json(raw: BinaryIO) -> None:
    try:
        json.load(raw)
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"it is no JSON: {error}") from error


def _json_lines(raw: BinaryIO) -> None:
    for number, line in enumerate(raw, 1):
        if line.strip():
            try:
                json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _Wrong(f"line {number} is no JSON: {error}") from error


def _zip(raw: BinaryIO) -> None:
    size = raw.seek(0, io.SEEK_END)
    with _unzipped(raw, size):
        pass


def _text(raw: BinaryIO) -> None:
    if b"\0" in raw.read(_CHUNK) and not _is_utf16(raw):
        raise _Wrong("it is not text")


def _is_utf16(raw: BinaryIO) -> bool:
    raw.seek(0)
    return raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


_LOOKS: dict[str, Callable[[BinaryIO], None]] = {
    ".png": _png,
    ".pdf": _pdf,
    ".jpg": _starts(b"\xff\xd8\xff"),
    ".jpeg": _starts(b"\xff\xd8\xff"),
    ".gif": _starts(b"GIF8"),
    ".parquet": _starts(b"PAR1"),
    ".xls": _starts(b"\xd0\xcf\x11\xe0"),
    ".zip": _zip,
    ".json": _json,
    ".jsonl": _json_lines,
    ".svg": lambda raw: _xml(raw, "it"),
    ".xml": lambda raw: _xml(raw, "it"),
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".md": _text,
    ".html": _text,
}


# ---- rows ----------------------------------------------------------------------------------------------------


def _rows(raw: BinaryIO, suffix: str) -> int:
    """Data rows: of a sheet or csv without its header, of the largest sheet; of JSON its objects."""
    raw.seek(0)
    match suffix:
        case ".csv" | ".tsv":
            return max(0, _records(raw) - 1)
        case ".jsonl":
            return sum(bool(line.strip()) for line in raw)
        case ".json":
            whole = json.load(raw)
            return len(cast("list[object]", whole)) if isinstance(whole, list) else 1
        case ".xlsx" | ".xlsm":
            return _sheet_rows(raw)
        case _:
            raise _Wrong(f"rows are counted in {', '.join(TABLES)}, not in {suffix or 'a file without a suffix'}")


def _records(raw: BinaryIO) -> int:
    """Records of a csv that hold anything; a quoted line break does not make two."""
    text = io.TextIOWrapper(raw, encoding="utf-16" if _is_utf16(raw) else "latin-1", newline="")
    raw.seek(0)
    try:
        return sum(any(cell.strip() for cell in record) for record in csv.reader(text))
    except csv.Error:  # a field beyond csv's limit: lines are counted then
        text.seek(0)
        return sum(bool(line.strip()) for line in text)
    finally:
        text.detach()


def _sheet_rows(raw: BinaryIO) -> int:
    """Of the largest sheet: rows with a value, less the header."""
    most = 0
    with zipfile.ZipFile(raw) as inside:
        for name in inside.namelist():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                with inside.open(name) as part:
                    most = max(most, _filled_rows(cast("BinaryIO", part)))
    return max(0, most - 1)


def _filled_rows(part: BinaryIO) -> int:
    """Rows of a sheet in which a cell has a value, a formula or text."""
    count, filled = 0, False

    def start(tag: str, _: object) -> None:
        nonlocal filled
        name = tag.rpartition(":")[2]
        if name == "row":
            filled = False
        elif name in ("v", "f", "is"):
            filled = True

    def end(tag: str) -> None:
        nonlocal count
        count += tag.rpartition(":")[2] == "row" and filled

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, _no_entities
    while chunk := part.read(_CHUNK):
        parser.Parse(chunk, False)
    parser.Parse(b"", True)
    return count


# ---- pages ---------------------------------------------------------------------------------------------------


_PAGED = {
    ".pptx": ("ppt/_rels/presentation.xml.rels", "/slide", "slides"),
    ".xlsx": ("xl/_rels/workbook.xml.rels", "/worksheet", "sheets"),
    ".xlsm": ("xl/_rels/workbook.xml.rels", "/worksheet", "sheets"),
}
"""Where an office file lists its pages, how their kind ends, and what people call them. A part that nothing lists is not shown,
so it does not count."""
_IN_OPEN_FORMAT = {".odp": (":page", "slides"), ".ods": (":table", "sheets")}
_PDF_COUNT = re.compile(rb"/Type\s*/Pages\b[^>]{0,200000}?/Count\s+(\d+)|/Count\s+(\d+)[^>]{0,200000}?/Type\s*/Pages\b", re.S)
_PDF_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.S)


def _pages(raw: BinaryIO, suffix: str) -> tuple[int, str]:
    """How many there are, and what they are called."""
    raw.seek(0)
    if suffix == ".pdf":
        return _pdf_pages(raw.read(UNPACKED_BYTES)), "pages"
    if suffix in _PAGED:
        part, ending, what = _PAGED[suffix]
        return _elements(raw, part, lambda tag, of: tag.endswith("Relationship") and of.get("Type", "").endswith(ending)), what
    if suffix in _IN_OPEN_FORMAT:
        name, what = _IN_OPEN_FORMAT[suffix]
        return _elements(raw, "content.xml", lambda tag, _: tag.endswith(name)), what
    raise _Wrong(f"pages are counted in {', '.join(('.pdf', *_PAGED, *_IN_OPEN_FORMAT))}, not in {suffix or 'other files'}")


def _elements(raw: BinaryIO, part: str, counts: Callable[[str, dict[str, str]], bool]) -> int:
    """How many elements of a part count."""
    found = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal found
        found += counts(tag, attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = start, _no_entities
    with zipfile.ZipFile(raw) as inside:
        if part not in inside.namelist():
            raise _Wrong(f"it has no {part}")
        parser.Parse(inside.read(part), True)
    return found


def _pdf_pages(body: bytes) -> int:
    """The largest count of its page trees, those in packed object streams included."""
    counts = [_count(body)]
    for stream in _PDF_STREAM.finditer(body):
        with suppress(zlib.error):
            packed = zlib.decompressobj()
            counts.append(_count(packed.decompress(stream[1], _CHUNK * 64)))
    return max(counts)


def _count(body: bytes) -> int:
    return max((int(found[1] or found[2]) for found in _PDF_COUNT.finditer(body)), default=0)


# ---- text ----------------------------------------------------------------------------------------------------


def _contains(raw: BinaryIO, suffix: str, wanted: str) -> bool:
    """Whether the text stands in the file; runs of white space count as one space."""
    needle = _spaced(wanted)
    if suffix in (".pdf", ".png", ".jpg", ".jpeg", ".gif", ".parquet", ".xls", ".zip"):
        raise _Wrong(f"text cannot be looked for in a {suffix} file")
    pieces = _office_texts(raw) if suffix in OFFICE else _decoded(raw)
    tail = ""
    for piece in pieces:
        tail = _spaced(tail + piece)
        if needle in tail:
            return True
        tail = tail[-len(needle) - 1 :]
    return False


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _decoded(raw: BinaryIO) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-16" if _is_utf16(raw) else "utf-8-sig")("replace")
    raw.seek(0)
    while chunk := raw.read(_CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _office_texts(raw: BinaryIO) -> Iterator[str]:
    """The text of every part, paragraphs and cells apart."""
    raw.seek(0)
    with zipfile.ZipFile(raw) as inside:
        for name in inside.namelist():
            if name.endswith(".xml"):
                body = inside.read(name).decode("utf-8", "replace")
                parted = re.sub(r"</(?:\w+:)?(?:p|si|c|row|tr|h)>|<(?:\w+:)?(?:br|tab)\b[^>]*>", " ", body)
                yield html.unescape(re.sub(r"<[^>]*>", "", parted)) + " "
