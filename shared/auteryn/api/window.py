"""Routes of the console: its page and files, and what the server renders for it."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import Response

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.call import Call
from auteryn.api.problems import problem
from auteryn.console.files import PLAIN_POLICY, POLICY, files, page, refused_page
from auteryn.console.preview import Preview, preview
from auteryn.console.prose import html_of
from auteryn.console.text import list_text, run_text
from auteryn.errors import AuterynError, NotFound

FOR_EVER = "public, max-age=31536000, immutable"
LISTED, LATEST = 200, 100
"""Runs in the list as text; journal entries whose log lines a run's text ends with."""


def refused(request: Request, error: AuterynError) -> Response:
    """A problem document; where a browser asked for a page of the console's, a page."""
    found = problem(error)
    wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
    if not wants_page or request.url.path.startswith(("/v1", "/mcp")):
        return found
    kept = {name: value for name, value in found.headers.items() if not name.startswith("content-")}
    kept["Content-Security-Policy"] = PLAIN_POLICY
    return Response(refused_page(error.http_status), error.http_status, kept, media_type="text/html")


async def console_page(call: Call[b.PlaceQuery, None]) -> Response:
    """The console. It is the same page for everybody, and shows what its reader may see."""
    return Response(page(), 200, {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}, media_type="text/html")


async def console_file(call: Call[b.Empty, None]) -> Response:
    """A file of the console. Its address changes with its content."""
    known, name = files(), call.path["name"]
    if name not in known.by_name or not hmac.compare_digest(call.path["version"].encode(), known.version.encode()):
        raise NotFound(f"this console has no file {name!r} of that version: load the page again")
    found = known.by_name[name]
    headers = {"Cache-Control": FOR_EVER, "Content-Type": found.media, "Vary": "Accept-Encoding"}
    if "gzip" in call.request.headers.get("accept-encoding", ""):
        return Response(found.packed, 200, {**headers, "Content-Encoding": "gzip"})
    return Response(found.body, 200, headers)


async def render_prose(call: Call[b.Empty, b.ProseBody]) -> v.Prose:
    """Texts in Markdown as HTML without tags, images or addresses of their own."""
    return v.Prose(html=tuple(map(html_of, call.body.texts)))


async def preview_artifact(call: Call[b.Empty, None]) -> Preview:
    """The beginning of a published file: rows of a table, text, rendered Markdown, or how its bytes may be shown."""
    from auteryn.tools.leash import in_thread

    found = await call.desk.published(call.path["run"], call.path["path"])
    body = await call.desk.artifact(call.path["run"], found.id)
    return await in_thread(lambda leash: preview(found, body, leash))


async def list_as_text(call: Call[b.Empty, None]) -> Response:
    """The owner's newest runs as plain text."""
    page = await call.desk.runs(limit=LISTED)
    return _text(list_text(page.runs, call.now))


async def run_as_text(call: Call[b.Empty, None]) -> Response:
    """One run as plain text."""
    run = await call.desk.get(call.path["run"])
    lines = await call.desk.logs(run.id, after=max(0, run.seq - LATEST))
    return _text(run_text(run, lines, call.now))


def _text(text: str) -> Response:
    return Response(
        text, 200, {"Cache-Control": "private, no-cache", "Content-Security-Policy": "sandbox"}, media_type="text/plain"
    )
