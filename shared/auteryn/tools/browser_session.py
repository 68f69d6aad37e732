"""One browser for a slice: going to pages, waiting until they are settled, and coming back after an end or a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.tools.browser_elements import Snapshot, same_places, snapshot
from auteryn.tools.browser_forms import fill
from auteryn.tools.browser_process import Chromium, chatter
from auteryn.tools.browser_tabs import SETTLE_SECONDS, Happened, Tabs
from auteryn.tools.browser_trail import Trail, read_trail, write_trail
from auteryn.tools.egress import host_and_port
from auteryn.tools.refusals import refusal
from auteryn.tools.tool import ToolContext

if TYPE_CHECKING:
    from playwright.async_api import Page, Response

NAME = "browser"
"""The name the sitting keeps it under."""
LOADS = 50
"""Pages after which Chromium is started afresh: it never gives back all its memory."""
LOAD_SECONDS = 30
HANG_SECONDS = 15
"""After this time a page that loads nothing and does not answer is given up."""
_TWO_FRAMES = """() => new Promise(done => {
    requestAnimationFrame(() => requestAnimationFrame(done))
    setTimeout(done, 1000)  // a tab behind another one may paint no frames
})"""
_FAILED_PAGE = "chrome-error:"
_BROKEN_OFF = ("Download is starting", "net::ERR_ABORTED")


async def browser_of(ctx: ToolContext) -> Session:
    """The slice's browser, alive; a crashed one is replaced, with cookies and page as they were."""
    session = await ctx.sitting.keep(NAME, lambda: Session.start(ctx))
    if session.alive:
        return session
    await ctx.sitting.drop(NAME, session)
    session = await ctx.sitting.keep(NAME, lambda: Session.start(ctx))
    session.tabs.happened.notes.append("the browser had crashed and was started again")
    return session


