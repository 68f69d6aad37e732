"""One browser for a slice: its tabs, what happens in them by itself, and the way back to a page after an end or a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.browser_elements import Element, Snapshot, same_places, snapshot
from auteryn.tools.browser_forms import fill
from auteryn.tools.browser_process import Chromium, chatter
from auteryn.tools.browser_trail import Trail, read_trail, write_trail
from auteryn.tools.egress import host_and_port
from auteryn.tools.refusals import refusal
from auteryn.tools.tool import ToolContext

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Download, Page, Request, Response

NAME = "browser"
"""Under which the sitting keeps it."""
VIEW = {"width": 1280, "height": 900}
MOST_TABS = 6
LOADS = 50
"""Pages after which Chromium is started afresh: it never gives back all its memory."""
LOAD_SECONDS = 30
SETTLE_SECONDS = 5
HANG_SECONDS = 15
"""After which a page that loads nothing and does not answer is hopeless."""
_TWO_FRAMES = """() => new Promise(done => {
    requestAnimationFrame(() => requestAnimationFrame(done))
    setTimeout(done, 1000)  // a tab behind another one may paint no frames
})"""
_FAILED_PAGE = "chrome-error:"
_BROKEN_OFF = ("Download is starting", "net::ERR_ABORTED")
_NO_CONTENT = (204, 205)

Answering = Literal["dismiss", "accept"]


class Happened(Record):
    """What pages did by themselves during a call."""

    dialogs: list[dict[str, str]] = []
    opened: list[str] = []
    blocked: list[str] = []
    notes: list[str] = []


async def browser_of(ctx: ToolContext) -> Session:
    """The slice's browser, alive; a crashed one is replaced, with cookies and page as they were."""
    session = await ctx.sitting.keep(NAME, lambda: Session.start(ctx))
    if session.alive:
        return session
    await ctx.sitting.drop(NAME, session)
    session = await ctx.sitting.keep(NAME, lambda: Session.start(ctx))
    session.happened.notes.append("the browser had crashed and was started again")
    return session


