"""Pictures of the run, shown to the model. Never larger than memory allows, never larger than the model can see."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.schema.message import Image
from auteryn.tools.leash import in_thread
from auteryn.tools.needs import no_pictures
from auteryn.tools.tool import Result, ToolContext, tool
from auteryn.tools.untrusted import notice
from auteryn.tools.workspace import Workspace

MOST_PIXELS = 50_000_000
"""A file of kilobytes can claim gigabytes of pixels."""
LONG_SIDE = 1_600
"""Pixels of what the model is shown: it sees no more in more."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


@tool(effect="read", group="office", reads_files=True, untrusted=True, missing=no_pictures)
async def image_view(
    ctx: ToolContext,
    paths: Annotated[list[str], "Picture files", Meta(min_length=1, max_length=8)],
    question: Annotated[str, "What to look for"] = "",
) -> Result:
    """Look at pictures: png, jpeg, gif, webp, bmp, tiff. They are shown with the answer."""
    seen, images = list[dict[str, Any]](), list[Image]()
    for path in paths:
        body, about = await in_thread(lambda leash, path=path: _shown(ctx.files, path))
        seen.append({"path": path, **about})
        images.append(Image(sha256=await ctx.blobs.put(body), media_type="image/png", name=path))
    asked = {"question": question} if question else {}
    return Result(output={**asked, "pictures": seen, "note": notice(", ".join(paths))}, images=tuple(images))


def _shown(files: Workspace, path: str) -> tuple[bytes, dict[str, Any]]:
    from PIL import ImageOps

    with opened_image(files.read(path, most=READ_BYTES), path) as picture:
        about = {"width": picture.width, "height": picture.height, "format": picture.format.lower()}
        turned: Any = ImageOps.exif_transpose(picture)
        turned = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
        turned.thumbnail((LONG_SIDE, LONG_SIDE))
        out = io.BytesIO()
        turned.save(out, "PNG")
    return out.getvalue(), about


@contextmanager
def opened_image(body: bytes, shown: str) -> Generator[Any]:
    """The picture in `body`; raises `ToolFailed` for what is none or is too large to hold."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(body), formats=FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ToolFailed("unsupported", f"{shown!r} is no picture that can be read ({', '.join(FORMATS).lower()})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many(shown) from error
    with picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise _too_many(shown)
        try:
            picture.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise ToolFailed("unsupported", f"{shown!r} is a picture that breaks off or is damaged: {error}") from error
        yield picture


def _too_many(shown: str) -> ToolFailed:
    return ToolFailed("too_large", f"{shown!r} has more than {MOST_PIXELS:,} pixels")
