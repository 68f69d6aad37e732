"""Is a file what its name says? Each form is looked at as far as a program must read it to open it."""

from __future__ import annotations

import codecs
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast
from xml.parsers import expat

from auteryn.policy.quotas import MEMBERS, RATIO_FREE, UNPACKED_BYTES, UNPACKED_RATIO

CHUNK = 1 << 16
"""Bytes read at a time."""
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


class Wrong(Exception):
    """Why a file is not the deliverable."""


def well_formed(raw: BinaryIO, suffix: str, size_bytes: int) -> None:
    """Raises `Wrong` if the file is not what its name says."""
    if suffix in OFFICE:
        _office(raw, OFFICE[suffix], size_bytes)
    elif look := _LOOKS.get(suffix):
        raw.seek(0)
        look(raw)


def _office(raw: BinaryIO, main: str, size_bytes: int) -> None:
    with _unzipped(raw, size_bytes) as inside:
        if main not in inside.namelist():
            raise Wrong(f"it has no {main}, so no program can open it")
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in inside.infolist()):
            raise Wrong("it is packed in a way that office programs do not read")
        if (broken := _damaged(inside)) is not None:
            raise Wrong(f"its part {broken} is damaged")
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
        raise Wrong(f"it is no readable archive: {error}") from error
    unpacked = sum(entry.file_size for entry in inside.infolist())
    bomb = unpacked > RATIO_FREE and unpacked > UNPACKED_RATIO * size_bytes
    if bomb or unpacked > UNPACKED_BYTES or len(inside.infolist()) > MEMBERS:
        raise Wrong(f"it unpacks to {unpacked:,} bytes, more than is sane")
    if any(entry.flag_bits & 1 for entry in inside.infolist()):
        raise Wrong("it is protected by a password")
    return inside


def _damaged(inside: zipfile.ZipFile) -> str | None:
    try:
        return inside.testzip()
    except (zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:  # OSError: a part that begins nowhere
        return f"({error})"


def _xml(part: BinaryIO, name: str) -> None:
    """Well-formed, and without entities of its own."""
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = no_entities
    try:
        while chunk := part.read(CHUNK):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Wrong(f"{name} is no well-formed XML: {error}") from error


def no_entities(*_: object) -> None:
    """A parser's `EntityDeclHandler`: raises `Wrong` for any entity."""
    raise Wrong("its XML declares entities, which no honest file does")


def _png(raw: BinaryIO) -> None:
    head = raw.read(33)
    raw.seek(max(0, raw.seek(0, io.SEEK_END) - 12))
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or head[12:16] != b"IHDR" or b"IEND" not in raw.read():
        raise Wrong("it is no whole PNG image")
    if 0 in (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])):
        raise Wrong("the image has no width or height")


def _pdf(raw: BinaryIO) -> None:
    head = raw.read(1024)
    end = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, end - 2048))
    if b"%PDF-" not in head or b"%%EOF" not in raw.read():
        raise Wrong("it is no whole PDF")


def _starts(*signatures: bytes) -> Callable[[BinaryIO], None]:
    def look(raw: BinaryIO) -> None:
        head = raw.read(16)
        if not head.startswith(signatures):
            raise Wrong("its first bytes are not those of its kind")

    return look


def _json(raw: BinaryIO) -> None:
    try:
        json.load(raw)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"it is no JSON: {error}") from error


def _json_lines(raw: BinaryIO) -> None:
    for number, line in enumerate(raw, 1):
        if line.strip():
            try:
                json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Wrong(f"line {number} is no JSON: {error}") from error


def _zip(raw: BinaryIO) -> None:
    size = raw.seek(0, io.SEEK_END)
    with _unzipped(raw, size):
        pass


def _text(raw: BinaryIO) -> None:
    if b"\0" in raw.read(CHUNK) and not is_utf16(raw):
        raise Wrong("it is not text")


def is_utf16(raw: BinaryIO) -> bool:
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
