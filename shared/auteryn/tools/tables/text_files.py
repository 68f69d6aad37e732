"""Text files as bytes on a disk: their first lines, and a copy in UTF-8 where they are in anything else."""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import re
from pathlib import Path
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import MB, UNPACKED_BYTES
from auteryn.tools.tables.encodings import guessed
from auteryn.tools.tables.workbooks import SHEETS, is_workbook

_HEAD_BYTES = 256 * 1024
_CHUNK = MB
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson")
_LINES = 20_000
"""Looked at to tell a file in another encoding from one with a few such lines."""
_PASTED = "cp1252"
"""What single lines are in, that came into a file in UTF-8 from elsewhere."""
_PAGE = re.compile(rb"\s*<(?:!doctype|html|table|meta|head|div)\b", re.IGNORECASE)
_QUOTED = re.compile(rb'"[^"]*"')
_BYTE = re.compile("[\udc80-\udcff]")
"""One that is no UTF-8, as `surrogateescape` decodes it."""


def unpacked(real: Path) -> Any:
    """The file's bytes, to be read; a .gz unpacked."""
    return gzip.open(real, "rb") if real.name.lower().endswith(".gz") else real.open("rb")


def is_blank(real: Path) -> bool:
    """Nothing in it but white space."""
    try:
        with unpacked(real) as file:
            return not file.read(_CHUNK).strip(b"\xef\xbb\xbf \t\r\n") and not file.read(1)
    except (OSError, EOFError):
        return False


def head_of(real: Path) -> list[str]:
    """The first complete lines."""
    try:
        with unpacked(real) as file:
            raw = file.read(_HEAD_BYTES)
    except (OSError, EOFError):
        return []
    lines = raw.decode("utf-8-sig", "replace").splitlines(keepends=True)
    return lines[:-1] if len(raw) == _HEAD_BYTES else lines


def readable(real: Path, shown: str, notes: list[str]) -> Path:
    """The file itself, or beside it a copy in UTF-8 with plain line ends: of text in another encoding, and where the header
    has several lines, begins in quotes, or lines end in two ways, which the sniffer does not take from every file."""
    if not real.name.lower().removesuffix(".gz").endswith((*_TEXTS, *SHEETS)) or is_workbook(real):
        return real
    encoding, errors = _encoding(real, shown, notes)
    if errors == "strict" and not _is_hard(real):
        return real
    copy = real.with_name(f"utf8 {real.name.removesuffix('.gz')}")
    size = 0
    with (
        io.TextIOWrapper(unpacked(real), encoding=encoding, errors=errors) as before,
        copy.open("x", encoding="utf-8", newline="") as after,
    ):
        while text := before.read(_CHUNK):
            size += after.write(_BYTE.sub(lambda found: bytes([ord(found[0]) & 0xFF]).decode(_PASTED, "replace"), text))
            if size > UNPACKED_BYTES:
                raise ToolFailed("too_large", f"{shown!r} unpacks to more than {UNPACKED_BYTES:,} signs")
    return copy


def _encoding(real: Path, shown: str, notes: list[str]) -> tuple[str, str]:
    """UTF-8 unless the bytes say otherwise; and what to do with those that cannot be decoded. A guess is noted."""
    try:
        with unpacked(real) as file:
            start = chunk = file.read(_CHUNK)
            if wide := _wide(start):
                return wide, "replace"
            if b"\0" in start:
                raise ToolFailed("unsupported", f"{shown!r} is not text, nor a file that is known")
            if _PAGE.match(start):
                raise ToolFailed(
                    "unsupported", f"{shown!r} is a web page: give it a name that ends in .html, and doc_read reads it"
                )
            decoder = codecs.getincrementaldecoder("utf-8")()
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _no_utf8(real, shown, notes)
    except (OSError, EOFError) as error:
        raise ToolFailed("unsupported", f"{shown!r} cannot be read: {error}") from error
    return "utf-8-sig", "strict"


def _wide(start: bytes) -> str | None:
    """An encoding of two or four bytes a sign: told by its mark, or as every other byte of plain letters is zero."""
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first, second = start[::2], start[1::2]
    for encoding, letters, zeros in (("utf-16-le", first, second), ("utf-16-be", second, first)):
        if zeros.count(0) * 2 > len(zeros) and 0 not in letters:
            return encoding
    return None


def _no_utf8(real: Path, shown: str, notes: list[str]) -> tuple[str, str]:
    """Another encoding; or UTF-8 into which lines in another were pasted."""
    with unpacked(real) as file:
        beyond = [
            sign for line in itertools.islice(file, _LINES) for sign in line.decode("utf-8", "surrogateescape") if sign > "\x7f"
        ]
    pasted = sum(bool(_BYTE.match(sign)) for sign in beyond)
    if pasted * 2 <= len(beyond):
        notes.append(f"{shown!r} is UTF-8 but for some signs, which were read as {_PASTED}")
        return "utf-8-sig", "surrogateescape"
    with unpacked(real) as file:
        encoding = guessed(file)
    notes.append(f"{shown!r} is not UTF-8; it was read as {encoding}, so check the letters beyond ASCII")
    return encoding, "replace"


def _is_hard(real: Path) -> bool:
    """The first line ends within quotes, as where Excel's cell has two lines, or begins with them, or with JSON, behind a byte
    order mark; or lines end now so and now so, as where files were put together."""
    with unpacked(real) as file:
        line = file.readline(_HEAD_BYTES)
        bare = _QUOTED.sub(b"", line + file.read(_HEAD_BYTES))
    mixed = 0 < bare.count(b"\r\n") < bare.count(b"\n")
    return mixed or line.count(b'"') % 2 == 1 or line.startswith(tuple(codecs.BOM_UTF8 + sign for sign in (b'"', b"[", b"{")))
