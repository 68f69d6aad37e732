"""A real browser for pages that need one: read, click, fill, wait. What a page says stays data; where it leads is guarded."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from itertools import chain, count
from posixpath import splitext
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta
from msgspec.structs import asdict

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy.answer_schema import check_schema, matches
from auteryn.ports.model import ModelRequest
from auteryn.schema.run import Run
from auteryn.tools import foreseen
from auteryn.tools.browser_elements import Snapshot
from auteryn.tools.browser_forms import ACT_MS, fill, problems, send
from auteryn.tools.browser_session import Session, browser_of
from auteryn.tools.browser_tabs import Answering
from auteryn.tools.browser_trail import DEFAULT, Field, read_trail
from auteryn.tools.needs import no_browser
from auteryn.tools.tool import Judged, ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, cleaned, framed
from auteryn.tools.web import file_name, host_of
from auteryn.tools.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from playwright.async_api import Page

SHOWN = 4_500
"""Characters of a snapshot in an answer; the whole is in a file."""
EXTRACT_CHARACTERS = 60_000
WAIT_SECONDS = 30
MOST_LOOKS = 5
"""At a page that changes under our eyes."""
TALLEST = 16_000
"""Pixels; Chromium paints no higher."""
CALL_TIME = timedelta(seconds=90)
_DONE = ("performing click action", 'press("Enter")')
"""What the driver says it has done, when it then waited in vain for the page that this leads to."""
_NO_PAGES = ("image/", "video/", "audio/", "application/pdf")
_IS_FILE = "e => !!e.closest('a[download][href]')"

Ref = Annotated[str, "Ref of an element in the last snapshot, e.g. `e12`", Meta(min_length=2, max_length=20)]


def _one_page(_args: dict[str, Any]) -> str:
    return "page"


def _click_judged(args: dict[str, Any], files: Workspace, run: Run) -> Judged:
    """Links and tabs are free; a button of a form is asked for once per site; other buttons may still carry something out."""
    trail = read_trail(files, run.id)
    element, site = trail.element(str(args["ref"])), host_of(trail.url)
    seen = foreseen.on_page(trail, (), f"Then click: {element.role} “{element.name}”" if element else "")
    match element.kind if element else "link":
        case "submit":
            return Judged(permission="ask1", target=site, sends=True, preview=seen)
        case "button" | "other":
            return Judged(target=site, sends=True, preview=seen)
        case _:
            return Judged(target=site)


def _fill_judged(args: dict[str, Any], files: Workspace, run: Run) -> Judged:
    """Scripts of a page see what is typed, so it counts as sent; sending the form or typing a secret is asked for."""
    asks = args.get("submit") or any(field.credential for field in args["fields"])
    trail = read_trail(files, run.id)
    seen = foreseen.on_page(trail, args["fields"], "Then send the form" if args.get("submit") else "")
    return Judged(permission="ask1" if asks else "auto", target=host_of(trail.url), sends=True, preview=seen)


@tool(
    effect="idempotent",
    group="browser",
    missing=no_browser,
    untrusted=True,
    sends=True,
    address=lambda args: str(args["url"]),
    timeout=CALL_TIME,
    cost=3_000,
    target=lambda args: host_of(str(args["url"])),
    serial=_one_page,
)
async def browser_open(
    ctx: ToolContext,
    url: Annotated[str, "http:// or https:// address", Meta(min_length=1)],
    profile: Annotated[str, "Name of a set of cookies and logins; another name starts clean", Meta(max_length=40)] = DEFAULT,
) -> dict[str, Any]:
    """Go to a page in a real browser, for sites that need JavaScript: what stands on it, with refs for browser_click and
    browser_fill."""
    session = await browser_of(ctx)
    session.tabs.answering = "dismiss"
    status = await session.open(ctx, url, profile)
    if session.tabs.downloads and not any(one.startswith("http") for one in session.tabs.addresses()):
        downloads = await _downloaded(ctx, session)
        return all_cleaned({"url": url, "downloads": downloads, "note": "this address is a file, not a page"})
    return {"status": status, **await _seen(ctx, session, await session.page(ctx))}


@tool(effect="read", group="browser", missing=no_browser, untrusted=True, timeout=CALL_TIME, serial=_one_page)
async def browser_read(
    ctx: ToolContext,
    selector: Annotated[str | None, "CSS selector: only the text of what it matches; else a snapshot of the page"] = None,
    max_chars: Annotated[int, "Most characters", Meta(ge=200, le=50_000)] = SHOWN,
    tab: Annotated[int | None, "Number of a tab to bring to the front", Meta(ge=1)] = None,
) -> dict[str, Any]:
    """Look at the open page again: a fresh snapshot with refs, or the text of one part of it."""
    session = await browser_of(ctx)
    page = await session.page(ctx)
    if tab is not None:
        session.tabs.to_front(tab)
        page = await session.page(ctx)
    if selector is None:
        return await _seen(ctx, session, page, most=max_chars)
    text = cleaned(session.hidden(await _text_of(page, selector)))
    told: dict[str, Any] = {"url": page.url, "complete": len(text) <= max_chars, "chars_total": len(text)}
    return told | {"text": framed(text[:max_chars], page.url)}


@tool(
    effect="once",
    group="browser",
    missing=no_browser,
    untrusted=True,
    timeout=CALL_TIME,
    judge=_click_judged,
    serial=_one_page,
)
async def browser_click(
    ctx: ToolContext,
    ref: Ref,
    dialog: Annotated[Answering, "What to answer if the page asks `are you sure?`"] = "dismiss",
) -> dict[str, Any]:
    """Click an element of the open page, and see what it looks like then. Files that come down are saved."""
    session = await browser_of(ctx)
    page = await session.page(ctx)
    place = await _place(ctx, session, page, ref)
    session.tabs.answering = dialog
    file = bool(await place.evaluate(_IS_FILE, timeout=ACT_MS))
    act = lambda: _acted(place.click(timeout=ACT_MS), f"{ref} cannot be clicked")  # noqa: E731
    return await _seen(ctx, session, await session.settled(ctx, page, act, file=file))


@tool(
    effect="once",
    group="browser",
    missing=no_browser,
    untrusted=True,
    timeout=CALL_TIME,
    judge=_fill_judged,
    serial=_one_page,
)
async def browser_fill(
    ctx: ToolContext,
    fields: Annotated[list[Field], "What to put where", Meta(min_length=1, max_length=60)],
    submit: Annotated[bool, "Then send the form; asked of a person once per site"] = False,
) -> dict[str, Any]:
    """Fill fields of the open page: text, choices, boxes, dates, files. Secrets only by the name of a credential."""
    session = await browser_of(ctx)
    session.tabs.answering = "dismiss"
    page = await session.page(ctx)
    done = {one.ref: one for one in session.trail.filled}
    for field in fields:
        element, now = session.trail.element(field.ref), session.now(field.ref)
        if element is None or now is None:
            raise await _stale(ctx, session, page, field.ref)
        await fill(ctx, session, page, Field(ref=now, value=field.value, credential=field.credential), element)
        done[field.ref] = field
        await session.remember(page, filled=tuple(done.values()))
    if not submit:
        return {"filled": len(fields), **await _seen(ctx, session, page)}
    last = session.now(fields[-1].ref) or fields[-1].ref
    if wrong := await problems(page, last):
        raise ToolFailed("conflict", f"the form was not sent, it would refuse: {'; '.join(wrong)[:600]}")
    page = await session.settled(ctx, page, lambda: _acted(send(page, last), "the form cannot be sent"))
    await session.remember(page, filled=())
    return {"filled": len(fields), "sent": True, **await _seen(ctx, session, page)}


@tool(effect="read", group="browser", missing=no_browser, untrusted=True, timeout=CALL_TIME, serial=_one_page)
async def browser_wait(
    ctx: ToolContext,
    text: Annotated[str | None, "Text that must appear"] = None,
    gone: Annotated[str | None, "Text that must disappear"] = None,
    seconds: Annotated[float, "Longest wait", Meta(gt=0, le=WAIT_SECONDS)] = 10,
) -> dict[str, Any]:
    """Wait until a text appears on the open page, or is gone from it."""
    if (text is None) == (gone is None):
        raise ToolFailed("invalid", "text, gone: give one of them")
    session = await browser_of(ctx)
    wanted, hidden = text or gone or "", text is None
    script = "([text, hidden]) => document.body.innerText.includes(text) !== hidden"
    if not await session.comes_true(ctx, script, [wanted, hidden], seconds):
        still = "is still there" if hidden else "did not appear"
        raise ToolFailed("timeout", f"{wanted!r} {still} after {seconds:g} s: browser_read shows the page")
    return await _seen(ctx, session, await session.page(ctx))


@tool(
    effect="idempotent",
    group="browser",
    missing=no_browser,
    timeout=CALL_TIME,
    serial=_one_page,
    cost=2_000,
)
async def browser_screenshot(
    ctx: ToolContext,
    path: Annotated[str, "PNG file to write", Meta(min_length=1)],
    full_page: Annotated[bool, "The whole page, not only what a window shows"] = False,
    ref: Annotated[str | None, "Only this element of the last snapshot"] = None,
) -> dict[str, Any]:
    """Take a picture of the open page, or of one element on it."""
    session = await browser_of(ctx)
    page = await session.page(ctx)
    if ref is not None:
        picture = await (await _place(ctx, session, page, ref)).screenshot(timeout=ACT_MS * 2)
    else:
        picture = await shot(page, full_page=full_page)
    found = ctx.files.write(path, picture)
    width, height = size_of(picture)
    return {"path": path, "size_bytes": found.size_bytes, "width": width, "height": height}


@tool(effect="read", group="browser", missing=no_browser, untrusted=True, timeout=timedelta(seconds=180), serial=_one_page)
async def browser_extract(
    ctx: ToolContext,
    schema: Annotated[dict[str, Any], "JSON Schema of an object: what to take from the page"],
    instruction: Annotated[str, "What is meant, where the schema does not say it"] = "",
) -> dict[str, Any]:
    """Take data out of the open page as JSON that fits your schema."""
    try:
        check_schema(schema, "schema")
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    session = await browser_of(ctx)
    page = await session.page(ctx)
    text = cleaned(session.hidden(await _text_of(page, "body")))
    told = "Take from the page what the schema asks for. Leave out what is not there; never invent. " + instruction
    asked = framed(text[:EXTRACT_CHARACTERS], page.url)
    reply = await ctx.consult(
        ModelRequest(
            role="fast", system=told, contents=[{"role": "user", "parts": [{"text": asked}]}], json_schema=dict(schema)
        )
    )
    try:
        found = json.loads(reply.text)
    except ValueError as error:
        raise ToolFailed("invalid", f"what the model made of the page is no JSON: {reply.text[:200]!r}") from error
    if wrong := matches(found, schema):
        raise ToolFailed("invalid", f"what the model made of the page does not fit the schema: {wrong}")
    return {"url": page.url, "complete": len(text) <= EXTRACT_CHARACTERS, "data": all_cleaned(found)}


# ---- what an answer holds ----------------------------------------------------------------------------------------


async def _seen(ctx: ToolContext, session: Session, page: Page, most: int = SHOWN) -> dict[str, Any]:
    """The page in front as it is now, and what happened meanwhile."""
    page, title, seen = await _looked(ctx, session, page)
    text = cleaned(session.hidden(seen.text))
    if seen.media_type.startswith(_NO_PAGES):
        session.tabs.happened.notes.append(f"this is {seen.media_type}, not a page: web_fetch downloads it with save_as")
    downloads, happened = await _downloaded(ctx, session), session.what_happened()
    told: dict[str, Any] = {"url": page.url, "title": title[:200]}
    told |= {"tabs": session.tabs.addresses()} if len(session.tabs.addresses()) > 1 else {}
    told |= {name: value for name, value in all_cleaned(asdict(happened)).items() if value}
    told |= {"downloads": all_cleaned(downloads)} if downloads else {}
    told |= {"complete": len(text) <= most}
    if len(text) > most:
        told["saved_as"] = f"browser/{file_name(page.url)}.txt"
        ctx.files.write(told["saved_as"], framed(text, page.url).encode("utf-8", "replace"))
    return told | {"snapshot": framed(text[:most], page.url)}


async def _looked(ctx: ToolContext, session: Session, page: Page) -> tuple[Page, str, Snapshot]:
    """The tab in front, its title and its snapshot, which belong together: a page that goes elsewhere meanwhile, closes itself
    or opens a tab is looked at again."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as TookTooLong

    why = "it goes elsewhere all the time"
    for _ in range(MOST_LOOKS):
        url = page.url
        try:
            seen, title = await session.look(page), await page.title()
            if page.url == url and session.tabs.front in (page, None):
                return page, cleaned(session.hidden(title)), seen
        except TookTooLong:
            await session.give_up(page)
        except Error as error:
            why = str(error).splitlines()[0][:200]
        page = await session.come(ctx)
    raise ToolFailed("unavailable", f"the page does not hold still: {why}", retryable=True)


