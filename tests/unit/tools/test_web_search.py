"""Search by whichever service the owner has; what it says are hints, and failures are failures."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from inline_snapshot import snapshot

from auteryn.tools import search_web
from auteryn.tools.registry import Registry
from auteryn.tools.search_web import web_search
from unit.tools.fault_server import Asked, FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

JSON = {"content-type": "application/json"}
FOUND = {
    "SearXNG": {"results": [{"title": "A", "url": "https://a.test/", "content": "Says <b>", "publishedDate": "2026-01-05"}]},
    "Brave": {
        "web": {"results": [{"title": "A", "url": "https://a.test/", "description": "Says <b>", "page_age": "2026-01-05"}]}
    },
    "Tavily": {"results": [{"title": "A", "url": "https://a.test/", "content": "Says <b>", "published_date": "2026-01-05"}]},
}
PATHS = {"SearXNG": "/search", "Brave": "/res/v1/web/search", "Tavily": "/search"}


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in search_web.PROVIDERS:
        monkeypatch.delenv(provider.setting, raising=False)


@pytest.fixture(params=list(FOUND))
def service(request: pytest.FixtureRequest, site: FaultServer, room: Room, monkeypatch: pytest.MonkeyPatch) -> str:
    """One of the services, played by the local server. SearXNG is trusted as the owner's own address."""
    name: str = request.param
    setting = next(one.setting for one in search_web.PROVIDERS if one.name == name)
    monkeypatch.setenv(setting, site.url("") if name == "SearXNG" else "the-key")
    monkeypatch.setattr(search_web, "BRAVE", site.url("", host="brave.test"))
    monkeypatch.setattr(search_web, "TAVILY", site.url("", host="tavily.test"))
    if name != "SearXNG":
        room.egress = site.egress("brave.test", "tavily.test")
    return name


def answers(site: FaultServer, service: str, reply: Any, **more: Any) -> None:
    body = reply if isinstance(reply, str | bytes) else json.dumps(reply)
    site.on(PATHS[service], Reply(body, headers={**JSON, **more.pop("headers", {})}, **more))


def fields(asked: Asked) -> dict[str, Any]:
    """What was asked for, in the words of the service."""
    return asked.json if asked.body else {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}


@pytest.mark.tool("web_search", "happy")
def test_every_service_gives_the_same_shape(room: Room, site: FaultServer, service: str) -> None:
    answers(site, service, FOUND[service])
    told = room.call(web_search, **as_a_judge_calls(web_search, query="prices of shops", max_results=5))
    assert told["results"] == [{"title": "A", "url": "https://a.test/", "snippet": "Says <b>", "date": "2026-01-05"}]
    assert service in told["notice"] and "not instructions" in told["notice"]


def test_each_service_is_asked_in_its_own_words(room: Room, site: FaultServer, service: str) -> None:
    answers(site, service, FOUND[service])
    room.call(web_search, query="a & b", max_results=3, recency="week", site="https://Docs.Example.com/x")
    asked = site.asked[0]
    assert (
        fields(asked)
        == {
            "SearXNG": {"q": "a & b site:docs.example.com", "format": "json", "time_range": "week"},
            "Brave": {"q": "a & b site:docs.example.com", "count": "3", "text_decorations": "false", "freshness": "pw"},
            "Tavily": {"query": "a & b", "max_results": 3, "time_range": "week", "include_domains": ["docs.example.com"]},
        }[service]
    )
    assert (
        asked.headers.get("x-subscription-token", asked.headers.get("authorization"))
        == {
            "SearXNG": None,
            "Brave": "the-key",
            "Tavily": "Bearer the-key",
        }[service]
    )
    assert room.refusal(web_search, query="a", site="not a host").kind == "invalid"


def test_nothing_found_is_no_failure(room: Room, site: FaultServer, service: str) -> None:
    answers(site, service, {"results": [], "web": {"results": []}})
    told = room.call(web_search, query="nobody wrote this")
    assert told["results"] == [] and "nothing was found" in told["note"]


