"""Pages of the owner's Confluence: read, searched, written once.

A write carries the call's key where it is part of the write itself: an update in the version's message, a new page in an
anchor nobody sees. A page property holds it as well. A repeat that finds its key anywhere has nothing left to do.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlencode

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.tools import foreseen
from auteryn.tools.egress import AnswerLost
from auteryn.tools.needs import CONFLUENCE_TOKEN, CONFLUENCE_URL, CONFLUENCE_USER, no_confluence
from auteryn.tools.refusals import refusal
from auteryn.tools.secrets import secret_of
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import all_cleaned, framed, notice

PROPERTY = "auteryn-call"
TRIES = 4
"""Of a write that others were faster than."""
ANSWER_BYTES = 8 << 20

Page = dict[str, Any]


@tool(effect="read", group="communicate", missing=no_confluence, untrusted=True, private=True)
async def confluence_read(
    ctx: ToolContext,
    page: Annotated[str | None, "Title or id of a page"] = None,
    query: Annotated[str | None, "Instead of one page: find those that speak of this"] = None,
    space: Annotated[str | None, "Key of the space; needed with a title"] = None,
    limit: Annotated[int, "Most results of a search", Meta(ge=1, le=50)] = 10,
) -> dict[str, Any]:
    """Read a Confluence page as Markdown, or find pages."""
    if (page is None) == (query is None):
        raise ToolFailed("invalid", "page, query: give one of them")
    if query is not None:
        return await _searched(ctx, query, space, limit)
    found = await _named(ctx, cast("str", page), space)
    return {
        "id": found["id"],
        "title": found["title"],
        "version": found["version"]["number"],
        "text": framed(_text(_body(found)), f"the Confluence page {found['title']!r}"),
    }


@tool(
    effect="keyed",
    permission="ask1",
    group="communicate",
    missing=no_confluence,
    sends=True,
    target=lambda args: str(args["space"]),
    preview=foreseen.wiki_page,
    serial=lambda args: f"{args['space']} {args['title']}",
)
async def confluence_write(
    ctx: ToolContext,
    space: Annotated[str, "Key of the space", Meta(min_length=1)],
    title: Annotated[str, "Title of the page; it is made if there is none", Meta(min_length=1, max_length=255)],
    body_markdown: Annotated[str, "The text, in Markdown", Meta(min_length=1, max_length=500_000)],
    parent: Annotated[str | None, "Title or id of the page above a new one"] = None,
    mode: Annotated[Literal["replace", "append", "create"], "create: only if there is none"] = "replace",
) -> dict[str, Any]:
    """Write a Confluence page: a new one, or the next version of one that is there."""
    place = await _space(ctx, space)
    before: str | None = None
    for _ in range(TRIES):
        page = await _titled(ctx, place, title)
        if page is not None and await _ours(ctx, page):
            return _told(page)
        _refuse(page, title, mode, before)
        before = _body(page) if page is not None else None
        written = await _written(ctx, place, title, body_markdown, parent, mode, page)
        if written is not None:
            await _marked(ctx, written["id"])
            return _told(written)
    raise ToolFailed("conflict", f"title: {title!r} is being changed by others all the time; try later")


# ---- writing -----------------------------------------------------------------------------------------------------


def _refuse(page: Page | None, title: str, mode: str, before: str | None) -> None:
    """What must not be overwritten: a page that should be new, or what somebody wrote since we looked."""
    if page is not None and mode == "create":
        raise ToolFailed("conflict", f"title: {title!r} is a page already (id {page['id']}): use mode replace or append")
    if page is not None and mode == "replace" and before is not None and _body(page) != before:
        raise ToolFailed("conflict", f"title: {title!r} was changed by somebody meanwhile: read it, merge, and write again")


async def _written(
    ctx: ToolContext, place: str, title: str, markdown: str, parent: str | None, mode: str, page: Page | None
) -> Page | None:
    """The page as written; None if another writer was first."""
    text = storage(markdown)
    fields: dict[str, Any] = {"spaceId": place, "status": "current", "title": title}
    if page is None:
        above = {"parentId": (await _named(ctx, parent, None, place))["id"]} if parent else {}
        body = {"representation": "storage", "value": text + _anchor(ctx.key)}
        return await _sent(ctx, "POST", "/api/v2/pages", fields | above | {"body": body})
    body = {"representation": "storage", "value": _body(page) + text if mode == "append" else text}
    version = {"number": page["version"]["number"] + 1, "message": f"Auteryn {ctx.key}"}
    return await _sent(ctx, "PUT", f"/api/v2/pages/{page['id']}", fields | {"id": page["id"], "body": body, "version": version})


async def _sent(ctx: ToolContext, method: str, path: str, fields: dict[str, Any]) -> Page | None:
    try:
        return await _call(ctx, method, path, fields)
    except AnswerLost as error:
        raise AnswerLost("ambiguous", f"the page may be written: the answer did not come ({error})") from error
    except ToolFailed as error:
        if error.kind == "conflict":
            return None
        raise


async def _ours(ctx: ToolContext, page: Page) -> bool:
    """Whether an earlier try of this call has written the page, even if others have changed it since."""
    if ctx.key in page["version"].get("message", "") or ctx.key in _body(page):
        return True
    if page["version"]["number"] == 1:
        return False
    said = await _call(ctx, "GET", f"/api/v2/pages/{page['id']}/versions?limit=50")
    if any(ctx.key in one.get("message", "") for one in said.get("results", [])):
        return True
    said = await _call(ctx, "GET", f"/api/v2/pages/{page['id']}/properties?{urlencode({'key': PROPERTY})}")
    return any(one.get("value") == ctx.key for one in said.get("results", []))


async def _marked(ctx: ToolContext, page: str) -> None:
    """The key as a page property. The write is known without it, so a failure here is only noted."""
    path = f"/api/v2/pages/{page}/properties"
    try:
        said = await _call(ctx, "GET", f"{path}?{urlencode({'key': PROPERTY})}")
        if old := next(iter(said.get("results", [])), None):
            version = {"number": old["version"]["number"] + 1}
            await _call(ctx, "PUT", f"{path}/{old['id']}", {"key": PROPERTY, "value": ctx.key, "version": version})
        else:
            await _call(ctx, "POST", path, {"key": PROPERTY, "value": ctx.key})
    except ToolFailed as error:
        ctx.log(f"the page {page} was written; its property {PROPERTY} was not: {error}", "warning")


def storage(markdown: str) -> str:
    """Markdown in Confluence's own form; raw HTML stays text."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "xhtmlOut": True}).enable("table").disable("image").render(markdown)


