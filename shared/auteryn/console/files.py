"""The console's files, each under an address that names the content of all: a browser keeps them for ever.

They are plain ES modules that import each other by relative names, so one hash stands for the whole folder.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from html import escape
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

PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a page without scripts."""
WRONG = {
    401: ("Sign in first", "This is for somebody who is signed in."),
    403: ("This is not yours to see", "It belongs to somebody else."),
    404: ("There is no such page", "The address is mistyped, or what it led to is gone."),
    429: ("One moment: too many requests", "Load the page again in a few seconds."),
    500: ("Something went wrong here", "Load the page again; the server's log says what it was."),
}


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
    head = [
        *_looks(known),
        *(f'<link rel="modulepreload" href="{known.address(name)}">' for name in scripts),
        f'<script type="module" src="{known.address("app.js")}"></script>',
    ]
    return _PAGE.format(head="\n".join(head), title="Auteryn", brand=_BRAND, main=_EMPTY, after=_PLAIN).encode()


def plain_page(title: str, main: str) -> bytes:
    """A page without scripts that says something or holds a form. `main` is HTML, the title is text."""
    head = "\n".join(_looks(files()))
    return _PAGE.format(head=head, title=escape(title), brand=_BRAND, main=f"<main>{main}</main>", after="").encode()


def refused_page(status: int) -> bytes:
    """What a person sees where there is nothing to show. It repeats nothing of what was asked for."""
    title, sentence = WRONG.get(status) or WRONG[500 if status >= 500 else 404]
    said = f'<h1>{title}</h1><p>{sentence}</p><a class="button" href="/">All runs</a>'
    return plain_page(f"{title} · Auteryn", f'<section class="empty">{said}</section>')


def _looks(known: Files) -> list[str]:
    styles = [name for name in known.by_name if name.endswith(".css")]
    sheets = [f'<link rel="stylesheet" href="{known.address(name)}">' for name in styles]
    return [*sheets, f'<link rel="icon" href="{known.address("icon.svg")}">']


_BRAND = """\
<svg viewBox="0 0 24 24" aria-hidden="true">\
<path d="M12 3L3.5 20h4L12 10.5 16.5 20h4z"/><circle cx="12" cy="18.2" r="1.9"/></svg>"""
"""As `app.js` draws it: nothing moves when that takes over."""
_EMPTY = '<main class="empty" aria-busy="true"></main>'
_PLAIN = """\
<noscript><p class="plain">This page needs JavaScript. The same as plain text: <a href="/runs.txt">runs</a>.</p></noscript>"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{head}
</head>
<body>
<div id="app">
<header class="top"><a class="brand" href="/">{brand}Auteryn</a></header>
{main}
</div>
{after}
</body>
</html>
"""
