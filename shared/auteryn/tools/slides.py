"""Presentations: native text, tables and charts, in which nothing runs over its edge."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.document_package import opened, settled
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import no_slides
from auteryn.tools.slides_shape import Slide
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import Workspace

LOOKS = ("clear", "night", "warm")
MOST_PAGES = 200


@tool(
    effect="idempotent",
    group="office",
    timeout=timedelta(minutes=3),
    missing=no_slides,
    serial=lambda args: str(args["path"]),
)
async def slides_create(
    ctx: ToolContext,
    path: Annotated[str, "The deck to write, .pptx; one that is there is replaced"],
    title: Annotated[str, "Of the deck; shown on a title slide unless the first slide is one"],
    slides: Annotated[list[Slide], "The slides, in order", Meta(min_length=1, max_length=MOST_PAGES)],
    template: Annotated[str, "A look: clear, night, warm; or a .pptx file whose design is taken"] = "clear",
) -> dict[str, Any]:
    """Write a PowerPoint deck. Text is fitted to its place, long lists and tables go on over further pages; what cannot be
    read at any size is refused by its field. Charts and tables are native: give numbers in columns and rows."""
    if not path.lower().endswith(".pptx"):
        raise ToolFailed("unsupported", f"path: {path!r} must end in .pptx")
    return await in_thread(lambda leash: _create(ctx.files, path, title, slides, template, leash))


def _create(files: Workspace, path: str, title: str, slides: list[Slide], template: str, leash: Leash) -> dict[str, Any]:
    from auteryn.tools.slides_draw import furnish
    from auteryn.tools.slides_layouts import draw

    deck = _deck(files, template)
    if slides[0].layout != "title" and title.strip():
        slides = [Slide(layout="title", title=title), *slides]
        first = -1
    else:
        first = 0
    for at, slide in enumerate(slides, first):
        leash.check()
        draw(deck, at, slide, files)
        if len(deck.file.slides) > MOST_PAGES:
            raise ToolFailed("too_large", f"slides: they make more than {MOST_PAGES} pages: leave out, or make two decks")
    furnish(deck)
    deck.file.core_properties.title = title
    deck.file.core_properties.author = "Auteryn"
    out = io.BytesIO()
    deck.file.save(out)
    leash.check()
    return {
        "path": path,
        "size_bytes": files.write(path, settled(out.getvalue())).size_bytes,
        "pages": len(deck.file.slides),
        "titles": [page.shapes.title.text_frame.text if page.shapes.title else "" for page in deck.file.slides],
    }


def _deck(files: Workspace, template: str) -> Any:
    from auteryn.tools.slides_draw import emptied
    from auteryn.tools.slides_masters import FOLDER

    if template in LOOKS:
        return emptied(str(FOLDER / f"{template}.pptx"))
    if not template.lower().endswith((".pptx", ".potx")):
        raise ToolFailed("invalid", f"template: {template!r} must be one of {', '.join(LOOKS)}, or a .pptx file")
    return opened(files, template, lambda real: emptied(str(real)))
