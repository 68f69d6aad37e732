"""Pictures, as a library opens them: never larger than memory allows."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from auteryn.errors import ToolFailed

MOST_PIXELS = 50_000_000
"""A file of kilobytes can claim gigabytes of pixels."""
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


@contextmanager
def opened_image(body: bytes, shown: str) -> Generator[Any]:
    """The picture in `body`; raises `ToolFailed` for what is none or is too large to hold."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(body), formats=FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ToolFailed("unsupported", f"{shown!r} is no picture that can be read ({', '.join(FORMATS).lower()})") from error
    with picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise ToolFailed("too_large", f"{shown!r}: {width:,} x {height:,} pixels are more than {MOST_PIXELS:,}")
        try:
            picture.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise ToolFailed("unsupported", f"{shown!r} is a picture that breaks off or is damaged: {error}") from error
        yield picture
