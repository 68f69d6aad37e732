"""Four pages on loopback, and the one tool that reads them."""

from __future__ import annotations

import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from auteryn.errors import Invalid, ToolFailed
from auteryn.tools.tool import Tool, tool

FOLDER = Path(__file__).with_name("site")
SECONDS_PER_PAGE = 1.0
"""The site answers this slowly, so that there is something under way when the demo pulls the plug."""
LARGEST_PAGE = 100_000


@contextmanager
def served(port: int = 0) -> Generator[str]:
    """The site, on a thread, as long as the block lasts; gives its address."""
    server = _Server(("127.0.0.1", port), partial(_Pages, directory=str(FOLDER)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name="demo site").start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def site_read(base: str) -> Tool:
    """The tool `site_read` for the site at `base`: it reaches this site and nothing else."""
    parts = urlsplit(base)
    if parts.scheme != "http" or parts.hostname != "127.0.0.1":
        raise Invalid("base", base, "must be an http address on 127.0.0.1")

    @tool(name="site_read", effect="read", group="demo", untrusted=True, target=lambda args: str(args["page"]))
    def read(page: Annotated[str, "File name of the page, such as 'index.html'"]) -> dict[str, Any]:
        """Read one page of the town's site about its bicycle counters, as plain text."""
        if not re.fullmatch(r"[a-z-]{1,40}\.html", page):
            raise ToolFailed("invalid", f"page: {page!r} must be a file name such as 'canal-bridge.html'")
        return {"page": page, "text": _text_of(_fetched(f"{base}/{page}"))}

    return read


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that was killed in the middle of a page is part of the play."""


class _Pages(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(SECONDS_PER_PAGE)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the terminal belongs to the demo."""


def _fetched(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=20) as answer:
            return answer.read(LARGEST_PAGE).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            raise ToolFailed("not_found", f"{url} answered {error.code}") from error
    except OSError as error:
        raise ToolFailed("unavailable", f"{url} does not answer: {error}", retryable=True) from error


def _text_of(page: str) -> str:
    reader = _Text()
    reader.feed(page)
    return re.sub(r"\s*\n\s*", "\n", "".join(reader.parts)).strip()


class _Text(HTMLParser):
    """What a person reads: paragraphs and table rows as lines, a row's cells joined by a colon."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = list[str]()
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._hidden = self._hidden or tag == "head"
        if tag in ("p", "h1", "tr", "li"):
            self.parts.append("\n")
        if tag == "td":
            self.parts.append(": ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data.replace("\n", " ") if data.strip() else "")
