"""Documents of all kinds are read as Markdown; Word files are written from Markdown."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.message import Image
from auteryn.tools.document_package import opened, settled
from auteryn.tools.leash import in_thread
from auteryn.tools.needs import no_documents
from auteryn.tools.tool import Result, ToolContext, tool
from auteryn.tools.untrusted import cleaned, framed

MOST_CHARS = 200_000


@tool(
    effect="read",
    group="office",
    reads_files=True,
    untrusted=True,
    missing=no_documents,
    timeout=timedelta(minutes=2),
)
async def doc_read(
    ctx: ToolContext,
    path: Annotated[str, "A .docx, .pptx, .xlsx, .pdf, .odt, .eml, .html, .md or text file"],
    pages: Annotated[str | None, "Which pages, slides or sheets, such as 1-3,7; else all"] = None,
    max_chars: Annotated[int, "Most characters of text", Meta(ge=100, le=MOST_CHARS)] = 20_000,
) -> Result:
    """Read a document as Markdown, with its title and how many pages it has. Scanned pages are shown as pictures."""
    from auteryn.tools.document_read import read_document

    read = await in_thread(lambda leash: read_document(ctx.files, path, pages, leash))
    images = [
        Image(sha256=await ctx.blobs.put(body), media_type="image/png", name=f"page {number} of {path}")
        for number, body in read.scanned
    ]
    text = read.text
    output: dict[str, Any] = {
        "path": path,
        "kind": read.kind,
        **{name: cleaned(value) for name, value in read.about.items()},
        read.parts: read.count,
        "text": framed(text[:max_chars], path),
        "complete": len(text) <= max_chars and not read.left_out,
        "chars_total": len(text),
    }
    if len(text) > max_chars:
        output["note"] = f"cut after {max_chars:,} characters: ask for more max_chars, or for some of the {read.parts}"
    if read.left_out:
        output["left_out"] = read.left_out
    return Result(output=output, images=tuple(images))


@tool(
    effect="idempotent",
    group="office",
    missing=no_documents,
    timeout=timedelta(minutes=2),
    serial=lambda args: str(args["path"]),
)
async def docx_create(
    ctx: ToolContext,
    path: Annotated[str, "The document to write, .docx; one that is there is replaced"],
    markdown: Annotated[str, "Its text: headings, lists, tables, **bold**, links, ![pictures](file.png)", Meta(min_length=1)],
    template: Annotated[str | None, "A .docx whose styles, header and footer are taken"] = None,
) -> dict[str, Any]:
    """Write a Word document from Markdown, with real headings, lists and tables."""
    if not path.lower().endswith(".docx"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .docx")
    if template is not None and not template.lower().endswith((".docx", ".dotx")):
        raise ToolFailed("unsupported", f"template: {template!r} must be a .docx file")
    return await in_thread(lambda leash: _written(ctx, path, markdown, template))


def _written(ctx: ToolContext, path: str, markdown: str, template: str | None) -> dict[str, Any]:
    from auteryn.tools.document_write import blank, filled, from_template

    document = opened(ctx.files, template, from_template) if template else blank()
    body, told = filled(document, markdown, ctx.files)
    found = ctx.files.write(path, settled(body))
    return {"path": path, "size_bytes": found.size_bytes, **told}
