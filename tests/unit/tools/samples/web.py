"""Pages, feeds, requests, search."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample
from unit.tools.fault_server import Reply

PAGE = "<html><body><h1>Prices</h1><p>The basic plan costs $9 a month, which is less than it was last year.</p></body></html>"
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<item><title>One</title><link>http://shop.test/1</link><pubDate>Mon, 05 Jan 2026 08:00:00 GMT</pubDate></item>
</channel></rss>"""


@sample
def web_fetch(bench: Bench) -> Iterator[Args]:
    bench.site.on("/prices", PAGE)
    yield {"url": bench.site.url("/prices", host="shop.test"), "mode": "full", "save_as": "prices.md"}


@sample
def web_crawl(bench: Bench) -> Iterator[Args]:
    bench.site.on("/", PAGE)
    bench.volatile |= {"seconds"}
    yield {"url": bench.site.url("/", host="shop.test"), "max_pages": 2}


@sample
def feed_read(bench: Bench) -> Iterator[Args]:
    bench.site.on("/feed", Reply(FEED, headers={"content-type": "application/rss+xml"}))
    yield {"url": bench.site.url("/feed", host="shop.test")}


@sample
def http_request(bench: Bench) -> Iterator[Args]:
    seen = set[str]()

    def take(asked: object) -> Reply:
        seen.add(getattr(asked, "headers")["idempotency-key"])  # noqa: B009
        return Reply('{"taken": true}', headers={"content-type": "application/json"})

    bench.site.on("/orders", take)
    bench.outside = lambda: len(seen)
    bench.volatile |= {"date", "headers"}
    yield {"method": "POST", "url": bench.site.url("/orders", host="shop.test"), "json_body": {"n": 1}}
