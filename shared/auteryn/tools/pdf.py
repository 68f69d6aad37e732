"""PDF files: printed from Markdown or HTML, made of office files, joined."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools.document_package import opened
from auteryn.tools.fonts import boxes
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_pdfs
from auteryn.tools.tool import ToolContext, tool

MOST_JOINED = 100
_MARKUP = (".md", ".markdown", ".html", ".htm")
_OFFICE = (".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods", ".doc", ".ppt", ".xls", ".rtf", ".csv")


@tool(
    effect="idempotent",
    group="office",
    missing=no_pdfs,
    timeout=timedelta(minutes=4),
    serial=lambda args: str(args["path"]),
)
async def pdf_create(
    ctx: ToolContext,
    path: Annotated[str, "The file to write, .pdf; one that is there is replaced"],
    source: Annotated[
        str | list[str],
        Meta(min_length=1),
        "Markdown text; or a file: .md, .html, .docx, .pptx, .xlsx …; or a list of .pdf files to join",
    ],
    title: Annotated[str, "Of the document"] = "",
) -> dict[str, Any]:
    """Make a PDF of Markdown, a web page's file, an office file, or several PDF files. Pictures are files of the run."""
    if not path.lower().endswith(".pdf"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .pdf")
    if isinstance(source, list):
        bodies = [_given(ctx, one) for one in source[:MOST_JOINED]]
        if len(source) > MOST_JOINED:
            raise ToolFailed("too_large", f"source: {len(source)} files are more than {MOST_JOINED}")
        text = ""
    else:
        made, text = await in_thread(lambda leash: _made(ctx, source, title, leash))
        bodies = [made]
    body, pages = await in_thread(lambda leash: _joined(bodies, title))
    notes = await asyncio.to_thread(boxes, text)
    told = {"path": path, "size_bytes": ctx.files.write(path, body).size_bytes, "pages": pages}
    return told | ({"notes": notes} if notes else {})


def _given(ctx: ToolContext, path: str) -> bytes:
    if not path.lower().endswith(".pdf"):
        raise ToolFailed("unsupported", f"source: {path!r} is no .pdf: make one of it first")
    return ctx.files.read(path, most=READ_BYTES)


def _made(ctx: ToolContext, source: str, title: str, leash: Leash) -> tuple[bytes, str]:
    """The PDF, and the text it shows where that is known."""
    from auteryn.tools.pdf_print import html_of, printed
    from auteryn.tools.preview_office import converted

    ending = PurePath(source).suffix.lower() if "\n" not in source and len(source) < 500 else ""
    if ending in _OFFICE:
        return opened(ctx.files, source, lambda real: converted(real, source, "pdf", leash)), ""
    if ending not in _MARKUP:
        if ctx.files.names(source):
            kinds = ", ".join((*_MARKUP, *_OFFICE))
            raise ToolFailed(
                "unsupported", f"source: {source!r} is none of {kinds}; .pdf files are joined when given as a list"
            )
        return printed(ctx.files, html_of(source, title), "", leash), source
    text = ctx.files.read(source, most=READ_BYTES).decode("utf-8", "replace")
    return printed(ctx.files, text if ending.startswith(".htm") else html_of(text, title), source, leash), text


def _joined(bodies: Sequence[bytes], title: str) -> tuple[bytes, int]:
    """All pages in one file that says nothing of when and by what it was made."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.errors import PyPdfError
    from pypdf.generic import NameObject

    writer = PdfWriter()
    try:
        for body in bodies:
            reader = PdfReader(io.BytesIO(body))
            if reader.is_encrypted and not reader.decrypt(""):
                raise ToolFailed("auth", "source: one of the files is protected by a password")
            writer.append(reader, import_outline=True)
    except (PyPdfError, ValueError, KeyError, OSError) as error:
        raise ToolFailed("unsupported", f"source: one of the files cannot be read as a PDF: {error}") from error
    writer.root_object.pop(NameObject("/Metadata"), None)
    writer.metadata = {"/Title": title, "/Producer": "Auteryn"}
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue(), len(writer.pages)
