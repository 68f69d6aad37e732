"""Published files: whole or in part, named by their hash, and inert whatever they hold."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from auteryn.api.problems import OutOfRange
from auteryn.schema.run import Artifact

INERT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""What a model wrote runs no script and loads nothing, also where a browser shows it; only the console frames it."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def download(request: Request, artifact: Artifact, body: bytes, *, inline: bool) -> Response:
    """200, 206 for one range, 304 for whoever has it already; raises `OutOfRange`."""
    etag = f'"{artifact.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": INERT,
        "X-Frame-Options": "SAMEORIGIN",
        "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{_name(artifact.path)}",
        "Content-Type": _media(artifact.media_type),
    }
    if etag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(None, 304, headers)
    part = _part(request, etag, len(body))
    if part is None:
        return Response(body, 200, headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(body)}"
    return Response(body[part.start : part.stop], 206, headers)


def _part(request: Request, etag: str, size: int) -> range | None:
    """The one range that is asked for; None for the whole: no range, several, one we cannot read, or of another version."""
    wanted = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if wanted is None or wanted[1] == wanted[2] == "" or request.headers.get("if-range", etag) != etag:
        return None
    if wanted[1]:
        start, stop = int(wanted[1]), int(wanted[2] or size) + 1
        if wanted[2] and stop <= start:
            return None
    else:
        start, stop = max(0, size - int(wanted[2])), size
    if start >= size or stop == start:
        raise OutOfRange(f"Range {wanted[0]!r} is outside of the file, which has {size} bytes", size)
    return range(start, min(stop, size))


def _name(path: str) -> str:
    return quote(path.rsplit("/", 1)[-1], safe="")


def _media(media_type: str) -> str:
    """A header holds one line of ASCII; what is none is just bytes."""
    plain = re.fullmatch(r"[\w.+-]+/[\w.+-]+(?:; ?charset=[\w-]+)?", media_type, re.ASCII)
    if not plain:
        return "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") and "charset" not in media_type else media_type
