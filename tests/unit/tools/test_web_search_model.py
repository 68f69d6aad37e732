"""Search by the model itself: real answers of Gemini, whose redirects lead to a server of ours; and what it cannot do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auteryn.adapters.gcp.model import DEFAULT_MODEL, GeminiModel
from auteryn.tools import search_model, search_web
from auteryn.tools.catalogue import listed
from auteryn.tools.registry import Registry
from auteryn.tools.search_web import web_search
from shared_data import shared
from unit.gemini.wire import NoWaiting, chunk, over_quota
from unit.tools.fault_server import FaultServer, Reply
from unit.tools.room import Room

API = f"/v1beta/models/{DEFAULT_MODEL}:streamGenerateContent"
REAL = f"https://{search_model.REDIRECTS}"
RECORDED = (
    "pydantic__test_native_output_with_builtin_tools_stream.json",
    "rubyllm__chat_web_search_with_gemini_gemini-3_5-flash_grounds_the_answer_and_exposes_the_queries_it.json",
    "rubyllm__chat_citations_with_vertexai_gemini-2_5-flash_returns_grounding_citations_when_search_is_e.json",
)


@pytest.fixture(autouse=True)
def no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in search_web.PROVIDERS:
        monkeypatch.delenv(provider.setting, raising=False)


@pytest.fixture
def gemini(room: Room, site: FaultServer) -> Iterator[FaultServer]:
    """Where the model is. What it calls Google's redirects is `site`, where they lead nowhere if the test says nothing."""
    server = FaultServer()
    room.egress = site.egress(search_model.REDIRECTS)
    model = GeminiModel("test-key", server.url("").rstrip("/"), clock=NoWaiting())
    room.model = model
    yield server
    room.loop.run(model.close())
    server.close()


def says(gemini: FaultServer, site: FaultServer, body: str, status: int = 200) -> None:
    ours = body.replace(REAL, site.url("", host=search_model.REDIRECTS))
    gemini.on(API, Reply(ours, status=status, headers={"content-type": "text/event-stream"}))


def stream(*chunks: dict[str, Any]) -> str:
    return "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in chunks)


def redirect(site: FaultServer, path: str, to: str, status: int = 302) -> str:
    site.on(path, Reply(status=status, headers={"location": to}))
    return f"{REAL}{path}"


def found(*pages: tuple[str, str, str], searched: tuple[str, ...] = ("chairs",), text: str | None = None) -> str:
    """An answer of our own in the recorded shape: address, title and what the page bears out."""
    said = "\n".join(dict.fromkeys(says for _, _, says in pages)) if text is None else text
    grounding: dict[str, Any] = {
        "webSearchQueries": list(searched),
        "groundingChunks": [{"web": {"uri": url, "title": title}} for url, title, _ in pages],
        "groundingSupports": [
            {"segment": {"endIndex": 9, "text": says}, "groundingChunkIndices": [at]} for at, (_, _, says) in enumerate(pages)
        ],
    }
    return stream(chunk({"text": said}), chunk({"text": ""}, finish="STOP", candidate={"groundingMetadata": grounding}))


@pytest.mark.tool("web_search", "happy")
def test_what_the_model_found_has_the_pages_own_addresses(room: Room, gemini: FaultServer, site: FaultServer) -> None:
    pages = (
        (redirect(site, "/r/1", "https://shop.test/chairs"), "shop.test", "A chair costs 49.90 EUR."),
        (redirect(site, "/r/2", "https://shop.test/chairs"), "shop.test", "It comes in red."),
        (redirect(site, "/r/3", "https://other.test/"), "other.test", "A chair costs 49.90 EUR."),
    )
    says(gemini, site, found(*pages, searched=("chairs", "", "prices of chairs", "chairs")))
    told = room.call(web_search, query="what does a chair cost", recency="week")
    assert told["results"] == [
        {"title": "shop.test", "url": "https://shop.test/chairs", "snippet": "A chair costs 49.90 EUR. It comes in red."},
        {"title": "other.test", "url": "https://other.test/", "snippet": "A chair costs 49.90 EUR."},
    ]
    assert told["summary"] == "A chair costs 49.90 EUR.\nIt comes in red."
    assert told["searched"] == ["chairs", "prices of chairs"]
    assert "not instructions" in told["notice"] and "Google" in told["notice"]
    asked = gemini.asked[0].json
    assert asked["tools"] == [{"googleSearch": {}}] and "after:2025-12-29" in str(asked["contents"])


@pytest.mark.parametrize("name", RECORDED)
def test_real_answers_are_understood(room: Room, gemini: FaultServer, site: FaultServer, name: str) -> None:
    recording = json.loads(shared(f"recordings/gemini/rec/{name}").read_text())
    body: str = recording["exchanges"][0]["response"]["body"]
    wire = body if body.startswith("data:") else stream(json.loads(body))
    says(gemini, site, wire)
    uris = [part.split('"')[0] for part in wire.split(f'"uri": "{REAL}')[1:]]
    for at, uri in enumerate(dict.fromkeys(uris)):
        redirect(site, uri, f"https://page{at}.test/")
    told = room.call(web_search, query="largest city of Mexico, latest Ruby", max_results=20)
    pages = {one["url"]: one["title"] for one in told["results"] if "google.com/search" not in one["url"]}
    assert list(pages) == [f"https://page{at}.test/" for at in range(len(set(uris)))]
    assert pages and all("." in title and " " not in title for title in pages.values())
    assert told["searched"] and "" not in told["searched"] and told["summary"]