async def _downloaded(ctx: ToolContext, session: Session) -> list[dict[str, Any]]:
    """Files that came down, saved among the run's files under the names the site gave them; none in the place of another."""
    from playwright.async_api import Error

    told = list[dict[str, Any]]()
    while session.tabs.downloads:
        download = session.tabs.downloads.pop(0)
        path = _free(ctx, f"downloads/{_plain_name(download.suggested_filename)}")
        try:
            with ctx.files.path_to_write(path) as to:
                await download.save_as(to)
            told.append({"path": path, "size_bytes": ctx.files.stat(path).size_bytes, "url": download.url})
        except (Error, ToolFailed) as error:
            told.append({"path": path, "failed": str(error).splitlines()[0][:200], "url": download.url})
        with suppress(Error):
            await download.delete()
    return told


def _free(ctx: ToolContext, path: str) -> str:
    """The path, or `a (2).csv` where there is `a.csv`, as browsers name what came twice."""
    stem, end = splitext(path)
    paths = chain([path], (f"{stem} ({number}){end}" for number in count(2)))
    return next(one for one in paths if not ctx.files.exists(one))


def _plain_name(name: str) -> str:
    kept = "".join(sign if sign.isalnum() or sign in "._- ()" else "_" for sign in cleaned(name)).strip(". ")
    return kept[-120:] or "file"


