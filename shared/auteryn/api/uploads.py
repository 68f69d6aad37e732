"""Files beside a request: `multipart/form-data` with one part `run`, the request as JSON, and a part `files` for each file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from auteryn.api.problems import TooLarge, WrongMedia
from auteryn.errors import Invalid

MEDIA = "multipart/form-data"
REQUEST, FILES = "run", "files"
MOST_FILES = 1_000


async def form_of(request: Request, most: int) -> tuple[bytes, dict[str, bytes]]:
    """The request's JSON, and the files by name. Raises `Invalid`, also for a form that was cut off, `TooLarge`, and
    `WrongMedia` where it is not in UTF-8: other codecs give names that are no text."""
    _, options = parse_options_header(request.headers["content-type"])
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() != b"utf-8":
        raise WrongMedia(f"a form in {charset!r} is not read here: send utf-8")
    try:
        form = await _Form(request, most).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        raise Invalid("body", None, f"cannot be read as a form: {error}") from error
    try:
        return await _read(form.multi_items())
    finally:
        await form.close()


class _Form(MultiPartParser):
    """Starlette's parser takes what it was given so far for the whole form; here its last line must have come."""

    def __init__(self, request: Request, most: int) -> None:
        super().__init__(request.headers, self._capped(request, most), max_files=MOST_FILES, max_fields=1, max_part_size=most)
        self._ended = False

    def on_end(self) -> None:
        self._ended = True

    async def _capped(self, request: Request, most: int) -> AsyncGenerator[bytes]:
        seen = 0
        async for chunk in request.stream():
            seen += len(chunk)
            if seen > most:
                raise TooLarge(f"the body has more than the {most:,} bytes that are taken here")
            yield chunk
        if not self._ended:
            raise Invalid("body", None, "ends before the form does: send it again")


async def _read(parts: list[tuple[str, Any]]) -> tuple[bytes, dict[str, bytes]]:
    said, files = b"{}", dict[str, bytes]()
    for name, part in parts:
        body = await part.read() if isinstance(part, UploadFile) else str(part).encode()
        if name == REQUEST:
            said = body
        elif name != FILES or not isinstance(part, UploadFile) or not part.filename:
            raise Invalid(
                name, body[:100].decode(errors="replace"), f"is no part of a request: those are {REQUEST} and {FILES}"
            )
        elif part.filename in files:
            raise Invalid(f"files[{part.filename!r}]", part.filename, "is given twice")
        else:
            files[part.filename] = body
    return said, files