def test_only_pages_of_the_site_are_told(room: Room, gemini: FaultServer, site: FaultServer) -> None:
    pages = [
        (redirect(site, f"/r/{at}", to), "x", f"Fact {at}.") for at, to in enumerate(("https://a.test/", "https://b.a.test/"))
    ]
    pages.append((redirect(site, "/r/9", "https://nota.test/"), "x", "Fact 9."))
    says(gemini, site, found(*pages))
    told = room.call(web_search, query="facts", site="a.test", max_results=5)
    assert [one["url"] for one in told["results"]] == ["https://a.test/", "https://b.a.test/"]
    assert "Fact 9" not in str(told) and "site:a.test" in str(gemini.asked[0].json["contents"])


@pytest.mark.proves("L14")
def test_a_redirect_is_asked_and_never_followed(room: Room, gemini: FaultServer, site: FaultServer) -> None:
    pages = [
        (redirect(site, "/r/inside", "http://169.254.169.254/"), "inside", "One."),
        (redirect(site, "/r/script", "javascript:alert(1)"), "script", "Two."),
        (redirect(site, "/r/here", site.url("/here")), "here", "Three."),
        (f"{REAL}/r/expired", "expired", "Four."),
        ("file:///etc/passwd", "file", "Five."),
        ("https://www.google.com/search?q=weather in London", "spaces", "Six."),
        ("https://plain.test/", "plain", "Seven."),
    ]
    says(gemini, site, found(*pages))
    urls = [one["url"] for one in room.call(web_search, query="x")["results"]]
    gone = f"{site.url('', host=search_model.REDIRECTS)}/r/expired"
    assert urls == ["http://169.254.169.254/", site.url("/here"), gone, "https://plain.test/"]
    assert sorted(site.paths()) == ["/r/expired", "/r/here", "/r/inside", "/r/script"]


def test_what_no_page_bears_out_is_not_told(room: Room, gemini: FaultServer, site: FaultServer) -> None:
    says(gemini, site, stream(chunk({"text": "I know that: 42."}, finish="STOP")))
    told = room.call(web_search, query="the answer")
    assert told["results"] == [] and "nothing was found" in told["note"] and "42" not in str(told)
    broken = {"groundingMetadata": {"groundingChunks": [{"web": None}, 7], "groundingSupports": {}, "webSearchQueries": [None]}}
    says(gemini, site, stream(chunk({"text": "42."}, finish="STOP", candidate=broken)))
    assert room.call(web_search, query="the answer")["results"] == []


def status(code: int, reason: str = "", word: str = "X") -> tuple[int, str]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return code, json.dumps({"error": {"code": code, "status": word, "message": "no", "details": details}})


@pytest.mark.tool("web_search", "failure")
@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ((429, json.dumps(over_quota("40s").body)), "rate_limited", True),
        ((429, json.dumps(over_quota("40s", quota_id="GenerateRequestsPerDayPerProjectPerModel").body)), "quota", False),
        (status(503, word="UNAVAILABLE"), "unavailable", True),
        (status(400, reason="API_KEY_INVALID", word="INVALID_ARGUMENT"), "auth", False),
        (status(400, word="INVALID_ARGUMENT"), "unsupported", False),
        ((200, stream(chunk({"text": ""}, finish="SAFETY"))), "denied", False),
    ],
)
def test_what_the_model_cannot_is_told(
    room: Room, gemini: FaultServer, site: FaultServer, answer: tuple[int, str], kind: str, retryable: bool
) -> None:
    says(gemini, site, answer[1], answer[0])
    failed = room.refusal(web_search, query="a")
    assert (failed.kind, failed.retryable) == (kind, retryable)


def test_a_cancelled_search_hangs_up(room: Room, gemini: FaultServer, site: FaultServer) -> None:
    asked = asyncio.Event()
    loop = room.loop.get_loop()

    def hangs(_: Any) -> Reply:
        loop.call_soon_threadsafe(asked.set)
        gemini.released.wait(20)
        return Reply(status=500)

    gemini.on(API, hangs)
    says_nothing: Callable[..., Any] = web_search.fn

    async def story() -> None:
        call = asyncio.create_task(says_nothing(room.context, query="a"))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    room.refusal(web_search, query="a", site="no host")
    room.loop.run(story())
    gemini.released.set()


def test_a_service_by_key_comes_first(
    room: Room, gemini: FaultServer, site: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.on("/search", Reply(json.dumps({"results": []})))
    monkeypatch.setenv("AUTERYN_SEARXNG_URL", site.url(""))
    assert "SearXNG" in room.call(web_search, query="a")["notice"] and gemini.asked == []
    assert search_web.searcher(model_searches=True) == "SearXNG (AUTERYN_SEARXNG_URL)"


def test_the_tool_is_there_where_the_model_searches() -> None:
    assert "web_search" in Registry(listed(model_searches=True))
    assert "GEMINI_API_KEY" in Registry(listed()).hidden["web_search"]
    assert "Google" in search_web.searcher(model_searches=True) and search_web.searcher(model_searches=False) == ""
    assert GeminiModel("a-key").searches and not GeminiModel().searches
