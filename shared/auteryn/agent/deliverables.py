"""Is what the model says it made really there? Looked at by the host: the file, its form, its size, its rows, its text.

Only the standard library reads here and in `forms`, so the verdict is the same on every machine and needs no extra.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple, cast
from xml.parsers import expat

from auteryn.agent.forms import CHUNK, OFFICE, Wrong, is_utf16, no_entities, well_formed
from auteryn.errors import ToolFailed
from auteryn.policy.quotas import UNPACKED_BYTES
from auteryn.schema.run import FileCheck, Verdict
from auteryn.tools.files import compiled, glob_expression
from auteryn.tools.workspace import Found, Workspace

_LOOKED_AT = 50
"""Files of one glob that are opened."""
TABLES = (".csv", ".tsv", ".xlsx", ".xlsm", ".jsonl", ".json")
_SUFFIX = re.compile(r"(?:\.\w+)?")


class Judged(NamedTuple):
    verdict: Verdict
    path: str | None = None
    """The file that passed."""


def verify(checks: tuple[FileCheck, ...], files: Workspace) -> tuple[Judged, ...]:
    """One verdict a check. A glob is met by any one file that passes; where none does, the detail is about the best."""
    return tuple(_verdict(check, files) for check in checks)


def impossible(check: FileCheck) -> str | None:
    """Why no file could ever pass the check; None where one could."""
    try:
        compiled(glob_expression(check.path), "path")
    except ToolFailed as error:
        return str(error)
    suffix = PurePosixPath(check.path).suffix.lower()
    if not _SUFFIX.fullmatch(suffix):  # a glob whose files may have any
        return None
    if check.min_rows is not None and suffix not in TABLES:
        return _not_counted("rows", TABLES, suffix)
    if check.min_pages is not None and suffix not in PAGED:
        return _not_counted("pages", PAGED, suffix)
    return _NO_TEXT.format(suffix) if check.contains is not None and suffix in _TEXTLESS else None


def _not_counted(what: str, where: Sequence[str], suffix: str) -> str:
    return f"{what} are counted in {', '.join(where)}, not in {suffix or 'a file without a suffix'}"


def _verdict(check: FileCheck, files: Workspace) -> Judged:
    try:
        found = _candidates(check.path, files)
    except ToolFailed as error:
        return Judged(Verdict(deliverable=check.path, ok=False, detail=str(error)))
    wrong = "there is no such file" if not found else ""
    for file in found[:_LOOKED_AT]:
        try:
            detail = _looked_at(check, file, files)
        except Wrong as why:
            wrong = wrong or f"{file.path}: {why}"
        except ToolFailed as error:
            wrong = wrong or str(error)
        else:
            return Judged(Verdict(deliverable=check.path, ok=True, detail=detail), file.path)
    return Judged(Verdict(deliverable=check.path, ok=False, detail=wrong))


def _candidates(path: str, files: Workspace) -> list[Found]:
    """The file of that very name, else those the glob names, the newest first."""
    with suppress(ToolFailed):
        exact = files.stat(path)
        return [] if exact.folder else [exact]
    expression = compiled(glob_expression(path), "deliverable")
    named = [file for file in files.walk() if expression.fullmatch(file.path)]
    return sorted(named, key=lambda file: (-file.modified_at.timestamp(), file.path))


def _looked_at(check: FileCheck, file: Found, files: Workspace) -> str:
    """What is there, in words; raises `Wrong`."""
    if file.size_bytes < check.min_bytes:
        raise Wrong(f"{file.size_bytes:,} bytes, at least {check.min_bytes:,} are asked for")
    told = [file.path, f"{file.size_bytes:,} bytes"]
    suffix = PurePosixPath(file.path).suffix.lower()
    with files.reading(file.path) as raw:
        if file.size_bytes:
            well_formed(raw, suffix, file.size_bytes)
        if check.min_rows is not None:
            rows = _rows(raw, suffix) if file.size_bytes else 0
            if rows < check.min_rows:
                raise Wrong(f"{rows:,} data rows, at least {check.min_rows:,} are asked for")
            told.append(f"{rows:,} data rows")
        if check.min_pages is not None:
            pages, what = _pages(raw, suffix) if file.size_bytes else (0, "pages")
            if pages < check.min_pages:
                raise Wrong(f"{pages:,} {what}, at least {check.min_pages:,} are asked for")
            told.append(f"{pages:,} {what}")
        if check.contains is not None:
            if not _contains(raw, suffix, check.contains):
                raise Wrong(f"the text {check.contains!r} is not in it")
            told.append(f"contains {check.contains!r}")
    return ", ".join(told)


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
            raise Wrong(_not_counted("rows", TABLES, suffix))


def _records(raw: BinaryIO) -> int:
    """Records of a csv that hold anything; a quoted line break does not make two."""
    text = io.TextIOWrapper(raw, encoding="utf-16" if is_utf16(raw) else "latin-1", errors="replace", newline="")
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
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, no_entities
    while chunk := part.read(CHUNK):
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
PAGED = (".pdf", *_PAGED, *_IN_OPEN_FORMAT)
_PDF_PIECE = re.compile(rb"[^>]+")
"""The innermost dictionaries stand in one each."""
_PDF_TREE = re.compile(rb"/Type\s*/Pages\b")
_PDF_COUNT = re.compile(rb"/Count\s+(\d{1,9})")
_PDF_STREAM = re.compile(rb"stream\r?\n")


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
    raise Wrong(_not_counted("pages", PAGED, suffix))


def _elements(raw: BinaryIO, part: str, counts: Callable[[str, dict[str, str]], bool]) -> int:
    """How many elements of a part count."""
    found = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal found
        found += counts(tag, attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EntityDeclHandler = start, no_entities
    with zipfile.ZipFile(raw) as inside:
        if part not in inside.namelist():
            raise Wrong(f"it has no {part}")
        parser.Parse(inside.read(part), True)
    return found


def _pdf_pages(body: bytes) -> int:
    """The largest count of its page trees, those in packed object streams included."""
    counts, at = [_count(body)], 0
    while (end := body.find(b"endstream", at)) >= 0:
        begin = _PDF_STREAM.search(body, at, end)
        if begin and body.find(b"/ObjStm", at, begin.start()) >= 0:
            with suppress(zlib.error):
                counts.append(_count(zlib.decompressobj().decompress(body[begin.end() : end], CHUNK * 64)))
        at = end + len(b"endstream")
    return max(counts)


def _count(body: bytes) -> int:
    trees = (piece[0] for piece in _PDF_PIECE.finditer(body) if _PDF_TREE.search(body, *piece.span()))
    return max((int(count) for tree in trees for count in _PDF_COUNT.findall(tree)), default=0)


# ---- text ----------------------------------------------------------------------------------------------------


_TEXTLESS = (".pdf", ".png", ".jpg", ".jpeg", ".gif", ".parquet", ".xls", ".zip")
_MARKED_UP = (".html", ".htm", ".xml", ".svg")
_NO_TEXT = "text cannot be looked for in a {} file"


def _contains(raw: BinaryIO, suffix: str, wanted: str) -> bool:
    """Whether the text stands in the file, or in what a reader sees of it; runs of white space count as one space."""
    needle = _spaced(wanted)
    if suffix in _TEXTLESS:
        raise Wrong(_NO_TEXT.format(suffix))
    pieces = _office_texts(raw) if suffix in OFFICE else _decoded(raw)
    if suffix in _MARKED_UP:
        pieces = chain(pieces, (_shown("".join(one)) for one in [_decoded(raw)]))
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
    decoder = codecs.getincrementaldecoder("utf-16" if is_utf16(raw) else "utf-8-sig")("replace")
    raw.seek(0)
    while chunk := raw.read(CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _office_texts(raw: BinaryIO) -> Iterator[str]:
    """The text of every part, paragraphs and cells apart."""
    raw.seek(0)
    with zipfile.ZipFile(raw) as inside:
        for name in inside.namelist():
            if name.endswith(".xml"):
                yield _shown(inside.read(name).decode("utf-8", "replace")) + " "


def _shown(markup: str) -> str:
    """The text without its marks, paragraphs and cells apart."""
    return html.unescape(re.sub(r"<[^<>]*>", "", _PARTING.sub(" ", markup)))


_PARTING = re.compile(r"</(?:\w+:)?(?:p|si|c|row|t[drh]|li|div|h\d?)>|<(?:\w+:)?(?:br|tab)\b[^<>]*>", re.I)
