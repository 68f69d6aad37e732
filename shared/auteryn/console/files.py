"""The console's files, each under an address that names the content of all: a browser keeps them for ever.

They are plain ES modules that import each other by relative names, so one hash stands for the whole folder.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path

from msgspec import Struct

FOLDER = Path(__file__).parent / "static"
MEDIA = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "frame-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Of the page: nothing inline, nothing from elsewhere, nothing asked for elsewhere. `blob:` shows a published file."""


class File(Struct, frozen=True):
    media: str
    body: bytes
    packed: bytes
    """The same, gzipped."""


class Files(Struct, frozen=True):
    version: str
    """Of all files together."""
    by_name: dict[str, File]

    def address(self, name: str) -> str:
        return f"/console/{self.version}/{name}"


@functools.cache
def files() -> Files:
    """Every file of the console."""
    found: dict[str, File] = {}
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in MEDIA:
            name, body = path.relative_to(FOLDER).as_posix(), path.read_bytes()
            digest.update(b"%b\0%d\0%b" % (name.encode(), len(body), body))
            found[name] = File(MEDIA[path.suffix], body, gzip.compress(body, mtime=0))
    return Files(digest.hexdigest(), found)


@functools.cache
def page() -> bytes:
    """The one page. It holds nothing of any run: what is shown in it, it asks for."""
    known = files()
    scripts = [name for name in known.by_name if name.endswith(".js")]
    styles = [name for name in known.by_name if name.endswith(".css")]
    head = [
        *(f'<link rel="stylesheet" href="{known.address(name)}">' for name in styles),
        *(f'<link rel="modulepreload" href="{known.address(name)}">' for name in scripts),
        f'<script type="module" src="{known.address("app.js")}"></script>',
        f'<link rel="icon" href="{known.address("icon.svg")}">',
    ]
    return _PAGE.format(head="\n".join(head)).encode()


_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Auteryn</title>
{head}
</head>
<body>
<div id="app">
<header class="top"><a class="brand" href="/">Auteryn</a></header>
<main class="empty" aria-busy="true"></main>
</div>
<noscript><p class="plain">This page needs JavaScript. The same as plain text: <a href="/runs.txt">runs</a>.</p></noscript>
</body>
</html>
"""
