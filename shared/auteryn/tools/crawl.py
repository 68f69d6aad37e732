"""Many pages of one site, as far as its robots.txt lets us."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools.egress import readable
from auteryn.tools.files import compiled
from auteryn.tools.needs import no_web
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import cleaned, framed
from auteryn.tools.web import Page, file_name, host_of, page, text_of
from auteryn.tools.web_text import links

AGENT = "Auteryn"
CRAWL_TIME = timedelta(minutes=5)
LONGEST_DELAY = timedelta(seconds=10)
QUEUED_PER_PAGE = 50
"""Addresses remembered for each page wanted: a calendar that never ends must not fill the memory."""
MOST_SITEMAPS = 5
_LOC = re.compile(r"<loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</loc>", re.DOTALL)


@tool(
    effect="idempotent",
    group="web",
    missing=no_web,
    untrusted=True,
    sends=True,
    cost=5_000,
    timeout=CRAWL_TIME + timedelta(seconds=60),
    target=lambda args: host_of(str(args["url"])),
)
async def web_crawl(
    ctx: ToolContext,
    url: Annotated[str, "Where to begin", Meta(min_length=1)],
    max_pages: Annotated[int, "Most pages", Meta(ge=1, le=200)] = 20,
    depth: Annotated[int, "Most links away from the first page", Meta(ge=0, le=5)] = 2,
    include: Annotated[str | None, "RE2 expression an address must contain, e.g. `/docs/`"] = None,
    save_to: Annotated[str | None, "Folder for the pages; else crawl/<host>"] = None,
) -> dict[str, Any]:
    """Collect many or all pages of one website into files: one Markdown file a page and an index. Keeps to robots.txt, uses
    the sitemap."""
    wanted = compiled(include, "include") if include else None
    first = readable(url)
    folder = save_to or f"crawl/{first.host}"
    ctx.files.exists(f"{folder}/index.json")  # a folder that cannot be written is refused before anybody is asked
    rules = await _Rules.of(ctx, f"{first.scheme}://{first.netloc.decode('ascii')}")
    if not rules.allow(str(first)):
        raise ToolFailed("blocked", f"the robots.txt of {first.host!r} does not allow {str(first)!r}")
    crawl = _Crawl(ctx, first.host, rules, folder, max_pages, depth, wanted)
    await crawl.run(str(first))
    return crawl.told()


class _Rules:
    """A site's robots.txt. Without one all is allowed; one that cannot be had forbids all (RFC 9309)."""

    def __init__(self, text: str) -> None:
        from protego import Protego

        self._rules = Protego.parse(text)
        self.sitemaps = list(self._rules.sitemaps)
        delay = self._rules.crawl_delay(AGENT) or 0
        self.delay = min(timedelta(seconds=float(delay)), LONGEST_DELAY)

    @classmethod
    async def of(cls, ctx: ToolContext, origin: str) -> _Rules:
        try:
            return cls((await page(ctx, f"{origin}/robots.txt")).text)
        except ToolFailed as error:
            if error.kind in ("not_found", "auth", "denied", "invalid", "unsupported") and "there is no host" not in str(error):
                return cls("")
            raise

    def allow(self, url: str) -> bool:
        return self._rules.can_fetch(url, AGENT)


