"""Web search by whichever provider the owner has: a SearXNG of their own, Brave or Tavily by key, else the model itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, cast
from urllib.parse import quote, urlencode

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.egress import readable
from auteryn.tools.needs import BRAVE_KEY, SEARXNG_URL, TAVILY_KEY, no_search
from auteryn.tools.refusals import refusal
from auteryn.tools.search_model import NAME, found_by_model
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, notice

Recency = Literal["any", "day", "week", "month", "year"]
_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}

BRAVE = "https://api.search.brave.com"
TAVILY = "https://api.tavily.com"
ANSWER_BYTES = 4 << 20
SNIPPET_CHARACTERS = 400


class Provider(Record):
    """How to ask one search service."""

    name: str
    setting: str
    """The environment variable that switches it on: an address or a key."""
    asked: Callable[[str, _Query], _Asked]
    found: Callable[[Any], list[dict[str, Any]]]
    trusted: bool = False
    """The setting is an address of the owner's, maybe in a private network."""


class _Query(Record):
    text: str
    most: int
    recency: Recency
    site: str

    @property
    def with_site(self) -> str:
        return f"{self.text} site:{self.site}" if self.site else self.text


class _Asked(Record):
    url: str
    method: str = "GET"
    headers: dict[str, str] = {}
    body: bytes = b""


def searcher(*, model_searches: bool) -> str:
    """Who is asked, in words; empty if there is nobody."""
    if (provider := _provider()) is not None:
        return f"{provider.name} ({provider.setting})"
    return f"{NAME}, at the price of its searches" if model_searches else ""


@tool(effect="read", group="web", missing=no_search, untrusted=True, cost=2_000, timeout=timedelta(seconds=120))
async def web_search(
    ctx: ToolContext,
    query: Annotated[str, "What to look for", Meta(min_length=1, max_length=400)],
    max_results: Annotated[int, "Most results", Meta(ge=1, le=20)] = 8,
    recency: Annotated[Recency, "How old pages may be"] = "any",
    site: Annotated[str, "Only pages of this host, e.g. `example.com`"] = "",
) -> dict[str, Any]:
    """Search the web for facts, news, people, companies: titles, addresses, snippets, dates. Snippets are hints only: web_fetch
    reads the pages."""
    provider, wanted = _provider(), _Query(text=query, most=max_results, recency=recency, site=_site(site))
    found = await (_found_by(ctx, provider, wanted) if provider else _found_by_model(ctx, wanted))
    results = [_result(one) for one in found["results"] if one["url"].startswith(("http://", "https://"))][:max_results]
    asked = {"notice": notice(f"a web search by {provider.name if provider else NAME}"), "query": query}
    nothing = {} if results else {"note": "nothing was found: try other or fewer words"}
    return all_cleaned({**asked, **found, "results": results, **nothing})


def _provider() -> Provider | None:
    return next((one for one in PROVIDERS if os.environ.get(one.setting)), None)


def _site(site: str) -> str:
    """A bare host, so that nothing else gets into the query."""
    if not site:
        return ""
    try:
        return readable(site if "://" in site else f"https://{site}").host
    except ToolFailed as error:
        raise ToolFailed("invalid", f"site: {site!r} must be a host such as example.com") from error


async def _found_by_model(ctx: ToolContext, wanted: _Query) -> dict[str, Any]:
    days = _DAYS.get(wanted.recency)
    since = f"{ctx.clock.now() - timedelta(days=days):%Y-%m-%d}" if days else ""
    return await found_by_model(ctx, wanted.text, wanted.most, since, wanted.site)


async def _found_by(ctx: ToolContext, provider: Provider, wanted: _Query) -> dict[str, Any]:
    raw = await _answered(ctx, provider, wanted)
    try:
        return {"results": [{**one, "url": str(one["url"])} for one in provider.found(json.loads(raw))]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolFailed("unavailable", f"{provider.name} answered what cannot be read: {error}", retryable=True) from error


async def _answered(ctx: ToolContext, provider: Provider, wanted: _Query) -> bytes:
    setting = os.environ[provider.setting]
    asked = provider.asked(setting, wanted)
    egress = ctx.egress.trusting(asked.url) if provider.trusted else ctx.egress
    headers = {"accept": "application/json", **asked.headers}
    async with egress.open(asked.method, asked.url, headers=headers, body=asked.body, most_bytes=ANSWER_BYTES) as answer:
        failed = refusal(answer.status, answer.headers, provider.name, ctx.clock.now())
        if failed is None:
            return await answer.body()
    if answer.status in (432, 433):  # Tavily's own: the plan's or the key's limit
        raise ToolFailed("quota", f"{provider.name} answered {answer.status}: the plan is used up")
    if answer.status == 403 and provider.trusted:
        raise ToolFailed("not_configured", f"{provider.name} answered 403: its settings must allow the format json")
    raise failed


def _result(one: dict[str, Any]) -> dict[str, Any]:
    found = {
        "title": str(one.get("title") or "")[:300],
        "url": str(one["url"]),
        "snippet": str(one.get("snippet") or "")[:SNIPPET_CHARACTERS],
    }
    return found | ({"date": str(one["date"])[:40]} if one.get("date") else {})


# ---- providers ---------------------------------------------------------------------------------------------------

_BRAVE_AGE = {"day": "pd", "week": "pw", "month": "pm", "year": "py"}


def _ask_searxng(setting: str, wanted: _Query) -> _Asked:
    fields = {"q": wanted.with_site, "format": "json"} | ({} if wanted.recency == "any" else {"time_range": wanted.recency})
    return _Asked(url=f"{setting.rstrip('/')}/search?{urlencode(fields, quote_via=quote)}")


def _ask_brave(setting: str, wanted: _Query) -> _Asked:
    fields: dict[str, Any] = {"q": wanted.with_site, "count": wanted.most, "text_decorations": "false"}
    fields |= {} if wanted.recency == "any" else {"freshness": _BRAVE_AGE[wanted.recency]}
    url = f"{BRAVE}/res/v1/web/search?{urlencode(fields, quote_via=quote)}"
    return _Asked(url=url, headers={"x-subscription-token": setting})


def _ask_tavily(setting: str, wanted: _Query) -> _Asked:
    fields: dict[str, Any] = {"query": wanted.text, "max_results": wanted.most}
    fields |= {} if wanted.recency == "any" else {"time_range": wanted.recency}
    fields |= {"include_domains": [wanted.site]} if wanted.site else {}
    headers = {"authorization": f"Bearer {setting}", "content-type": "application/json"}
    return _Asked(url=f"{TAVILY}/search", method="POST", headers=headers, body=json.dumps(fields).encode())


def _renamed(items: list[Mapping[str, Any]], snippet: str, date: str) -> list[dict[str, Any]]:
    return [{**one, "snippet": one.get(snippet), "date": one.get(date)} for one in items]


def _found_brave(body: Any) -> list[dict[str, Any]]:
    web = cast("dict[str, Any]", body.get("web") or {})
    return _renamed(web.get("results", []), "description", "page_age")


PROVIDERS = (
    Provider(
        name="SearXNG",
        setting=SEARXNG_URL,
        asked=_ask_searxng,
        found=lambda body: _renamed(body["results"], "content", "publishedDate"),
        trusted=True,
    ),
    Provider(name="Brave", setting=BRAVE_KEY, asked=_ask_brave, found=_found_brave),
    Provider(
        name="Tavily",
        setting=TAVILY_KEY,
        asked=_ask_tavily,
        found=lambda body: _renamed(body["results"], "content", "published_date"),
    ),
)
