"""Watching a page for days: looks that are kept, differences that matter, one report for each change.

Text decides whether a page has changed; pictures show it. A page that says it is as it was is not even sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auteryn.errors import Invalid, ToolFailed
from auteryn.policy import durations
from auteryn.schema.change import Doc
from auteryn.schema.record import derived_id
from auteryn.schema.run import UntilTime
from auteryn.tools.compare_images import differing, side_by_side
from auteryn.tools.looks import KIND, Look, Watched
from auteryn.tools.monitor_text import Difference, difference, page_words, told, without_noise
from auteryn.tools.needs import no_browser, no_web
from auteryn.tools.refusals import refusal
from auteryn.tools.tool import Pause, ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, notice
from auteryn.tools.web import PAGE_BYTES, host_of, page_of, rendered

KEPT = 60
"""Looks remembered of one page; their texts and pictures stay in the files."""
SHORTEST = timedelta(minutes=1)
_NAME = re.compile(r"[a-z0-9]+")

Name = Annotated[str, "What you call this page", Meta(min_length=1, max_length=60)]
Ignore = Annotated[list[str], "RE2 expressions: what they match does not count", Meta(max_length=20)]


_look = tool(  # of both tools that fetch a page
    effect="idempotent",
    group="monitoring",
    missing=no_web,
    untrusted=True,
    sends=True,
    cost=2_000,
    timeout=timedelta(seconds=150),
    target=lambda args: host_of(str(args["url"])),
    address=lambda args: str(args["url"]),
    serial=lambda args: "page",
)


@_look
async def monitor_capture(
    ctx: ToolContext,
    url: Annotated[str, "http:// or https:// address", Meta(min_length=1)],
    name: Name,
    selector: Annotated[str | None, "CSS selector of the part that matters"] = None,
    screenshot: Annotated[bool, "Keep a picture as well, if the words have changed"] = True,
    ignore: Ignore = [],  # noqa: B006 - never changed
    dates: Annotated[bool, "Dates count, too"] = False,
    render: Annotated[bool, "Let a browser run the page's scripts first"] = False,
) -> dict[str, Any]:
    """Keep what a page says now, dated, to compare it later: its words without advertisements, clocks and tokens; a picture."""
    watched = await _watched(ctx, name, url, selector, ignore, dates=dates)
    look, changed = await _looked(ctx, watched, name, derived_id("look", ctx.call), screenshot=screenshot, render=render)
    return {"id": look.id, "changed": changed, "sha256": look.sha256, "text": look.text, "picture": look.picture}


@tool(effect="idempotent", group="monitoring", missing=no_web, untrusted=True, serial=lambda args: "page")
async def monitor_compare(
    ctx: ToolContext,
    name: Name,
    a: Annotated[str, "`previous`, `first`, or the id of a look"] = "previous",
    b: Annotated[str, "`latest`, or the id of a look"] = "latest",
    ignore: Ignore = [],  # noqa: B006 - never changed
    threshold: Annotated[float, "Share of changed words from which a change matters", Meta(ge=0, le=1)] = 0.0,
) -> dict[str, Any]:
    """Compare two looks at a page: what its words say otherwise, how much, which prices, and a picture of before and after."""
    doc = await ctx.store.doc(KIND, _id(ctx, name))
    watched = msgspec.convert(doc.body, Watched) if doc else None
    if watched is None or len(watched.looks) < 2:
        raise ToolFailed("not_found", f"there are no two looks at {name!r} yet: monitor_capture makes them")
    before, after = _named(watched, a), _named(watched, b)
    return await asyncio.to_thread(_compared, ctx, watched, name, before, after, ignore, threshold)


@_look
async def monitor_watch(
    ctx: ToolContext,
    url: Annotated[str, "http:// or https:// address", Meta(min_length=1)],
    name: Name,
    every: Annotated[str, "Span between two looks, e.g. `6h`"],
    until: Annotated[str, "How long altogether, counted from the first look, e.g. `7d`"],
    selector: Annotated[str | None, "CSS selector of the part that matters"] = None,
    screenshot: Annotated[bool, "Pictures of before and after"] = True,
    ignore: Ignore = [],  # noqa: B006 - never changed
    threshold: Annotated[float, "Share of changed words from which a change is reported", Meta(ge=0, le=1)] = 0.0,
    dates: Annotated[bool, "Dates count, too"] = False,
    render: Annotated[bool, "Let a browser run the page's scripts first"] = False,
) -> Any:
    """Watch a page and tell when its price or text changes: look on a fixed grid for days and come back at the first change
    that matters, or when the time is over.
    Nothing is thought or paid between. Call it again with the same name to go on."""
    try:
        span, whole = durations.parse(every, "every"), durations.parse(until, "until")
        if span < SHORTEST:
            raise Invalid("every", every, f"must be at least {durations.shown(SHORTEST)}")
    except Invalid as error:
        raise ToolFailed("invalid", str(error)) from error
    watched = await _watched(ctx, name, url, selector, ignore, dates=dates)
    start, now = watched.start or ctx.clock.now(), ctx.clock.now()
    last = int((min(start + whole, ctx.run.deadline_at) - start - timedelta(microseconds=1)) / span)
    index = min(int((now - start) / span), last)
    if watched.index < index or watched.reported == ctx.call:
        if watched.index < index:
            watched = msgspec.structs.replace(watched, start=start, index=index, reported="")
        key = derived_id("look", ctx.run.root, name, index)
        _, changed = await _looked(ctx, watched, name, key, screenshot=screenshot, render=render, reported=ctx.call)
        watched = await _watched(ctx, name, url, selector, ignore, dates=dates)
        if changed and len(watched.looks) > 1:
            pair = watched.looks[-2:]
            found = await asyncio.to_thread(_compared, ctx, watched, name, pair[0], pair[1], ignore, threshold)
            if found["significant"]:
                return {"look": index + 1, "looks": last + 1, "over": index >= last, **found}
    if watched.index >= last:
        return {"over": True, "looks": last + 1, "looked": watched.count, "changes": watched.changes}
    at = start + (watched.index + 1) * span
    return Pause(wait=UntilTime(at=at, call=ctx.call, reason=f"next look at {name}", again=True))


# ---- looking -----------------------------------------------------------------------------------------------------


async def _watched(ctx: ToolContext, name: str, url: str, selector: str | None, ignore: list[str], *, dates: bool) -> Watched:
    """What is known of the page, with what counts now. Another address under the same name begins anew."""
    doc = await ctx.store.doc(KIND, _id(ctx, name))
    known = msgspec.convert(doc.body, Watched) if doc else None
    if known is None or known.url != url:
        return Watched(url=url, selector=selector, ignore=ignore, dates=dates)
    if known.selector != selector:
        known = msgspec.structs.replace(known, etag="", modified="")
    return msgspec.structs.replace(known, selector=selector, ignore=ignore, dates=dates)


async def _looked(
    ctx: ToolContext, watched: Watched, name: str, key: str, *, screenshot: bool, render: bool, reported: str = ""
) -> tuple[Look, bool]:
    """One more look, kept; whether the words are others than before. A repeat of a look is the look."""
    last = watched.looks[-1] if watched.looks else None
    if last is not None and last.id == key:
        return last, len(watched.looks) > 1 and watched.looks[-2].sha256 != last.sha256
    words, etag, modified = await _words(ctx, watched, render=render)
    kept = _kept(ctx, last) if words is None or last is None else None
    text = words if words is not None else kept or ""
    counted = without_noise(text, watched.ignore, dates=watched.dates)
    sha256 = hashlib.sha256(counted.encode()).hexdigest()
    changed = last is None or sha256 != last.sha256
    if last is not None and not changed:
        look = msgspec.structs.replace(last, id=key, at=ctx.clock.now())
    else:
        base = f"monitors/{_slug(name)}/{watched.count + 1:04d}"
        ctx.files.write(f"{base}.txt", text.encode("utf-8", "replace"))
        picture = await _picture(ctx, watched.url, f"{base}.png") if screenshot else ""
        look = Look(id=key, at=ctx.clock.now(), sha256=sha256, text=f"{base}.txt", picture=picture)
    now = msgspec.structs.replace(
        watched,
        etag=etag,
        modified=modified,
        looks=(*watched.looks, look)[-KEPT:],
        count=watched.count + 1,
        changes=watched.changes + (changed and last is not None),
        reported=reported if changed else "",
    )
    body = msgspec.to_builtins(now)
    await ctx.store.put(Doc(kind=KIND, id=_id(ctx, name), scope=ctx.run.root, body=body, at=ctx.clock.now()))
    return look, changed and last is not None


async def _words(ctx: ToolContext, watched: Watched, *, render: bool) -> tuple[str | None, str, str]:
    """The page's words and its own marks of age; None if the server says that nothing has changed."""
    if render:
        found = await rendered(ctx, watched.url)
        return await asyncio.to_thread(page_words, found.text, watched.selector), "", ""
    asked = {"if-none-match": watched.etag, "if-modified-since": watched.modified} if watched.looks else {}
    asked = {name: value for name, value in asked.items() if value}
    async with ctx.egress.open("GET", watched.url, headers=asked, most_bytes=PAGE_BYTES) as answer:
        if answer.status == 304 and asked:
            return None, watched.etag, watched.modified
        if failed := refusal(answer.status, answer.headers, str(answer.url), ctx.clock.now()):
            raise failed
        found = await page_of(answer)
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    words = await asyncio.to_thread(page_words, found.text, watched.selector) if found.html else found.text
    return words, etag[:500], modified[:100]


