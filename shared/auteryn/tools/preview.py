"""What a document looks like, page by page."""

from __future__ import annotations

import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path, PurePath
from typing import Annotated

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.message import Image
from auteryn.tools.document_package import opened
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_documents
from auteryn.tools.tool import Result, ToolContext, tool
from auteryn.tools.workspace import Workspace

MOST_PAGES = 10
KINDS = (".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods", ".doc", ".ppt", ".xls", ".csv", ".html", ".rtf")


@tool(
    effect="idempotent",
    group="office",
    reads_files=True,
    untrusted=True,
    missing=no_documents,
    timeout=timedelta(minutes=4),
    serial=lambda args: str(args["path"]),
)
async def office_preview(
    ctx: ToolContext,
    path: Annotated[str, "A .pdf, or an office file"],
    pages: Annotated[str | None, "Which pages, such as 1-3,7; else the first ten"] = None,
    save_to: Annotated[str, "Folder for the pictures", Meta(min_length=1)] = "previews",
) -> Result:
    """See what a document looks like: its pages as pictures, shown and saved as .png. Look before handing over."""
    if PurePath(path).suffix.lower() not in KINDS:
        raise ToolFailed("unsupported", f"{path!r} is none of {', '.join(KINDS)}")
    count, drawn = await in_thread(lambda leash: _drawn(ctx.files, path, pages, leash))
    images, saved = list[Image](), list[str]()
    for number, body in drawn:
        saved.append(f"{save_to.rstrip('/')}/{PurePath(path).stem}-{number}.png")
        ctx.files.write(saved[-1], body)
        images.append(Image(sha256=await ctx.blobs.put(body), media_type="image/png", name=f"page {number} of {path}"))
    return Result(output={"path": path, "pages": count, "saved": saved}, images=tuple(images))


def _drawn(files: Workspace, path: str, pages: str | None, leash: Leash) -> tuple[int, list[tuple[int, bytes]]]:
    """How many pages there are, and the chosen ones as PNG."""
    from auteryn.tools.preview_office import converted

    if path.lower().endswith(".pdf"):
        return opened(files, path, lambda real: _of_pdf(real, path, pages, leash))
    body = opened(files, path, lambda real: converted(real, path, "pdf", leash))
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(body)
        file.flush()
        return _of_pdf(Path(file.name), path, pages, leash)


def _of_pdf(real: Path, path: str, pages: str | None, leash: Leash) -> tuple[int, list[tuple[int, bytes]]]:
    from auteryn.tools.document_read import picked
    from auteryn.tools.pdf_pages import drawn, opened_pdf

    pictures = list[tuple[int, bytes]]()
    with opened_pdf(real, path) as document:
        for number in picked(pages, len(document))[:MOST_PAGES]:
            leash.check()
            with closing(document[number - 1]) as page:
                pictures.append((number, drawn(page)))
        return len(document), pictures