class _Crawl:
    """Breadth first, one request at a time."""

    def __init__(
        self, ctx: ToolContext, host: str, rules: _Rules, folder: str, max_pages: int, depth: int, wanted: Any
    ) -> None:
        self._ctx, self._host, self._rules, self._folder = ctx, host, rules, folder
        self._max_pages, self._depth, self._wanted = max_pages, depth, wanted
        self._seen = set[str]()
        self._queue = deque[tuple[str, int]]()
        self._pages, self._failed = list[dict[str, Any]](), list[dict[str, str]]()
        self._forbidden, self._stopped = 0, ""

    async def run(self, first: str) -> None:
        until = time.monotonic() + CRAWL_TIME.total_seconds()
        self._remember([first], 0, always=True)
        await self._read(*self._queue.popleft(), first=True)
        if self._depth > 0 and len(self._pages) < self._max_pages:
            self._remember([one async for one in self._mapped(first)], 1)
        while self._queue and not self._stopped:
            if len(self._pages) >= self._max_pages:
                self._stopped = f"{self._max_pages} pages, the most that were wanted; {len(self._queue)} more are known"
            elif time.monotonic() > until:
                self._stopped = f"time is up after {CRAWL_TIME}; {len(self._queue)} more are known"
            else:
                await self._read(*self._queue.popleft())
        self._write_index()

    async def _read(self, url: str, depth: int, *, first: bool = False) -> None:
        if self._rules.delay and not first:
            await self._ctx.clock.sleep(self._rules.delay)
        try:
            found = await page(self._ctx, url)
        except ToolFailed as error:
            if first:
                raise
            self._failed.append({"url": url, "error": f"{error.kind}: {error}"})
            self._stopped = "the site wants us to slow down" if error.kind == "rate_limited" else ""
            return
        if not self._ours(found.url) and not first:
            return
        if found.url != url:
            if found.url in self._seen:
                return
            self._seen.add(found.url)
        if first:
            self._host = readable(found.url).host
        await self._keep(found, depth)

    async def _keep(self, found: Page, depth: int) -> None:
        text = await text_of(found, "article")
        path = f"{self._folder}/{file_name(found.url)}.md"
        self._ctx.files.write(path, framed(f"# {text.title}\n\n{text.text}", found.url).encode("utf-8", "replace"))
        title = cleaned(text.title)[:200]
        self._pages.append({"url": found.url, "title": title, "path": path, "chars": len(text.text), "depth": depth})
        if depth < self._depth and found.html:
            self._remember(links(found.text, found.url), depth + 1)

    def _remember(self, urls: list[str], depth: int, *, always: bool = False) -> None:
        for raw in urls:
            try:
                url = str(readable(raw))
            except ToolFailed:
                continue
            if url in self._seen or not (always or self._fits(url)):
                continue
            self._seen.add(url)
            if not self._rules.allow(url):
                self._forbidden += 1
            elif len(self._queue) < self._max_pages * QUEUED_PER_PAGE:
                self._queue.append((url, depth))

    def _fits(self, url: str) -> bool:
        return self._ours(url) and (self._wanted is None or bool(self._wanted.search(url)))

    def _ours(self, url: str) -> bool:
        return host_of(url).removeprefix("www.") == self._host.removeprefix("www.")

    async def _mapped(self, first: str) -> AsyncGenerator[str]:
        """The addresses of the sitemaps; one that fails has none."""
        home = readable(first)
        waiting = deque(self._rules.sitemaps or [str(home.copy_with(raw_path=b"/sitemap.xml"))])
        for _ in range(MOST_SITEMAPS):
            if not waiting:
                return
            try:
                text = (await page(self._ctx, waiting.popleft())).text
            except ToolFailed:
                continue
            for url in _locations(text):
                if "<sitemapindex" in text[:2_000]:
                    waiting.append(url)
                else:
                    yield url

    def _write_index(self) -> None:
        index = {"pages": self._pages, "failed": self._failed}
        self._ctx.files.write(f"{self._folder}/index.json", json.dumps(index, ensure_ascii=False, indent=1).encode())

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = {"pages_read": len(self._pages), "index": f"{self._folder}/index.json", "pages": self._pages}
        told |= {"stopped": self._stopped} if self._stopped else {}
        told |= {"forbidden_by_robots": self._forbidden} if self._forbidden else {}
        return told | ({"failed": self._failed} if self._failed else {})


def _locations(text: str) -> Iterator[str]:
    from html import unescape

    return (unescape(found) for found in _LOC.findall(text))