async def _picture(ctx: ToolContext, url: str, path: str) -> str:
    """A picture of the page; none where there is no browser."""
    from auteryn.tools.browser import shot
    from auteryn.tools.browser_session import browser_of

    if why := no_browser():
        ctx.log(f"no picture of {url}: {why}", "warning")
        return ""
    session = await browser_of(ctx)
    async with session.aside(ctx, url) as (page, _):
        ctx.files.write(path, await shot(page, full_page=False))
    return path


def _kept(ctx: ToolContext, look: Look | None) -> str | None:
    return ctx.files.read(look.text).decode("utf-8", "replace") if look else None


# ---- comparing ---------------------------------------------------------------------------------------------------


def _compared(
    ctx: ToolContext, watched: Watched, name: str, before: Look, after: Look, ignore: list[str], threshold: float
) -> dict[str, Any]:
    ignored = [*watched.ignore, *ignore]
    old, new = (without_noise(_kept(ctx, look) or "", ignored, dates=watched.dates) for look in (before, after))
    found = difference(old, new, (f"{before.at:%Y-%m-%d %H:%M}", f"{after.at:%Y-%m-%d %H:%M}"))
    answer: dict[str, Any] = {"notice": notice(watched.url), "name": name, "url": watched.url, **told(found)}
    answer |= {"significant": _matters(found, threshold), "before": _shown(before), "after": _shown(after)}
    if found.changed and before.picture and after.picture and before.picture != after.picture:
        answer |= _pictured(ctx, before.picture, after.picture)
    return all_cleaned(answer)


