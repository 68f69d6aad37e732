"""Pages of the web, word for word. What failed is a typed failure, never text that looks like a page."""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import FILE_BYTES
from auteryn.schema.record import Record
from auteryn.tools.egress import Answer, readable
from auteryn.tools.needs import no_web
from auteryn.tools.refusals import refusal
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import cleaned, framed
from auteryn.tools.web_text import Text, decoded, page_text

Mode = Literal["article", "full", "raw"]

PAGE_BYTES = 8 << 20
"""Of a page that is turned into text."""
PART = 206
"""The status of an answer that is a piece of the page."""
SAVE_TIME = timedelta(seconds=120)
_TEXTUAL = re.compile(
    r"text/.*|application/(json|xml|javascript|yaml|x-yaml|x-ndjson|jsonl|sql|toml|graphql|rtf)|.*\+(json|xml|yaml)"
)
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
_HTML = ("text/html", "application/xhtml+xml")
_NAMED_BY = re.compile(r"[^a-z0-9]+")


class Page(Record):
    """What an address gave."""

    url: str
    """Where it came from in the end."""
    status: int
    media_type: str
    text: str
    """Decoded, as it came."""
    redirects: tuple[str, ...] = ()

    @property
    def html(self) -> bool:
        return self.media_type in _HTML


def host_of(url: str) -> str:
    """The host of an address, for approvals; of an unreadable one what it begins with."""
    try:
        return readable(url).host
    except ToolFailed:
        return url[:100]


@tool(
    effect="idempotent",
    group="web",
    missing=no_web,
    untrusted=True,
    sends=True,
    timeout=timedelta(seconds=150),
    address=lambda args: str(args["url"]),
    target=lambda args: host_of(str(args["url"])),
    serial=lambda args: "page" if args.get("render") else str(args["save_as"]) if args.get("save_as") else None,
)
async def web_fetch(
    ctx: ToolContext,
    url: Annotated[str, "http:// or https:// address", Meta(min_length=1)],
    mode: Annotated[Mode, "article: the main text; full: everything a reader sees; raw: as the server sent it"] = "article",
    save_as: Annotated[str | None, "Also write it to this file; needed for PDFs, images and other files"] = None,
    max_chars: Annotated[int, "Most characters in the answer", Meta(ge=200, le=100_000)] = 6_000,
    render: Annotated[bool, "Let a browser run the page's scripts first: for pages that are empty without them"] = False,
) -> dict[str, Any]:
    """Read a web page: its text word for word, whether it is complete, status and final address. Long pages go to a file, too.
    save_as downloads files."""
    if render:
        return await _told(ctx, await rendered(ctx, url), mode, save_as, max_chars)
    most = FILE_BYTES if save_as else PAGE_BYTES
    async with ctx.egress.open("GET", url, most_bytes=most, total=SAVE_TIME if save_as else timedelta(seconds=40)) as answer:
        if failed := refusal(answer.status, answer.headers, str(answer.url), ctx.clock.now()):
            raise failed
        if save_as and (mode == "raw" or not textual(answer)):
            return await _downloaded(ctx, answer, save_as)
        page = await page_of(answer)
    return await _told(ctx, page, mode, save_as, max_chars)


async def page(ctx: ToolContext, url: str) -> Page:
    """The page at an address; raises `ToolFailed` for whatever is none."""
    async with ctx.egress.open("GET", url, most_bytes=PAGE_BYTES) as answer:
        if failed := refusal(answer.status, answer.headers, str(answer.url), ctx.clock.now()):
            raise failed
        return await page_of(answer)


async def rendered(ctx: ToolContext, url: str) -> Page:
    """The page after its scripts have run in the slice's browser."""
    from auteryn.tools.browser_session import browser_of
    from auteryn.tools.needs import no_browser

    if why := no_browser():
        raise ToolFailed("missing_extra", f"render: {why}")
    session = await browser_of(ctx)
    async with session.aside(ctx, url) as (page, status):
        return Page(url=page.url, status=status, media_type="text/html", text=await page.content())


