"""HTML on paper: printed by the system's Chromium, which reaches the run's own files and nothing else.

Its only way out is a proxy of ours that answers for the run's files, from the jail, and refuses everything else; it
may run no script, and as a page of the web it may not look at the machine's files. Without Chromium LibreOffice prints.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.tools.leash import Leash
from auteryn.tools.preview_process import run_to_end
from auteryn.tools.workspace import Workspace

HOST = "http://files.invalid/"
"""Under this address the page sees the run's files; its top-level domain is one that never exists (RFC 2606)."""
_POLICY = f"default-src {HOST} data:; style-src {HOST} 'unsafe-inline'; script-src 'none'; object-src 'none'; frame-src 'none'"
_STYLE = """
@page { size: A4; margin: 20mm 18mm }
body { font: 10.5pt/1.5 Arial, "Liberation Sans", sans-serif; color: #1b2a41; margin: 0 }
h1 { font-size: 21pt; line-height: 1.2; margin: 0 0 10pt } h2 { font-size: 15pt; margin: 18pt 0 6pt } h3 { font-size: 12pt; margin: 14pt 0 4pt }
h1, h2, h3 { break-after: avoid } p, li { orphans: 2; widows: 2 } img { max-width: 100%; max-height: 220mm }
table { border-collapse: collapse; margin: 8pt 0; width: 100% } thead { display: table-header-group } tr, img { break-inside: avoid }
th, td { border: 0.5pt solid #c5cede; padding: 4pt 6pt; text-align: left; vertical-align: top } th { background: #e6ecf5 }
pre { background: #f1f4f9; padding: 8pt; white-space: pre-wrap; overflow-wrap: anywhere } code { font: 9pt "Liberation Mono", monospace }
blockquote { margin: 8pt 0; padding-left: 10pt; border-left: 3pt solid #1f6feb; color: #5b6b82 } a { color: #1f6feb }
"""  # noqa: E501 - a style sheet


def html_of(markdown: str, title: str) -> str:
    """A page for paper."""
    from markdown_it import MarkdownIt

    body: str = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render(markdown)
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def printed(files: Workspace, page: str, at: str, leash: Leash) -> bytes:
    """The page as PDF. `at` is the file it came from, which its pictures are relative to."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory(prefix="auteryn-print-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        if program is None:
            from auteryn.tools.preview_office import converted

            (work / "page.html").write_text(page, encoding="utf-8")
            return converted(work / "page.html", "the page", "pdf:writer_web_pdf_Export", leash)
        with _answering(files, quote(at or "page.html"), _on_a4(page)) as (proxy, address):
            command = [
                program,
                "--headless",
                f"--print-to-pdf={work}/page.pdf",
                "--no-pdf-header-footer",
                "--generate-pdf-document-outline",
                f"--proxy-server={proxy}",
                "--proxy-bypass-list=<-loopback>",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                f"--user-data-dir={work}/profile",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                address,
            ]
            run_to_end(command, work, "Chromium", leash)
        if not (work / "page.pdf").exists():
            raise ToolFailed("unavailable", "Chromium could not print the page", retryable=True)
        return (work / "page.pdf").read_bytes()


def _on_a4(page: str) -> str:
    """A4 unless the page says otherwise, which it does further down."""
    style = "<style>@page { size: A4 }</style>"
    return (
        re.sub(r"<head[^>]*>", lambda head: head[0] + style, page, count=1, flags=re.IGNORECASE)
        if "<head" in page
        else style + page
    )


@contextmanager
def _answering(files: Workspace, name: str, page: str) -> Generator[tuple[str, str]]:
    """A proxy on this machine that knows the page and the run's files; its address and the page's."""
    first = HOST + name

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == first:
                self._send(page.encode("utf-8"), "text/html; charset=utf-8")
            elif self.path.startswith(HOST):
                self._file(unquote(self.path.removeprefix(HOST).partition("?")[0]))
            else:
                self.send_error(403)

        def _file(self, path: str) -> None:
            from auteryn.tools.deliver import media_type

            try:
                body = files.read(path, most=READ_BYTES)
            except ToolFailed:
                self.send_error(404)
            else:
                self._send(body, media_type(path))

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-security-policy", _POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", first
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
