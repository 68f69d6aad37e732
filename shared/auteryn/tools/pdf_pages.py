"""Pages of a PDF: their text, their picture. pdfium bears one thread at a time, so all of it happens under one lock."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auteryn.errors import ToolFailed

if TYPE_CHECKING:
    from auteryn.tools.document_read import Read
    from auteryn.tools.leash import Leash

MOST_SCANNED = 8
"""Pages shown as pictures in one answer."""
LONG_SIDE = 1_600
"""Pixels of a page's picture."""
_ONE_AT_A_TIME = threading.Lock()
_HARDLY_TEXT = 20
_IMAGE = 3


@contextmanager
def opened_pdf(real: Path, shown: str) -> Generator[Any]:
    """The document; raises `ToolFailed` for one with a password, or none."""
    import pypdfium2

    with _ONE_AT_A_TIME:
        try:
            document = pypdfium2.PdfDocument(str(real))
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise ToolFailed("auth", f"{shown!r} is protected by a password") from error
            raise ToolFailed("unsupported", f"{shown!r} cannot be read as a PDF: {error}") from error
        with closing(document):
            yield document


def read_pdf(real: Path, path: str, pages: str | None, leash: Leash) -> Read:
    """Text of the pages; those that are hardly more than a picture, as pictures."""
    from auteryn.tools.document_read import Read, picked

    texts, scanned, left = list[str](), list[tuple[int, bytes]](), list[int]()
    with opened_pdf(real, path) as document:
        for number in picked(pages, len(document)):
            leash.check()
            with closing(document[number - 1]) as page:
                text = _text(page)
                picture = len(text) < _HARDLY_TEXT and _has_picture(page)
                if picture:
                    if len(scanned) < MOST_SCANNED:
                        scanned.append((number, drawn(page)))
                    else:
                        left.append(number)
            texts.append(f"## Page {number}\n\n{text or ('(a picture)' if picture else '(empty)')}")
        about = {name.lower(): value for name in ("Title", "Author") if (value := document.get_metadata_value(name))}
        count = len(document)
    note = f"the pictures of the scanned pages {left[0]} to {left[-1]}: ask for those pages" if left else ""
    return Read(
        kind="pdf", parts="pages", count=count, text="\n\n".join(texts), about=about, scanned=tuple(scanned), left_out=note
    )


def drawn(page: Any) -> bytes:
    """The page as PNG."""
    width, height = page.get_size()
    out = io.BytesIO()
    with closing(page.render(scale=min(4.0, LONG_SIDE / max(1.0, width, height)))) as bitmap:
        bitmap.to_pil().save(out, "PNG")
    return out.getvalue()


def _text(page: Any) -> str:
    with closing(page.get_textpage()) as text:
        return text.get_text_bounded().replace("\r\n", "\n").replace("\ufffe", "-").strip()


def _has_picture(page: Any) -> bool:
    return any(True for _ in page.get_objects(filter=[_IMAGE], max_depth=3))
