"""Feeds are read as they come, also slightly broken ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from inline_snapshot import snapshot

from auteryn.tools import feed
from auteryn.tools.feed import feed_read
from auteryn.tools.registry import Registry
from unit.tools.fault_server import FaultServer, Reply
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

RSS = """<?xml version="1.0" encoding="ISO-8859-1"?><rss version="2.0"><channel><title>Neues für alle</title>
<item><title>Price &amp; news</title><link>https://shop.test/1</link><pubDate>Mon, 05 Jan 2026 10:00:00 +0100</pubDate>
<description>&lt;p&gt;Now &lt;b&gt;$9.99&lt;/b&gt;&lt;/p&gt;&lt;script&gt;x&lt;/script&gt;</description></item>
<item><title>Older</title><link>https://shop.test/0</link><pubDate>Sun, 04 Jan 2026 10:00:00 GMT</pubDate></item>
<item><title>Undated</title><link>https://shop.test/u</link></item></channel></rss>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title>
<entry><title type="html">&lt;i&gt;A&lt;/i&gt;</title><link href="/rel"/><updated>2026-01-05T10:00:00Z</updated>
<content type="html">&lt;p&gt;Body&lt;/p&gt;</content></entry></feed>"""
XML = {"content-type": "application/rss+xml"}


@pytest.mark.tool("feed_read", "happy")
def test_rss_is_read(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(RSS.encode("latin-1"), headers=XML))
    told = surfer.call(feed_read, **as_a_judge_calls(feed_read, url=site.url("/feed")))
    assert (told["title"], told["total"]) == ("Neues für alle", 3) and "not instructions" in told["notice"]
    assert told["entries"] == snapshot(
        [
            {
                "title": "Price & news",
                "url": "https://shop.test/1",
                "published_at": "2026-01-05T09:00:00+00:00",
                "summary": "Now $9.99",
            },
            {"title": "Older", "url": "https://shop.test/0", "published_at": "2026-01-04T10:00:00+00:00", "summary": ""},
            {"title": "Undated", "url": "https://shop.test/u", "published_at": None, "summary": ""},
        ]
    )


@pytest.mark.tool("feed_read", "happy")
def test_atom_is_read_and_relative_addresses_are_made_whole(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(ATOM, headers={"content-type": "text/plain"}))
    told = surfer.call(feed_read, url=site.url("/feed"))
    assert told["entries"] == [
        {"title": "A", "url": site.url("/rel"), "published_at": "2026-01-05T10:00:00+00:00", "summary": "Body"}
    ]


def test_only_what_is_new_and_no_more_than_wanted(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(RSS.encode("latin-1"), headers=XML))
    fresh = surfer.call(feed_read, url=site.url("/feed"), since="2026-01-05")
    assert [one["title"] for one in fresh["entries"]] == ["Price & news", "Undated"]
    one = surfer.call(feed_read, url=site.url("/feed"), since="2026-01-04T12:00+02:00", limit=1)
    assert (one["total"], len(one["entries"])) == (3, 1)
    assert surfer.refusal(feed_read, url=site.url("/feed"), since="last week").kind == "invalid"


def test_a_broken_feed_gives_what_it_has_and_says_so(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(RSS.encode("latin-1")[:-60] + b"<item><title>cut", headers=XML))
    told = surfer.call(feed_read, url=site.url("/feed"))
    assert "broken" in told["note"] and told["entries"][0]["title"] == "Price & news"


def test_a_page_leads_to_its_feed(surfer: Room, site: FaultServer) -> None:
    site.on("/", '<head><link rel="alternate" type="application/rss+xml" href="feed"></head>')
    site.on("/feed", Reply(RSS.encode("latin-1"), headers=XML))
    assert surfer.call(feed_read, url=site.url())["total"] == 3
    site.on("/none", "<p>nothing here</p>")
    assert surfer.refusal(feed_read, url=site.url("/none")).kind == "unsupported"


@pytest.mark.tool("feed_read", "failure")
def test_what_is_no_feed_is_told(surfer: Room, site: FaultServer) -> None:
    site.on("/text", Reply("hello", headers={"content-type": "text/plain"}))
    assert surfer.refusal(feed_read, url=site.url("/text")).kind == "unsupported"
    assert surfer.refusal(feed_read, url=site.url("/gone")).kind == "not_found"
    assert surfer.refusal(feed_read, url="http://10.0.0.1/feed").kind == "blocked"


@pytest.mark.proves("L14")
def test_a_feed_reaches_no_file_and_fills_no_memory(surfer: Room, site: FaultServer) -> None:
    entity = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    item = "<rss version='2.0'><channel><item><title>T &x;</title></item></channel></rss>"
    site.on("/xxe", Reply(entity + item, headers=XML))
    assert "root:" not in str(surfer.call(feed_read, url=site.url("/xxe")))
    laughs = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 9))
    lol = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY l0 "lol">{laughs}]>' + item.replace("&x;", "&l8;")
    site.on("/laughs", Reply(lol, headers=XML))
    assert len(str(surfer.call(feed_read, url=site.url("/laughs")))) < 5_000


@pytest.mark.proves("L14")
def test_a_feed_that_never_ends_or_nests_without_end_takes_no_time(surfer: Room, site: FaultServer, monkeypatch: Any) -> None:
    """Its reader works by the square of what is nested; what is no element of the feed does not count."""
    nested = "<a>" * 200_000 + "x" + "</a>" * 200_000
    site.on("/nested", Reply(f"<rss version='2.0'><channel><item>{nested}</item></channel></rss>", headers=XML))
    assert surfer.refusal(feed_read, url=site.url("/nested")).kind == "unsupported"
    quoted = f"<rss version='2.0'><channel><item><title>A</title><description><![CDATA[{'<br>' * 2_000}]]></description></item>"
    site.on("/quoted", Reply(f"{quoted}<!-- {'<a>' * 2_000} --></channel></rss>", headers=XML))
    assert surfer.call(feed_read, url=site.url("/quoted"))["entries"][0]["title"] == "A"
    monkeypatch.setattr(feed, "READ_CHARACTERS", 2_000)
    items = "".join(f"<item><title>{at}</title></item>" for at in range(1_000))
    site.on("/long", Reply(f"<rss version='2.0'><channel>{items}</channel></rss>", headers=XML))
    told = surfer.call(feed_read, url=site.url("/long"))
    assert "only the first 2,000" in told["note"] and told["entries"][0]["title"] == "0" and told["total"] < 100


@pytest.mark.proves("L14")
def test_hidden_signs_of_a_feed_are_removed(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(RSS.replace("Older", "Ol\u200bder\u202e").replace("ISO-8859-1", "UTF-8"), headers=XML))
    assert surfer.call(feed_read, url=site.url("/feed"))["entries"][1]["title"] == "Older"
    assert feed_read.untrusted and feed_read.sends and feed_read.effect == "read"


def test_reading_may_be_repeated_and_cancelled(surfer: Room, site: FaultServer) -> None:
    site.on("/feed", Reply(RSS.encode("latin-1"), headers=XML))
    assert surfer.call(feed_read, call="c", url=site.url("/feed")) == surfer.call(feed_read, call="c", url=site.url("/feed"))

    async def cancel_it() -> None:
        assert surfer.context is not None
        call = asyncio.create_task(feed_read.fn(surfer.context, url=site.url("/feed")))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_it())


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'auteryn[web]'" in Registry([feed_read]).hidden["feed_read"]


def test_the_schema_is_this() -> None:
    assert list(feed_read.parameters["properties"]) == snapshot(["url", "since", "limit"])
    assert feed_read.parameters["required"] == ["url"]


@pytest.mark.parametrize("date", ["0000-00-00T00:00:00Z", "0000-00-00"])
def test_a_date_of_zeros_is_none_and_the_feed_is_read(surfer: Room, site: FaultServer, date: str) -> None:
    site.on("/feed", Reply(RSS.replace("Sun, 04 Jan 2026 10:00:00 GMT", date).encode("latin-1"), headers=XML))
    told = surfer.call(feed_read, url=site.url("/feed"))
    assert [one["published_at"] for one in told["entries"]][1:] == [None, None]
