"""News feeds: RSS and Atom, also slightly broken ones."""

from __future__ import annotations

import asyncio
import calendar
import io
import re
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record, utc
from auteryn.tools.needs import no_web
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, notice
from auteryn.tools.web import Page, host_of, page
from auteryn.tools.web_text import full_text

SUMMARY_CHARACTERS = 600
READ_CHARACTERS = 1_000_000
"""Of a feed, which begins with what is new: its reader needs a second for 120,000."""
NESTED = 1_000
"""Elements within elements: its reader needs time by the square of that."""
_APART = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<(/?)[A-Za-z_][^<>]*?(/?)>")


class _Feed(Record):
    title: str
    entries: list[dict[str, Any]]
    broken: str = ""


@tool(
    effect="read",
    group="web",
    missing=no_web,
    untrusted=True,
    sends=True,
    address=lambda args: str(args["url"]),
    target=lambda args: host_of(str(args["url"])),
)
async def feed_read(
    ctx: ToolContext,
    url: Annotated[str, "Address of a feed, or of a page that names one", Meta(min_length=1)],
    since: Annotated[str | None, "Only entries from this date or time on, e.g. `2026-03-01`"] = None,
    limit: Annotated[int, "Most entries", Meta(ge=1, le=200)] = 20,
) -> dict[str, Any]:
    """Read an RSS or Atom feed: title, address, date and summary of its entries. Entries without a date are always in."""
    start = _moment(since) if since else None
    found = await page(ctx, url)
    if found.html:
        found = await page(ctx, _named_in(found))
    feed = await asyncio.to_thread(_parsed, found)
    fresh = [one for one in feed.entries if start is None or one["published_at"] is None or _at(one) >= start]
    told: dict[str, Any] = {"notice": notice(found.url), "url": found.url, "title": feed.title, "total": len(fresh)}
    told |= {"note": feed.broken} if feed.broken else {}
    return all_cleaned(told | {"entries": fresh[:limit]})


def _moment(text: str) -> datetime:
    try:
        return utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise ToolFailed(
            "invalid", f"since: {text!r} must be a date or time such as 2026-03-01 or 2026-03-01T09:00Z"
        ) from error


def _at(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["published_at"])


def _named_in(found: Page) -> str:
    """The feed a page points to."""
    from selectolax.lexbor import LexborHTMLParser

    head = LexborHTMLParser(found.text[:200_000])
    for kind in ("application/rss+xml", "application/atom+xml"):
        node = head.css_first(f'link[type="{kind}"][href]')
        if node is not None:
            return str(_joined(found.url, node.attributes.get("href") or ""))
    raise ToolFailed("unsupported", f"{found.url!r} is a page that names no feed: web_fetch reads it")


def _joined(url: str, to: str) -> str:
    from urllib.parse import urljoin

    return urljoin(url, to)


def _parsed(found: Page) -> _Feed:
    import feedparser

    text = found.text[:READ_CHARACTERS]
    _refuse_nested(text, found.url)
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": found.url}  # it was decoded by us
    read = cast("dict[str, Any]", feedparser.parse(io.BytesIO(text.encode("utf-8", "replace")), response_headers=headers))
    if not read.get("version") and not read["entries"]:
        raise ToolFailed("unsupported", f"{found.url!r} is no RSS or Atom feed")
    broken = f"the feed is broken ({read.get('bozo_exception')}): entries may be missing" if read["bozo"] else ""
    if len(found.text) > READ_CHARACTERS:
        broken = f"only the first {READ_CHARACTERS:,} of {len(found.text):,} characters were read"
    entries = [_entry(one) for one in read["entries"]]
    return _Feed(title=str(read["feed"].get("title", "")), entries=entries, broken=broken)


def _refuse_nested(text: str, url: str) -> None:
    depth = 0
    for end, empty in _TAG.findall(_APART.sub("", text)):
        depth += -1 if end else not empty
        if depth > NESTED:
            raise ToolFailed("unsupported", f"{url!r} nests more than {NESTED:,} elements into each other: that is no feed")


def _entry(one: Any) -> dict[str, Any]:
    when = one.get("published_parsed") or one.get("updated_parsed")
    published_at = None
    if when and when.tm_year > 0:  # a date of nothing but zeros is none
        published_at = datetime.fromtimestamp(calendar.timegm(when), UTC).isoformat()
    said = one.get("summary") or next((part.get("value", "") for part in one.get("content", [])), "")
    return {
        "title": _plain(str(one.get("title", ""))),
        "url": str(one.get("link", "")),
        "published_at": published_at,
        "summary": _plain(str(said))[:SUMMARY_CHARACTERS],
    }


def _plain(html: str) -> str:
    """The words of a snippet of HTML."""
    from selectolax.lexbor import LexborHTMLParser

    return " ".join(full_text(LexborHTMLParser(html[:20_000]), "").split()) if "<" in html or "&" in html else html.strip()
