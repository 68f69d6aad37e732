"""What stands in a document, part by part (pages, slides, sheets), as Markdown."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path, PurePath
from typing import Any

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.schema.record import Record
from auteryn.tools.document_package import opened, opened_at
from auteryn.tools.leash import Leash
from auteryn.tools.tables.workbooks import SHEETS, sheet_cells, shown_cell
from auteryn.tools.workspace import Workspace

SHEET_ROWS = 200
"""Of a sheet; data_query asks for more."""
MOST_SHEETS = 30


class Read(Record):
    """A document, as far as it was asked for."""

    kind: str
    parts: str
    """What it is made of: pages, slides, sheets."""
    count: int
    """How many there are, the ones not asked for included."""
    text: str
    about: dict[str, str] = {}
    scanned: tuple[tuple[int, bytes], ...] = ()
    """Pages that are pictures only: number and PNG."""
    left_out: str = ""


def read_document(files: Workspace, path: str, pages: str | None, leash: Leash) -> Read:
    """The parts `pages` names (all: None); raises `ToolFailed`."""
    ending = PurePath(path).suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        raise ToolFailed("unsupported", f"{path!r} is none of {', '.join(_READERS)}; image_view shows pictures")
    return opened(files, path, lambda real: reader(real, path, pages, leash))


def read_outside(real: Path, shown: str, leash: Leash) -> Read:
    """The whole of a file that is none of the run's: the owner named it."""
    reader = _READERS.get(real.suffix.lower())
    if reader is None:
        raise ToolFailed("unsupported", f"{shown!r} is none of {', '.join(_READERS)}")
    return opened_at(real, shown, lambda real: reader(real, shown, None, leash))


def picked(pages: str | None, count: int) -> list[int]:
    """Numbers from 1 of the parts asked for, in order; raises `ToolFailed("invalid")`."""
    if pages is None:
        return list(range(1, count + 1))
    wanted = set[int]()
    for piece in pages.replace(" ", "").split(","):
        found = re.fullmatch(r"(\d{1,6})(?:(-)(\d{0,6}))?", piece)
        if found is None:
            raise ToolFailed("invalid", str(Invalid("pages", pages, "must be numbers and ranges such as 1-3,7")))
        first = int(found[1])
        last = first if not found[2] else int(found[3] or count)
        wanted |= set(range(max(1, first), min(last, count) + 1))
    if not wanted:
        raise ToolFailed("not_found", f"pages: {pages!r} names none of the {count} there are")
    return sorted(wanted)


# ---- one reader a kind -------------------------------------------------------------------------------------------


