"""The tabs of a slice's browser: the one in front, new ones, and what pages do in them by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.browser_process import Chromium

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Download, Page, Request

VIEW = {"width": 1280, "height": 900}
MOST_TABS = 6
SETTLE_SECONDS = 5
_NO_CONTENT = (204, 205)

Answering = Literal["dismiss", "accept"]


class Happened(Record):
    """What pages did by themselves during a call."""

    dialogs: list[dict[str, str]] = []
    opened: list[str] = []
    blocked: list[str] = []
    notes: list[str] = []


class Tabs:
    """The open tabs, all of one browser context. What pages did is kept here until the session tells of it."""

    def __init__(self, chromium: Chromium, stored: Callable[[], Any]) -> None:
        """`stored`: cookies and local storage the next context begins with."""
        self.chromium, self._stored = chromium, stored
        self._context: BrowserContext | None = None
        self._open: list[Page] = []
        self.crashed = False
        self.aside = False
        """While a page is looked at in a tab of its own: what it opens is closed at once."""
        self.answering: Answering = "dismiss"
        self.downloads: list[Download] = []
        self.happened = Happened()
        self._closing = set[asyncio.Future[Any]]()
        self._came = asyncio.Event()
        """Set whenever a tab or a file comes, or a tab goes."""
        self._broken_off: list[Request] = []
        """Requests for a page that were answered otherwise, most often by a file."""
        self._making: list[Page] | None = None
        """Tabs that came while `made` makes one, which is among them."""

    # ---- the tabs

    @property
    def front(self) -> Page | None:
        """The tab in front; None if there is none."""
        return self._open[-1] if self._open else None

    def addresses(self) -> list[str]:
        """Of the tabs, the one in front last."""
        return [tab.url for tab in self._open]

    def to_front(self, number: int) -> None:
        """Bring a tab to the front, by its place in `addresses` from 1. Raises `ToolFailed` if there is none."""
        if not 1 <= number <= len(self._open):
            raise ToolFailed("not_found", f"tab: there is no tab {number}; there are {len(self._open)}")
        self._open.append(self._open.pop(number - 1))

    async def new(self) -> Page:
        """A new tab, in front."""
        page = await self.made()
        self._open.append(page)
        return page

    async def made(self) -> Page:
        """A tab that is not among those the model sees."""
        context, self._making = await self._opened(), []
        try:
            page = await context.new_page()
        finally:
            others, self._making = self._making, None
        for other in others:
            if other is not page:
                self._joined(other)
        return page

    async def storage(self) -> Any:
        """Cookies and local storage as they are now."""
        return await (await self._opened()).storage_state()

    async def leave(self) -> Any:
        """Close all tabs; their cookies and local storage, or None where there are none or the browser cannot say any more."""
        from playwright.async_api import Error

        context, self._context, self._open = self._context, None, []
        if context is None:
            return None
        state: Any = None
        with suppress(Error):
            state = await context.storage_state()
            await context.close()
        return state

    # ---- waiting for what comes

    async def until(self, holds: Callable[[], bool], seconds: float = SETTLE_SECONDS) -> bool:
        """Wait for what comes by itself; whether it came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    self._came.clear()
                    await self._came.wait()
        return holds()

    async def untold(self) -> int:
        """How many tabs the driver does not tell of yet: it waits until their page begins to come."""
        return await self.chromium.count_tabs() - len((await self._opened()).pages)

    async def told(self, before: int, seconds: float) -> None:
        """Wait for the tabs that are open by now, but not again for those that were untold `before`."""
        context, clock = await self._opened(), asyncio.get_running_loop().time
        ends = clock() + seconds
        while await self.untold() > before:
            known = len(context.pages)
            if not await self.until(lambda known=known: len(context.pages) != known, ends - clock()):
                self.happened.notes.append(f"a new tab was opened, but its page has not begun to come within {seconds:g} s")
                return

    def nothing_broken_off(self) -> None:
        """From here on `file_due` tells of what follows."""
        self._broken_off.clear()

    def file_due(self) -> bool:
        """Whether a request for a page ended in a file: the browser tells of the end before it tells of the file."""
        answers = [one.existing_response for one in self._broken_off]
        return any(one is not None and one.status not in _NO_CONTENT for one in answers)

    # ---- what the browser tells

    async def _opened(self) -> BrowserContext:
        if self._context is None:
            context = await self.chromium.browser.new_context(
                viewport=VIEW,  # pyright: ignore[reportArgumentType]
                storage_state=self._stored(),
                service_workers="block",
                accept_downloads=True,
                locale="en-US",
                timezone_id="UTC",
            )
            context.on("page", self._came_up)
            context.on("requestfailed", self._request_failed)
            self._context = context
        return self._context

    def _came_up(self, page: Page) -> None:
        page.on("dialog", self._dialog)
        page.on("download", self._download)
        page.on("crash", self._crash)
        page.on("close", self._closed)
        self._came.set()
        if self._making is not None:
            self._making.append(page)
        else:
            self._joined(page)

    def _joined(self, page: Page) -> None:
        """A page has opened this tab."""
        if self.aside:
            self._later(page.close())
        elif len(self._open) >= MOST_TABS:
            self.happened.notes.append(f"a further tab was closed at once: there are {MOST_TABS}, the most there may be")
            self._later(page.close())
        else:
            self.happened.opened.append("a new tab")
            self._open.append(page)

    def _closed(self, page: Page) -> None:
        if page in self._open:
            self._open.remove(page)
        self._came.set()

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
        self.crashed = True

    def _later(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
