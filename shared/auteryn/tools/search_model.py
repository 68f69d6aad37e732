"""Web search by the model itself, in a request of its own: what it found, with the pages it rests on.

The model names pages by redirects that end after some days, and by their host alone. Each is followed to where it leads,
through the guard and without fetching the page. What the model says without a page to it is left out.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from auteryn.errors import ModelRefused, RateLimited, ToolFailed, Unavailable
from auteryn.ports.model import ModelRequest
from auteryn.schema.message import Reply, Source
from auteryn.tools.egress import readable
from auteryn.tools.tool import ToolContext

NAME = "Google, asked by the model"
REDIRECTS = "vertexaisearch.cloud.google.com"
FOLLOW_TIME = timedelta(seconds=10)
SUMMARY_CHARACTERS = 2_000
THINKING_TOKENS = 1_024
_SYSTEM = (
    "You are a search engine. Search the web for what is asked, whatever you know yourself, with as few searches as will do. "
    "Then report what the pages say: facts, names, figures and dates, one short sentence for each, no advice and no opinion."
)
_REFUSED = {"safety": "denied", "blocked": "denied", "no_key": "auth", "no_model": "unavailable"}


async def found_by_model(ctx: ToolContext, query: str, most: int, since: str, site: str) -> dict[str, Any]:
    """`results` as of any search service, a `summary` that rests on them and what was `searched`.

    Raises `ToolFailed` (`rate_limited`, `quota`, `unavailable`, `denied`, `auth`, `unsupported`).
    """
    reply = await _asked(ctx, query, since, site)
    pages = reply.sources[: most * 2 if site else most]
    urls = await asyncio.gather(*(_where(ctx, one.url) for one in pages))
    results = dict[str, dict[str, Any]]()
    for one, url in zip(pages, urls, strict=True):
        if url and (not site or _below(url, site)):
            known = results.setdefault(url, {"title": one.title, "url": url, "snippet": ""})
            known["snippet"] = " ".join(filter(None, (known["snippet"], *one.says)))
    found = list(results.values())[:most]
    told: dict[str, Any] = {"results": found, "searched": list(reply.searched)[:10]}
    return told | ({"summary": _borne_out(reply, urls, {one["url"] for one in found})} if found else {})


async def _asked(ctx: ToolContext, query: str, since: str, site: str) -> Reply:
    wanted = [f"Search the web for: {query}"]
    wanted += [f"Only pages of the site {site}: search with site:{site}."] if site else []
    wanted += [f"Only what was published since {since}: search with after:{since}."] if since else []
    request = ModelRequest(
        role="fast",
        system=_SYSTEM,
        contents=[{"role": "user", "parts": [{"text": "\n".join(wanted)}]}],
        google_search=True,
        thinking_tokens=THINKING_TOKENS,
    )
    try:
        reply = await ctx.consult(request)
    except RateLimited as error:
        kind = "quota" if error.per_day else "rate_limited"
        raise ToolFailed(kind, f"the model: {error}", retryable=not error.per_day, retry_after=error.retry_after) from error
    except Unavailable as error:
        raise ToolFailed("unavailable", f"the model: {error}", retryable=True, retry_after=error.retry_after) from error
    except ModelRefused as error:
        raise ToolFailed(_REFUSED.get(error.reason, "unsupported"), f"the model does not search: {error}") from error
    if reply.finish == "safety":
        raise ToolFailed("denied", f"the model does not search for this: {reply.finish_detail}")
    return reply


async def _where(ctx: ToolContext, url: str) -> str:
    """The page's own address; the redirect where it cannot be followed now; empty if it is no address of the web."""
    try:
        if readable(url).host != REDIRECTS:
            return url
        async with ctx.egress.open("GET", url, most_bytes=1, total=FOLLOW_TIME, follow=False) as answer:
            onward = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
    except ToolFailed as error:
        return "" if error.kind == "blocked" and REDIRECTS not in url else url
    try:
        return str(readable(onward)) if onward else url
    except ToolFailed:
        return ""


def _below(url: str, site: str) -> bool:
    host = readable(url).host
    return host == site or host.endswith(f".{site}")


def _borne_out(reply: Reply, urls: list[str], kept: set[str]) -> str:
    """What the model said, as far as a page that is told bears it out, in its own order."""

    def place(one: str) -> int:
        return reply.text.find(one)

    pages: list[Source] = [one for one, url in zip(reply.sources, urls, strict=False) if url in kept]
    said = dict.fromkeys(piece for one in pages for piece in one.says)
    return "\n".join(sorted(said, key=place))[:SUMMARY_CHARACTERS]