def _pdf(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    from auteryn.tools.pdf_pages import read_pdf

    return read_pdf(real, path, pages, leash)


def _word(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    import docx
    from docx.table import Table

    document = docx.Document(str(real))
    blocks = list[str]()
    for block in document.iter_inner_content():
        leash.check()
        if isinstance(block, Table):
            blocks.append(table_text([[cell.text for cell in row.cells] for row in block.rows]))
        elif block.text.strip():
            blocks.append(_paragraph(block))
    title, author = document.core_properties.title, document.core_properties.author
    return _whole("docx", _joined(blocks), {"title": title or "", "author": author or ""})


def _paragraph(one: Any) -> str:
    name: str = one.style.name or "" if one.style is not None else ""
    text: str = one.text.strip()
    if found := re.fullmatch(r"Heading (\d)", name):
        return f"{'#' * int(found[1])} {text}"
    if name == "Title":
        return f"# {text}"
    numbered: Any = one._p.pPr.numPr if one._p.pPr is not None else None
    if numbered is not None or name.startswith("List"):
        level = numbered.ilvl.val if numbered is not None and numbered.ilvl is not None else 0
        return f"{'  ' * level}{'1.' if 'Number' in name else '-'} {text}"
    return f"> {text}" if "Quote" in name else text


def _slides(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    from pptx import Presentation

    deck: Any = Presentation(str(real))
    slides = list(deck.slides)
    parts = list[str]()
    for number in picked(pages, len(slides)):
        leash.check()
        parts.append(_slide(number, slides[number - 1]))
    about = {"title": deck.core_properties.title or "", "author": deck.core_properties.author or ""}
    return Read(kind="pptx", parts="slides", count=len(slides), text="\n\n".join(parts), about=about)


def _slide(number: int, slide: Any) -> str:
    title = slide.shapes.title
    head = f"## Slide {number}" + (f": {title.text_frame.text.strip()}" if title is not None else "")
    texts = [text for shape in _shapes(slide.shapes) if shape != title and (text := _shape_text(shape))]
    if slide.has_notes_slide and (said := slide.notes_slide.notes_text_frame.text.strip()):
        texts.append(f"Notes: {said}")
    return "\n\n".join([head, *texts])


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """All of them, those in groups too, the way people read: from the top."""
    for shape in sorted(shapes, key=lambda one: (one.top or 0, one.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape_text(shape: Any) -> str:
    if getattr(shape, "has_table", False):
        return table_text([[cell.text for cell in row.cells] for row in shape.table.rows])
    if getattr(shape, "has_chart", False):
        plot = shape.chart.plots[0]
        series = list(plot.series)
        rows = [[str(name), *(str(one.values[at]) for one in series)] for at, name in enumerate(plot.categories)]
        return table_text([["", *(one.name for one in series)], *rows])
    if not shape.has_text_frame or 'type="slidenum"' in shape._element.xml:
        return ""
    lines = [("  " * one.level + "- " if one.level else "") + one.text for one in shape.text_frame.paragraphs]
    return "\n".join(line for line in lines if line.strip())


def _sheets(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    names = sheet_cells(real, path, None).names
    texts, left = list[str](), list[str]()
    wanted = picked(pages, len(names))
    if len(wanted) > MOST_SHEETS:
        left.append(f"{len(wanted) - MOST_SHEETS} of {len(wanted)} sheets: name them in pages, at most {MOST_SHEETS} at a time")
    for number in wanted[:MOST_SHEETS]:
        leash.check()
        cells = sheet_cells(real, path, names[number - 1])
        name, rows = cells.name, cells.rows
        if len(rows) > SHEET_ROWS:
            left.append(f"{name!r} has {len(rows):,} rows, shown are {SHEET_ROWS}: data_query asks all of them")
        shown = [[_cell(cell) for cell in row] for row in rows[:SHEET_ROWS]]
        texts.append(f"## {name}\n\n{table_text(shown)}")
    kind = real.suffix.lower().removeprefix(".")
    return Read(kind=kind, parts="sheets", count=len(names), text="\n\n".join(texts), left_out="; ".join(left))


def _cell(cell: Any) -> str:
    shown = shown_cell(cell)
    return "" if shown is None else str(shown)


def _open_text(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    import zipfile
    from xml.etree import ElementTree

    with zipfile.ZipFile(real) as package:
        body = package.read("content.xml")
    tree = ElementTree.fromstring(body)
    text = next(tree.iter("{urn:oasis:names:tc:opendocument:xmlns:office:1.0}text"), tree)
    return _whole("odt", _joined(list(_open_blocks(text))), {})


def _open_blocks(node: Any, level: int = 0) -> Iterator[str]:
    for one in node:
        kind = one.tag.rpartition("}")[2] if isinstance(one.tag, str) else ""
        match kind:
            case "h":
                deep = next((value for name, value in one.attrib.items() if name.endswith("outline-level")), "1")
                yield f"{'#' * int(deep)} {''.join(one.itertext()).strip()}"
            case "p":
                if said := "".join(one.itertext()).strip():
                    yield f"{'  ' * (level - 1)}- {said}" if level else said
            case "list":
                yield from _open_blocks(one, level + 1)
            case "table":
                cells = [
                    ["".join(cell.itertext()) for cell in row.findall("{*}table-cell")]
                    for row in one.findall(".//{*}table-row")
                ]
                yield table_text(cells)
            case "tracked-changes" | "sequence-decls" | "forms":
                pass
            case _:
                yield from _open_blocks(one, level)


def _mail(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    message: EmailMessage = email.message_from_bytes(_bytes(real, path), policy=email.policy.default)
    heads = [f"{name}: {message[name]}" for name in ("From", "To", "Cc", "Date", "Subject") if message[name]]
    body = message.get_body(("plain", "html"))
    text = _said(body) if body is not None else ""
    if body is not None and body.get_content_type() == "text/html":
        text = _html_text(text)
    names = [
        f"- {one.get_filename() or one.get_content_type()} ({len(one.get_payload(decode=True) or b''):,} bytes)"
        for one in message.iter_attachments()
    ]
    attached = ["Attachments:\n" + "\n".join(names)] if names else []
    about = {"title": str(message["Subject"] or "")}
    return _whole("eml", "\n\n".join(["\n".join(heads), text.strip(), *attached]), about)


def _said(part: Any) -> str:
    try:
        return str(part.get_content())
    except LookupError:  # it names an alphabet nobody knows
        from auteryn.tools.web_text import decoded

        return decoded(part.get_payload(decode=True), "")


def _page(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    from auteryn.tools.web_text import decoded

    return _whole("html", _html_text(decoded(_bytes(real, path), "")), {})


def _html_text(html: str) -> str:
    from auteryn.tools.web_text import page_text

    try:
        return page_text(html, "", "full").text
    except ModuleNotFoundError as error:
        raise ToolFailed("missing_extra", "reading HTML needs pip install 'auteryn[web]'") from error


def _plain(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    body = _bytes(real, path)
    if b"\0" in body[:8_192]:
        raise ToolFailed("unsupported", f"{path!r} is no text")
    kind = "md" if real.suffix.lower() in (".md", ".markdown") else "text"
    return _whole(kind, body.decode("utf-8", "replace"), {})


# ---- pieces ------------------------------------------------------------------------------------------------------


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first one is the header."""
    if not rows:
        return ""
    width = max(map(len, rows))
    lines = [
        f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in [*row, *[''] * (width - len(row))])} |"
        for row in rows
    ]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])


def _joined(blocks: list[str]) -> str:
    """Blocks with an empty line between them; points of a list stay together."""
    point = re.compile(r"\s*(?:-|1\.) ")
    out = ""
    for at, block in enumerate(blocks):
        together = at and point.match(block) and point.match(blocks[at - 1])
        out += ("" if not at else "\n" if together else "\n\n") + block
    return out


def _whole(kind: str, text: str, about: dict[str, str]) -> Read:
    """A document without pages of its own."""
    return Read(kind=kind, parts="parts", count=1, text=text, about={key: value for key, value in about.items() if value})


def _bytes(real: Path, path: str) -> bytes:
    if real.stat().st_size > READ_BYTES:
        raise ToolFailed("too_large", f"{path!r} is larger than {READ_BYTES:,} bytes")
    return real.read_bytes()


_READERS: dict[str, Callable[[Path, str, str | None, Leash], Read]] = {
    ".docx": _word,
    ".pptx": _slides,
    **dict.fromkeys(SHEETS, _sheets),
    ".pdf": _pdf,
    ".odt": _open_text,
    ".eml": _mail,
    **dict.fromkeys((".html", ".htm", ".xhtml"), _page),
    **dict.fromkeys((".md", ".markdown", ".txt", ".csv", ".tsv", ".json", ".log"), _plain),
}
