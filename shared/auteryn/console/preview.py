"""The beginning of a published file, as something a page can show without trusting it."""

from __future__ import annotations

import csv
import importlib.util
import io
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auteryn.console.prose import html_of
from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.schema.run import Artifact

if TYPE_CHECKING:
    from auteryn.tools.leash import Leash

MOST_ROWS, MOST_COLUMNS, LONGEST_CELL = 200, 40, 300
LONGEST_TEXT = 100_000
LARGEST = 20_000_000
"""Bytes of a file that is opened for its preview."""

TABLES, WORKBOOKS, PROSE = (".csv", ".tsv"), (".xlsx", ".xlsm", ".xls", ".ods"), (".md", ".markdown")
DOCUMENTS = (".docx", ".pptx", ".odt")
FRAMES = {".pdf": "pdf", ".html": "page", ".htm": "page"}
IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif")


class Sheet(Record):
    name: str
    rows: tuple[tuple[str, ...], ...]
    """The first may be a header; nobody has said so."""
    more: bool
    """There are further rows or columns."""


class Preview(Record):
    """`kind` says how to show it: an `image`, a `page` (HTML, only in a sandbox) and a `pdf` by their own bytes."""

    kind: Literal["image", "pdf", "page", "prose", "text", "table", "none"]
    html: str | None = None
    text: str | None = None
    sheets: tuple[Sheet, ...] = ()
    note: str | None = None
    """How what is shown differs from the file."""
    why: str | None = None
    """Of `none`: why there is nothing to see."""


def preview(artifact: Artifact, body: bytes, leash: Leash) -> Preview:
    """What can be shown of it. A file that is not what its name says has no preview; it can still be saved."""
    if len(body) > LARGEST:
        return Preview(kind="none", why=f"it is larger than the {LARGEST // 1_000_000} MB that are previewed")
    ending = artifact.path[artifact.path.rfind(".") :].lower() if "." in artifact.path else ""
    if ending in IMAGES:
        return Preview(kind="image")
    if ending in FRAMES:
        is_page = FRAMES[ending] == "page"
        return Preview(kind="page") if is_page else _pdf(body)
    if ending in WORKBOOKS:
        return _workbook(body)
    if ending in DOCUMENTS:
        return _document(body, ending, leash)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Preview(kind="none", why="it is not text")
    if ending in TABLES:
        return Preview(kind="table", sheets=(_table(text, "\t" if ending == ".tsv" else None),))
    if ending in PROSE:
        return Preview(kind="prose", html=html_of(text, file=True))
    note = f"the first {LONGEST_TEXT:,} characters" if len(text) > LONGEST_TEXT else None
    return Preview(kind="text", text=text[:LONGEST_TEXT], note=note)


def _pdf(body: bytes) -> Preview:
    return Preview(kind="pdf") if body.startswith(b"%PDF-") else Preview(kind="none", why="it is no PDF")


def _document(body: bytes, ending: str, leash: Leash) -> Preview:
    from auteryn.tools.document_read import read_outside
    from auteryn.tools.needs import no_documents

    if missing := no_documents():
        return Preview(kind="none", why=missing)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"document{ending}"
        copy.write_bytes(body)
        try:
            read = read_outside(copy, f"a {ending} file", leash)
        except ToolFailed as error:
            return Preview(kind="none", why=f"it cannot be read: {error}")
    return Preview(kind="prose", html=html_of(read.text, file=True), note="its text and tables, without its looks")


def _table(text: str, delimiter: str | None) -> Sheet:
    if delimiter is None:
        head = text[:4096].partition("\n")[0]
        delimiter = max(",;\t|", key=head.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    return _sheet("", list(islice(rows, MOST_ROWS + 1)))


def _workbook(body: bytes) -> Preview:
    if importlib.util.find_spec("python_calamine") is None:
        return Preview(kind="none", why="reading workbooks needs pip install 'auteryn[office]'")
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        sheets = [_sheet(name, book.get_sheet_by_name(name).to_python(nrows=MOST_ROWS + 1)) for name in book.sheet_names[:20]]
    except CalamineError as error:
        return Preview(kind="none", why=f"it cannot be read as a workbook: {error}")
    return Preview(kind="table", sheets=tuple(sheets))


def _sheet(name: str, rows: Sequence[Sequence[object]]) -> Sheet:
    more = len(rows) > MOST_ROWS or any(len(row) > MOST_COLUMNS for row in rows)
    shown = tuple(tuple(_cell(cell) for cell in row[:MOST_COLUMNS]) for row in rows[:MOST_ROWS])
    return Sheet(name=name, rows=shown, more=more)


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