def _anchor(key: str) -> str:
    parameter = f'<ac:parameter ac:name="">{key}</ac:parameter>'
    return f'<p><ac:structured-macro ac:name="anchor">{parameter}</ac:structured-macro></p>'


def _told(page: Page) -> dict[str, Any]:
    link = page.get("_links", {}).get("webui", "")
    url = {"url": os.environ.get(CONFLUENCE_URL, "").rstrip("/") + link} if link else {}
    return {"id": page["id"], "title": page["title"], "version": page["version"]["number"], **url}


# ---- finding -----------------------------------------------------------------------------------------------------


async def _searched(ctx: ToolContext, query: str, space: str | None, limit: int) -> dict[str, Any]:
    words = query.replace("\\", " ").replace('"', " ")
    cql = f'type = page AND siteSearch ~ "{words}"' + (f' AND space = "{_plain(space)}"' if space else "")
    said = await _call(ctx, "GET", f"/rest/api/search?{urlencode({'cql': cql, 'limit': limit})}")
    pages = [
        {
            "id": one["content"]["id"],
            "title": one["content"]["title"],
            "excerpt": one.get("excerpt", ""),
            "changed": one.get("lastModified", ""),
        }
        for one in said.get("results", [])
        if "content" in one
    ]
    return {"pages": all_cleaned(pages), "note": notice("Confluence")}


def _plain(key: str) -> str:
    if not key.replace("~", "").replace("_", "").replace("-", "").isalnum():
        raise ToolFailed("invalid", f"space: {key!r} is no key of a space")
    return key


async def _named(ctx: ToolContext, page: str, space: str | None, place: str | None = None) -> Page:
    if page.isdigit():
        return await _call(ctx, "GET", f"/api/v2/pages/{page}?body-format=storage")
    if space is None and place is None:
        raise ToolFailed("invalid", f"space: is needed to find a page by its title {page!r}")
    found = await _titled(ctx, place or await _space(ctx, cast("str", space)), page)
    if found is None:
        raise ToolFailed("not_found", f"there is no page {page!r}; search for it with query")
    return found


async def _space(ctx: ToolContext, key: str) -> str:
    said = await _call(ctx, "GET", f"/api/v2/spaces?{urlencode({'keys': _plain(key)})}")
    if not said.get("results"):
        raise ToolFailed("not_found", f"space: there is no {key!r}, or the token may not see it")
    return str(said["results"][0]["id"])


async def _titled(ctx: ToolContext, place: str, title: str) -> Page | None:
    asked = urlencode({"space-id": place, "title": title, "body-format": "storage"})
    said = await _call(ctx, "GET", f"/api/v2/pages?{asked}")
    return next((one for one in said.get("results", []) if one["title"] == title), None)


def _body(page: Page) -> str:
    return str(page.get("body", {}).get("storage", {}).get("value", ""))


def _text(body: str) -> str:
    try:
        from auteryn.tools.web_text import page_text

        return page_text(body, "", "full").text
    except ModuleNotFoundError as error:
        raise ToolFailed("missing_extra", "reading pages needs pip install 'auteryn[web]'") from error


# ---- the interface -----------------------------------------------------------------------------------------------


async def _call(ctx: ToolContext, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    root = os.environ.get(CONFLUENCE_URL, "").rstrip("/")
    secret, user = secret_of(CONFLUENCE_TOKEN), os.environ.get(CONFLUENCE_USER, "")
    who = f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}" if user else f"Bearer {secret}"
    headers = {"authorization": who, "accept": "application/json", "content-type": "application/json"}
    body = json.dumps(fields).encode() if fields is not None else b""
    egress = ctx.egress.trusting(root)
    async with egress.open(method, root + path, headers=headers, body=body, most_bytes=ANSWER_BYTES) as answer:
        raw = await answer.body()
    if answer.status == 409 or (answer.status == 400 and b"already exists" in raw):
        raise ToolFailed("conflict", "another version was written first")
    if failed := refusal(answer.status, answer.headers, "Confluence", ctx.clock.now()):
        lost = fields is not None and answer.status >= 500
        raise AnswerLost(failed.kind, str(failed)) if lost else failed
    try:
        return cast("dict[str, Any]", json.loads(raw)) if raw else {}
    except ValueError as error:
        raise AnswerLost("unavailable", "Confluence answered what cannot be read") from error