async def text_of(page: Page, mode: str) -> Text:
    """What the page says, without blocking others while it is read."""
    if page.html and mode != "raw":
        return await asyncio.to_thread(page_text, page.text, page.url, mode)
    return Text(title="", mode="raw", text=page.text)


def textual(answer: Answer) -> bool:
    """Whether the answer says that it is text; one that says nothing is taken for a page."""
    kind = media_type(answer)
    return not kind or bool(_TEXTUAL.fullmatch(kind))


def media_type(answer: Answer) -> str:
    return re.split("[;,]", answer.headers.get("content-type", ""), maxsplit=1)[0].strip().lower()


# ---- reading -----------------------------------------------------------------------------------------------------


async def page_of(answer: Answer) -> Page:
    """The page an answer brings; raises `ToolFailed` for what is no text."""
    kind = media_type(answer)
    if not textual(answer):
        raise ToolFailed("unsupported", f"{str(answer.url)!r} is {kind}, not text: give save_as to download it")
    body = bytearray()
    async for chunk in answer.chunks:
        body += chunk
        if len(body) > PAGE_BYTES:
            raise ToolFailed(
                "too_large", f"the page is larger than {PAGE_BYTES:,} bytes: download it with mode raw and save_as"
            )
    if body.startswith(b"%PDF-") or (b"\0" in body[:1_024] and not body.startswith((b"\xff\xfe", b"\xfe\xff"))):
        raise ToolFailed("unsupported", f"{str(answer.url)!r} is no text, whatever it says: give save_as to download it")
    said = answer.headers.get("content-type", "")
    if not kind:
        kind = "text/html" if b"<html" in body[:1_024].lower() or b"<!doctype html" in body[:1_024].lower() else "text/plain"
    elif kind == "text/plain" and _PAGE.match(body) and answer.headers.get("x-content-type-options", "").lower() != "nosniff":
        kind = "text/html"  # a server that says otherwise by mistake; one that means it says so
    text = await asyncio.to_thread(decoded, bytes(body), said)
    return Page(url=str(answer.url), status=answer.status, media_type=kind, text=text, redirects=answer.redirects)


async def _downloaded(ctx: ToolContext, answer: Answer, path: str) -> dict[str, Any]:
    size, sha256 = 0, hashlib.sha256()
    with ctx.files.path_to_write(path) as to, to.open("wb") as file:
        async for chunk in answer.chunks:
            size += len(chunk)
            sha256.update(chunk)
            file.write(chunk)
    told = {"url": str(answer.url), "status": answer.status, "content_type": media_type(answer), "saved_as": path}
    return told | {"complete": True, "size_bytes": size, "sha256": sha256.hexdigest()}


async def _told(ctx: ToolContext, page: Page, mode: str, save_as: str | None, max_chars: int) -> dict[str, Any]:
    found = await text_of(page, mode)
    text = cleaned(found.text)
    complete = len(text) <= max_chars and page.status != PART
    told: dict[str, Any] = {
        "url": page.url,
        "status": page.status,
        "title": cleaned(found.title)[:300],
        "mode": found.mode,
        "content_type": page.media_type,
        "complete": complete,
        "chars_total": len(text),
    }
    if save_as or not complete:
        told["saved_as"] = save_as or f"web/{file_name(page.url)}.md"
        ctx.files.write(told["saved_as"], framed(text, page.url).encode("utf-8", "replace"))
    notes = [found.note] if found.note else []
    if page.status == PART:
        notes.append("the server sent a part of it, though the whole was asked for")
    if len(text) > max_chars:
        notes.append(f"cut after {max_chars:,} characters: the whole is in the file, for file_read and file_grep")
    if hidden := len(found.text) - len(text):
        notes.append(f"{hidden} hidden characters were removed")
    told |= {"notes": notes} if notes else {}
    told |= {"redirected_from": list(page.redirects)} if page.redirects else {}
    return told | {"text": framed(text[:max_chars], page.url)}


def file_name(url: str) -> str:
    """A name that says where a page is from, different for every address."""
    words = _NAMED_BY.sub("-", url.partition("://")[2].lower()).strip("-")
    return f"{words[:60].strip('-')}-{hashlib.blake2b(url.encode(), digest_size=4).hexdigest()}"