def _matters(found: Difference, threshold: float) -> bool:
    """A price that is another one always does."""
    return found.changed and (bool(found.figures) or found.score >= threshold)


def _pictured(ctx: ToolContext, before: str, after: str) -> dict[str, Any]:
    bodies = ctx.files.read(before), ctx.files.read(after)
    boxes = differing(*bodies).boxes
    path = f"{after.removesuffix('.png')}-change.png"
    ctx.files.write(path, side_by_side(*bodies, boxes))
    return {"boxes": boxes, "image": path}


def _shown(look: Look) -> dict[str, str]:
    return {"id": look.id, "at": f"{look.at:%Y-%m-%dT%H:%M:%SZ}", "text": look.text, "picture": look.picture}


def _named(watched: Watched, which: str) -> Look:
    match which:
        case "latest":
            return watched.looks[-1]
        case "previous":
            return watched.looks[-2]
        case "first":
            return watched.looks[0]
        case _:
            found = next((look for look in watched.looks if look.id == which), None)
            if found is None:
                raise ToolFailed("not_found", f"there is no look {which!r}; the last is {watched.looks[-1].id!r}")
            return found


def _id(ctx: ToolContext, name: str) -> str:
    return f"{ctx.run.root}/{_slug(name)}"


def _slug(name: str) -> str:
    plain = "-".join(_NAME.findall(name.lower()))[:40]
    return plain if plain == name else f"{plain}-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"