class Session:
    """Pages and what is known of them. Calls use it one after the other."""

    def __init__(self, ctx: ToolContext, chromium: Chromium, trail: Trail) -> None:
        self.chromium, self.trail = chromium, trail
        self._run, self._files, self._guard = ctx.run.id, ctx.files, ctx.egress
        self._context: BrowserContext | None = None
        self._tabs: list[Page] = []
        self._refs = dict[str, str]()
        """After coming back to a page: refs of before → refs of now."""
        self._crashed, self._loads, self._passages = False, 0, 0
        self.answering: Answering = "dismiss"
        self.downloads: list[Download] = []
        self.secrets = set[str]()
        """What was typed and must not be seen again."""
        self.happened = Happened()
        self._side = set[asyncio.Future[Any]]()
        self._came = asyncio.Event()
        """Set whenever a tab or a file comes, or a tab goes."""
        self._broken_off: list[Request] = []
        """Ways to a page that were answered otherwise, most often by a file."""
        self._making: list[Page] | None = None
        """Tabs that came while one is made for us, which is among them."""
        self._aside = False
        """Whether a page is looked at in a tab of its own: what it opens is of no use."""

    @classmethod
    async def start(cls, ctx: ToolContext) -> Session:
        return cls(ctx, await Chromium.start(ctx.egress), read_trail(ctx.files, ctx.run.id))

    @property
    def alive(self) -> bool:
        return self.chromium.alive and not self._crashed

    async def close(self) -> None:
        await self.chromium.close()

    # ---- going somewhere

    async def open(self, ctx: ToolContext, url: str, profile: str) -> int:
        """Load the address in the tab in front; its status. Raises `ToolFailed` for what is no page."""
        goal = self._guard.checked(url)
        await self._guard.addresses(*host_and_port(goal))
        if self._loads >= LOADS:
            await self._afresh()
        if profile != self.trail.profile:
            await self._change_profile(profile)
        page = self._tabs[-1] if self._tabs else await self._new_tab()
        return await self._load(ctx, page, str(goal))

    @asynccontextmanager
    async def aside(self, ctx: ToolContext, url: str) -> AsyncGenerator[tuple[Page, int]]:
        """A page and its status in a tab of its own, which is closed afterwards."""
        goal = self._guard.checked(url)
        await self._guard.addresses(*host_and_port(goal))
        page, before = await self._made_tab(), len(self.downloads)
        self._aside = True
        try:
            status = await self._load(ctx, page, str(goal))
            if len(self.downloads) > before:
                raise ToolFailed("unsupported", f"{url!r} is a file, not a page: web_fetch downloads it with save_as")
            yield page, status
        finally:
            self._aside = False
            del self.downloads[before:]
            await page.close()

    async def _load(self, ctx: ToolContext, page: Page, url: str) -> int:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TookTooLong

        self._loads += 1
        before = len(self.downloads)
        try:
            response = await page.goto(url, wait_until="domcontentloaded", timeout=LOAD_SECONDS * 1_000)
        except TookTooLong as error:
            await self._stopped(page)
            raise ToolFailed("timeout", f"{url!r} does not load within {LOAD_SECONDS} s", retryable=True) from error
        except Error as error:
            if any(said in str(error) for said in _BROKEN_OFF) and await self._until(lambda: len(self.downloads) > before):
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
        """Why there is no page: what the guard said, else what the browser says."""
        host = url.split("/")[2] if url.count("/") > 1 else url
        refused = [one for one in self.chromium.proxy.passages if one.refused and one.target.split("/")[-1].startswith(host)]
        if refused and "ERR_TUNNEL" in said:
            return ToolFailed(refused[-1].kind, refused[-1].refused)
        why = next((word for word in said.split() if word.startswith("net::")), said.splitlines()[0][:200])
        return ToolFailed("unavailable", f"{url!r} cannot be loaded: {why}", retryable="CERT" not in why)

    # ---- the page in front

    @property
    def front(self) -> Page | None:
        """The tab in front; None if there is none."""
        return next((tab for tab in reversed(self._tabs) if not tab.is_closed()), None)

    async def page(self, ctx: ToolContext) -> Page:
        """The tab in front, brought back first if this browser is new. Raises `ToolFailed` if nothing was opened yet."""
        self._tabs = [tab for tab in self._tabs if not tab.is_closed()]
        if self._tabs:
            return self._tabs[-1]
        if not self.trail.url:
            raise ToolFailed("not_found", "no page is open: browser_open first")
        return await self._back(ctx)

    async def _back(self, ctx: ToolContext) -> Page:
        """The page as it was: loaded again, and what was typed typed again."""
        before = self.trail
        page = await self._new_tab()
        await self._load(ctx, page, before.url)
        now = await snapshot(page)
        self._refs = same_places({one.ref: one for one in before.elements}, now)
        self.happened.notes.append("the page was loaded again: the browser is a new one")
        for field in before.filled:
            if (ref := self._refs.get(field.ref)) and (element := before.element(field.ref)):
                try:
                    await fill(ctx, self, page, replace(field, ref=ref), element)
                except ToolFailed as error:
                    self.happened.notes.append(f"{element.name or field.ref!r} could not be filled again: {error}")
        return page

    def now(self, ref: str) -> str | None:
        """The ref as the page knows it; None for one that was never shown, or is gone."""
        if self.trail.element(ref) is None:
            return None
        return self._refs.get(ref) if self._refs else ref

    def element(self, ref: str) -> Element | None:
        return self.trail.element(ref)

    async def look(self, page: Page) -> Snapshot:
        """The page now; from here on its refs are the valid ones."""
        seen = await snapshot(page)
        self._refs = {}
        self.trail = replace(self.trail, elements=seen.elements)
        await self.remember(page)
        return seen

    async def remember(self, page: Page, **changes: Any) -> None:
        """Write down where we are: the next slice goes on from there."""
        from playwright.async_api import Error

        url = "" if page.url.startswith(("about:", _FAILED_PAGE)) else page.url
        storage = self.trail.storage
        with suppress(Error):
            storage = {**storage, self.trail.profile: await (await self._opened_context()).storage_state()}
        kept = changes.pop("filled", self.trail.filled if url == self.trail.url else ())
        self.trail = replace(self.trail, url=url, storage=storage, filled=kept, **changes)
        await asyncio.to_thread(write_trail, self._files, self._run, self.trail)

    async def settled(self, ctx: ToolContext, page: Page, act: Callable[[], Awaitable[Any]], *, file: bool = False) -> Page:
        """Do something on the page and wait until what it set off has come; the tab that is in front then.

        `file` says that a file is going to come.
        """
        files, untold = len(self.downloads), await self._untold()
        self._broken_off.clear()
        await act()
        await self._still(page)
        await self._tabs_told(untold)
        if file or self._file_due():
            await self._until(lambda: len(self.downloads) > files)
        return await self.come(ctx)

    async def come(self, ctx: ToolContext) -> Page:
        """The tab in front, when what it is loading has come, as far as it comes in time."""
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
        """Let the page be that it is, whatever it is waiting for. Raises `ToolFailed("unavailable")` for one that hangs."""
        self.happened.notes.append("the page that was on its way did not answer in time and was given up")
        if not await self._stopped(page):
            raise ToolFailed("unavailable", f"{page.url!r} hangs: the next call starts the browser afresh")

    async def _stopped(self, page: Page) -> bool:
        """Whether the page answers again, now that it loads nothing; a browser with one that does not is done with."""
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(HANG_SECONDS):
                wire = await page.context.new_cdp_session(page)
                await wire.send("Page.stopLoading")
                await wire.detach()
                await page.evaluate("1")
        except (TimeoutError, Error):
            self._crashed = True
        return not self._crashed

    async def comes_true(self, ctx: ToolContext, script: str, told: object, seconds: float) -> bool:
        """Whether a condition on the page in front, whichever that is by then, holds in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    page = await self.page(ctx)
                    holds = asyncio.ensure_future(page.wait_for_function(script, arg=told, timeout=0))
                    other = asyncio.ensure_future(self._until(lambda page=page: self.front is not page, seconds))
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

    async def _untold(self) -> int:
        """Tabs of which the driver does not tell yet: it waits until their page begins to come."""
        return await self.chromium.count_tabs() - len((await self._opened_context()).pages)

    async def _tabs_told(self, before: int) -> None:
        """Wait for the tabs that are open by now; those of which nothing was told `before` are not waited for again."""
        context, clock = await self._opened_context(), asyncio.get_running_loop().time
        ends = clock() + LOAD_SECONDS
        while await self._untold() > before:
            known = len(context.pages)
            if not await self._until(lambda known=known: len(context.pages) != known, ends - clock()):
                self.happened.notes.append(f"a new tab was opened, but its page has not begun to come within {LOAD_SECONDS} s")
                return

    def _file_due(self) -> bool:
        """Whether the way to a page ended in a file: the browser tells of the end first."""
        answers = [one.existing_response for one in self._broken_off]
        return any(one is not None and one.status not in _NO_CONTENT for one in answers)

    async def _until(self, holds: Callable[[], bool], seconds: float = SETTLE_SECONDS) -> bool:
        """Wait for what comes by itself; whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._came.clear()
                    await self._came.wait()
        return holds()

    def tabs(self) -> list[str]:
        """Addresses of the tabs, the one in front last."""
        return [tab.url for tab in self._tabs if not tab.is_closed()]

    def to_front(self, number: int) -> None:
        """Bring a tab to the front, by its place in `tabs` from 1."""
        open_ones = [tab for tab in self._tabs if not tab.is_closed()]
        if not 1 <= number <= len(open_ones):
            raise ToolFailed("not_found", f"tab: there is no tab {number}; there are {len(open_ones)}")
        chosen = open_ones.pop(number - 1)
        self._tabs = [*open_ones, chosen]

    def what_happened(self) -> Happened:
        """What pages did since this was last asked."""
        fresh, self._passages = self.chromium.proxy.since(self._passages), self.chromium.proxy.count
        targets = dict.fromkeys(one.target for one in fresh if one.kind == "blocked" and not chatter(one.target))
        told, self.happened = replace(self.happened, blocked=list(targets)[:5]), Happened()
        return told

    def hidden(self, text: str) -> str:
        """The text without the secrets that were typed."""
        for secret in self.secrets:
            text = text.replace(secret, "•••")
        return text

    # ---- tabs and what they do by themselves

    async def _opened_context(self) -> BrowserContext:
        if self._context is None:
            context = await self.chromium.browser.new_context(
                viewport=VIEW,  # pyright: ignore[reportArgumentType]
                storage_state=self.trail.storage.get(self.trail.profile),
                service_workers="block",
                accept_downloads=True,
                locale="en-US",
                timezone_id="UTC",
            )
            context.on("page", self._tab_opened)
            context.on("requestfailed", self._request_failed)
            self._context = context
        return self._context

    async def _new_tab(self) -> Page:
        page = await self._made_tab()
        self._tabs.append(page)
        return page

    async def _made_tab(self) -> Page:
        """A tab of our own making, which no page opened."""
        context, self._making = await self._opened_context(), []
        try:
            page = await context.new_page()
        finally:
            others, self._making = self._making, None
        for other in others:
            if other is not page:
                self._tab_joined(other)
        return page

    def _tab_opened(self, page: Page) -> None:
        page.on("dialog", self._dialog)
        page.on("download", self._download)
        page.on("crash", self._crash)
        page.on("close", lambda _: self._came.set())
        self._came.set()
        if self._making is not None:
            self._making.append(page)
        else:
            self._tab_joined(page)

    def _tab_joined(self, page: Page) -> None:
        if self._aside:
            self._later(page.close())
        elif len(self._tabs) >= MOST_TABS:
            self.happened.notes.append(f"a further tab was closed at once: there are {MOST_TABS}, the most there may be")
            self._later(page.close())
        else:
            self.happened.opened.append("a new tab")
            self._tabs.append(page)

    async def _dialog(self, dialog: Dialog) -> None:
        from playwright.async_api import Error

        accept = self.answering == "accept" or dialog.type in ("alert", "beforeunload")
        self.happened.dialogs.append(
            {"kind": dialog.type, "message": dialog.message[:500], "answer": "accepted" if accept else "dismissed"}
        )
        with suppress(Error):
            await (dialog.accept() if accept else dialog.dismiss())

    def _download(self, download: Download) -> None:
        self.downloads.append(download)
        self._came.set()

    def _request_failed(self, request: Request) -> None:
        if request.is_navigation_request() and "net::ERR_ABORTED" in (request.failure or ""):
            self._broken_off.append(request)

    def _crash(self, _page: Page) -> None:
        self._crashed = True

    def _later(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    # ---- afresh

    async def _change_profile(self, profile: str) -> None:
        if self._context is not None:
            await self._leave_context()
        self.trail = replace(self.trail, profile=profile, url="", elements=(), filled=())

    async def _afresh(self) -> None:
        await self._leave_context()
        await self.chromium.close()
        self.chromium = await Chromium.start(self._guard)
        self._loads, self._passages = 0, 0

    async def _leave_context(self) -> None:
        from playwright.async_api import Error

        context, self._context = self._context, None
        self._tabs = []
        if context is not None:
            with suppress(Error):
                state: Any = await context.storage_state()
                self.trail = replace(self.trail, storage={**self.trail.storage, self.trail.profile: state})
                await context.close()