async def _place(ctx: ToolContext, session: Session, page: Page, ref: str) -> Any:
    """The element of a ref; raises `ToolFailed("not_found")` with a new snapshot if it is not there any more."""
    now = session.now(ref)
    place = page.locator(f"aria-ref={now}") if now else None
    if place is None or not await place.count():
        raise await _stale(ctx, session, page, ref)
    return place


async def _stale(ctx: ToolContext, session: Session, page: Page, ref: str) -> ToolFailed:
    seen = await _seen(ctx, session, page)
    return ToolFailed("not_found", f"there is no {ref!r} on the page now. A new snapshot:\n{seen['snapshot']}")


async def _acted(work: Awaitable[Any], what: str) -> None:
    """Raises `ToolFailed("conflict")` if nothing was done. That the page it leads to has not come yet is no failure."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as TookTooLong

    try:
        await work
    except Error as error:
        if not isinstance(error, TookTooLong) or not any(said in str(error) for said in _DONE):
            raise ToolFailed("conflict", f"{what}: {str(error).splitlines()[0][:200]}") from error


async def _text_of(page: Page, selector: str) -> str:
    from playwright.async_api import Error

    try:
        found: list[str] = await page.locator(selector).all_inner_texts()
    except Error as error:
        raise ToolFailed("invalid", f"selector: {selector!r} is none: {str(error).splitlines()[0][:200]}") from error
    if not found:
        raise ToolFailed("not_found", f"nothing on the page matches {selector!r}")
    return "\n".join(found)


async def shot(page: Page, *, full_page: bool) -> bytes:
    """A PNG of the page."""
    if full_page:
        height: int = await page.evaluate("() => document.documentElement.scrollHeight")
        if height > TALLEST:
            raise ToolFailed("too_large", f"the page is {height:,} pixels high; {TALLEST:,} are painted at most: name a ref")
    return await page.screenshot(full_page=full_page, animations="disabled", caret="hide", timeout=30_000)


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")