class Session:
    """The browser of a slice and what is known of its pages. Calls use it one after the other."""

    def __init__(self, ctx: ToolContext, chromium: Chromium, trail: Trail) -> None:
        self.chromium, self.trail = chromium, trail
        self.tabs = Tabs(chromium, lambda: self.trail.storage.get(self.trail.profile))
        self._run, self._files, self._guard = ctx.run.id, ctx.files, ctx.egress
        self._refs = dict[str, str]()
        """After coming back to a page: refs of before → refs of now."""
        self._loads, self._passages = 0, 0
        self.secrets = set[str]()
        """What was typed and must not be seen again."""

    @classmethod
    async def start(cls, ctx: ToolContext) -> Session:
        return cls(ctx, await Chromium.start(ctx.egress), read_trail(ctx.files, ctx.run.id))

    @property
    def alive(self) -> bool:
        return self.chromium.alive and not self.tabs.crashed

    async def close(self) -> None:
        await self.chromium.close()

    # ---- going somewhere

    async def open(self, ctx: ToolContext, url: str, profile: str) -> int:
        """Load the address in the tab in front and return its status. Raises `ToolFailed` for what is no page."""
        goal = self._guard.checked(url)
        await self._guard.addresses(*host_and_port(goal))
        if self._loads >= LOADS:
            await self._afresh()
        if profile != self.trail.profile:
            await self._change_profile(profile)
        page = self.tabs.front or await self.tabs.new()
        return await self._load(ctx, page, str(goal))

    @asynccontextmanager
    async def aside(self, ctx: ToolContext, url: str) -> AsyncGenerator[tuple[Page, int]]:
        """A page and its status, in a tab that the model does not see and that is closed afterwards."""
        goal = self._guard.checked(url)
        await self._guard.addresses(*host_and_port(goal))
        page, before = await self.tabs.made(), len(self.tabs.downloads)
        self.tabs.aside = True
        try:
            status = await self._load(ctx, page, str(goal))
            if len(self.tabs.downloads) > before:
                raise ToolFailed("unsupported", f"{url!r} is a file, not a page: web_fetch downloads it with save_as")
            yield page, status
        finally:
            self.tabs.aside = False
            del self.tabs.downloads[before:]
            await page.close()

    async def _load(self, ctx: ToolContext, page: Page, url: str) -> int:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TookTooLong

        self._loads += 1
        downloads = self.tabs.downloads
        before = len(downloads)
        try:
            response = await page.goto(url, wait_until="domcontentloaded", timeout=LOAD_SECONDS * 1_000)
        except TookTooLong as error:
            await self._stopped(page)
            raise ToolFailed("timeout", f"{url!r} does not load within {LOAD_SECONDS} s", retryable=True) from error
        except Error as error:
            if any(said in str(error) for said in _BROKEN_OFF) and await self.tabs.until(lambda: len(downloads) > before):
                return 200
            raise self._no_page(url, str(error)) from error
        with suppress(Error):
            await page.wait_for_load_state("load", timeout=SETTLE_SECONDS * 1_000)
        return self._judged(ctx, page, response)

    def _judged(self, ctx: ToolContext, page: Page, response: Response | None) -> int:
        status = response.status if response else 200
        refused = next((one for one in self.chromium.proxy.passages if one.refused and one.target == page.url), None)
        if refused is not None and status in (403, 502):
            raise ToolFailed(refused.kind, refused.refused)
        failed = refusal(status, dict(response.headers) if response else {}, page.url, ctx.clock.now())
        if failed and failed.kind in ("not_found", "rate_limited", "unavailable"):
            raise failed
        return status

    def _no_page(self, url: str, said: str) -> ToolFailed:
        """The error for a page that did not come: the guard's reason, else the browser's."""
        host = url.split("/")[2] if url.count("/") > 1 else url
        refused = [one for one in self.chromium.proxy.passages if one.refused and one.target.split("/")[-1].startswith(host)]
        if refused and "ERR_TUNNEL" in said:
            return ToolFailed(refused[-1].kind, refused[-1].refused)
        why = next((word for word in said.split() if word.startswith("net::")), said.splitlines()[0][:200])
        return ToolFailed("unavailable", f"{url!r} cannot be loaded: {why}", retryable="CERT" not in why)

    # ---- the page in front

    async def page(self, ctx: ToolContext) -> Page:
        """The tab in front; in a new browser, brought back first. Raises `ToolFailed` if nothing was opened yet."""
        if front := self.tabs.front:
            return front
        if not self.trail.url:
            raise ToolFailed("not_found", "no page is open: browser_open first")
        return await self._back(ctx)

    async def _back(self, ctx: ToolContext) -> Page:
        """Load the page of before again, and fill in again what had been typed."""
        before = self.trail
        page = await self.tabs.new()
        await self._load(ctx, page, before.url)
        now = await snapshot(page)
        self._refs = same_places({one.ref: one for one in before.elements}, now)
        self.tabs.happened.notes.append("the page was loaded again: the browser is a new one")
        for field in before.filled:
            if (ref := self._refs.get(field.ref)) and (element := before.element(field.ref)):
                try:
                    await fill(ctx, self, page, replace(field, ref=ref), element)
                except ToolFailed as error:
                    self.tabs.happened.notes.append(f"{element.name or field.ref!r} could not be filled again: {error}")
        return page

    def now(self, ref: str) -> str | None:
        """The page's own ref for a ref the model was shown; None if it was never shown, or is gone."""
        if self.trail.element(ref) is None:
            return None
        return self._refs.get(ref) if self._refs else ref

    async def look(self, page: Page) -> Snapshot:
        """The page now; from here on its refs are the valid ones."""
        seen = await snapshot(page)
        self._refs = {}
        self.trail = replace(self.trail, elements=seen.elements)
        await self.remember(page)
        return seen

    async def remember(self, page: Page, **changes: Any) -> None:
        """Write down where the browser is: the next slice goes on from there."""
        from playwright.async_api import Error

        url = "" if page.url.startswith(("about:", _FAILED_PAGE)) else page.url
        storage = self.trail.storage
        with suppress(Error):
            storage = {**storage, self.trail.profile: await self.tabs.storage()}
        kept = changes.pop("filled", self.trail.filled if url == self.trail.url else ())
        self.trail = replace(self.trail, url=url, storage=storage, filled=kept, **changes)
        await asyncio.to_thread(write_trail, self._files, self._run, self.trail)

    async def settled(self, ctx: ToolContext, page: Page, act: Callable[[], Awaitable[Any]], *, file: bool = False) -> Page:
        """Act on the page, wait until what that set off has come, and return the tab then in front.

        `file` says that a file is expected.
        """
        tabs = self.tabs
        files, untold = len(tabs.downloads), await tabs.untold()
        tabs.nothing_broken_off()
        await act()
        await self._still(page)
        await tabs.told(untold, LOAD_SECONDS)
        if file or tabs.file_due():
            await tabs.until(lambda: len(tabs.downloads) > files)
        return await self.come(ctx)

    async def come(self, ctx: ToolContext) -> Page:
        """The tab in front, once what it is loading has come, or its time is over."""
        from playwright.async_api import Error

        front: Page | None = None
        while front is not (newest := await self.page(ctx)):  # a new tab may come, or close itself, while the old one settles
            front = newest
            with suppress(Error):
                await front.wait_for_load_state("domcontentloaded", timeout=LOAD_SECONDS * 1_000)
                await front.wait_for_load_state("load", timeout=SETTLE_SECONDS * 1_000)
            await self._still(front)
        return newest

    async def _still(self, page: Page) -> None:
        """Let the page paint what happened. Chromium asks nothing of a page that is on its way to another one."""
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await page.evaluate(_TWO_FRAMES)
        except TimeoutError:
            await self.give_up(page)
        except Error:
            pass  # the page has gone, and another one come

    async def give_up(self, page: Page) -> None:
        """Stop waiting for the page. Raises `ToolFailed("unavailable")` if it hangs."""
        self.tabs.happened.notes.append("the page that was on its way did not answer in time and was given up")
        if not await self._stopped(page):
            raise ToolFailed("unavailable", f"{page.url!r} hangs: the next call starts the browser afresh")

    async def _stopped(self, page: Page) -> bool:
        """Stop the page's loading; whether it answers then. If it does not, the browser counts as crashed."""
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(HANG_SECONDS):
                wire = await page.context.new_cdp_session(page)
                await wire.send("Page.stopLoading")
                await wire.detach()
                await page.evaluate("1")
        except (TimeoutError, Error):
            self.tabs.crashed = True
        return not self.tabs.crashed

    async def comes_true(self, ctx: ToolContext, script: str, told: object, seconds: float) -> bool:
        """Whether a condition holds in time on the page in front, whichever page that is by then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    page = await self.page(ctx)
                    holds = asyncio.ensure_future(page.wait_for_function(script, arg=told, timeout=0))
                    other = asyncio.ensure_future(self.tabs.until(lambda page=page: self.tabs.front is not page, seconds))
                    try:
                        await asyncio.wait({holds, other}, return_when=asyncio.FIRST_COMPLETED)
                        if holds.done() and holds.exception() is None:
                            return True
                        await other
                    finally:
                        holds.cancel()
                        other.cancel()
                        await asyncio.gather(holds, other, return_exceptions=True)
        return False

    def what_happened(self) -> Happened:
        """What pages did by themselves since this was last asked."""
        fresh, self._passages = self.chromium.proxy.since(self._passages), self.chromium.proxy.count
        targets = dict.fromkeys(one.target for one in fresh if one.kind == "blocked" and not chatter(one.target))
        told, self.tabs.happened = replace(self.tabs.happened, blocked=list(targets)[:5]), Happened()
        return told

    def hidden(self, text: str) -> str:
        """The text without the secrets that were typed."""
        for secret in self.secrets:
            text = text.replace(secret, "•••")
        return text

    # ---- afresh

    async def _change_profile(self, profile: str) -> None:
        await self._leave_tabs()
        self.trail = replace(self.trail, profile=profile, url="", elements=(), filled=())

    async def _afresh(self) -> None:
        await self._leave_tabs()
        await self.chromium.close()
        self.chromium = self.tabs.chromium = await Chromium.start(self._guard)
        self._loads, self._passages = 0, 0

    async def _leave_tabs(self) -> None:
        """Close all tabs and remember their cookies and local storage."""
        if state := await self.tabs.leave():
            self.trail = replace(self.trail, storage={**self.trail.storage, self.trail.profile: state})