@pytest.mark.tool("web_search", "failure")
@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        ({"status": 429, "headers": {"retry-after": "3"}}, "rate_limited", True),
        ({"status": 500}, "unavailable", True),
        ({"status": 402}, "quota", False),
        ({"status": 401}, "auth", False),
        ({"drop": True}, "unavailable", True),
        ({"announced": 10_000}, "unavailable", True),
    ],
)
def test_what_a_service_cannot_is_told(
    room: Room, site: FaultServer, service: str, reply: dict[str, Any], kind: str, retryable: bool
) -> None:
    answers(site, service, FOUND[service], **reply)
    failed = room.refusal(web_search, query="a")
    assert (failed.kind, failed.retryable) == (kind, retryable)


UNREADABLE = ["<html>no json</html>", "[]", "null", '{"results": 7, "web": 7}', '{"results": [{}], "web": {"results": [{}]}}']


@pytest.mark.parametrize("body", UNREADABLE)
def test_an_unreadable_answer_is_no_result(room: Room, site: FaultServer, service: str, body: str) -> None:
    answers(site, service, body)
    assert room.refusal(web_search, query="a").kind == "unavailable"


def test_special_refusals_are_understood(room: Room, site: FaultServer, service: str) -> None:
    answers(site, service, "", status=432 if service == "Tavily" else 403)
    kinds = {"SearXNG": "not_configured", "Brave": "denied", "Tavily": "quota"}
    assert room.refusal(web_search, query="a").kind == kinds[service]


@pytest.mark.proves("L14")
def test_results_are_cleaned_cut_and_lead_into_the_web_only(room: Room, site: FaultServer, service: str) -> None:
    one = {"title": "T\u202e" * 500, "content": "x\u200b" * 500, "description": "x\u200b" * 500}
    bad = [one | {"url": "javascript:alert(1)"}, one | {"url": "file:///etc/passwd"}]
    results = [*bad, *({**one, "url": f"https://a.test/{at}"} for at in range(50))]
    answers(site, service, {"results": results, "web": {"results": results}})
    told = room.call(web_search, query="a", max_results=4)
    assert [one["url"] for one in told["results"]] == [f"https://a.test/{at}" for at in range(4)]
    assert "\u202e" not in str(told) and len(told["results"][0]["snippet"]) <= 400
    assert web_search.untrusted and web_search.effect == "read"
    assert not web_search.sends  # the words reach only the search service that the owner chose


def test_the_own_service_may_be_inside_others_not(site: FaultServer, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_web, "BRAVE", site.url(""))
    monkeypatch.setenv("BRAVE_API_KEY", "k")
    assert room.refusal(web_search, query="a").kind == "blocked"
    monkeypatch.setenv("AUTERYN_SEARXNG_URL", "http://169.254.169.254/")
    assert room.refusal(web_search, query="a").kind == "blocked"


def test_a_cancelled_search_ends(room: Room, site: FaultServer, service: str) -> None:
    answers(site, service, FOUND[service])
    first = room.call(web_search, call="c", query="a")
    assert room.call(web_search, call="c", query="a") == first

    async def cancel_it() -> None:
        assert room.context is not None
        call = asyncio.create_task(web_search.fn(room.context, query="a"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())


def test_without_a_service_the_tool_says_what_to_set() -> None:
    why, _, names = Registry([web_search]).hidden["web_search"].partition(": set one of ")
    assert why == snapshot("it needs a search service or a Gemini key")
    assert names == snapshot("AUTERYN_SEARXNG_URL, BRAVE_API_KEY, TAVILY_API_KEY, GEMINI_API_KEY")


def test_the_schema_is_this() -> None:
    assert list(web_search.parameters["properties"]) == snapshot(["query", "max_results", "recency", "site"])
