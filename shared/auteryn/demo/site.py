"""Four pages on loopback, and the one tool that reads them."""

from __future__ import annotations

import re
import threading
import time
import urllib.error
import urllib.request
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

from auteryn.errors import ToolFailed
from auteryn.tools.tool import Tool, tool

FOLDER = Path(__file__).with_name("site")
SECONDS_PER_PAGE = 1.0
"""The site answers this slowly, so that there is something under way when the demo pulls the plug."""
LARGEST_PAGE = 100_000


@cache
def address() -> str:
    """Where the site is: a server on a thread of this process, as long as the process lives.

    Each process that reads has its own, so that a run can go on whichever of the others was killed.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(FOLDER)))
    threading.Thread(target=server.serve_forever, daemon=True, name="demo site").start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def site_read() -> Tool:
    """The tool `site_read`: it reaches this site and nothing else."""

    @tool(name="site_read", effect="read", group="demo", untrusted=True, target=lambda args: str(args["page"]))
    def read(page: Annotated[str, "File name of the page, such as 'index.html'"]) -> dict[str, Any]:
        """Read one page of the town's site about its bicycle counters, as plain text."""
        if not re.fullmatch(r"[a-z-]{1,40}\.html", page):
            raise ToolFailed("invalid", f"page: {page!r} must be a file name such as 'canal-bridge.html'")
        return {"page": page, "text": _text_of(_fetched(f"{address()}/{page}"))}

    return read


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
