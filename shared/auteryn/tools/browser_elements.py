"""What stands on a page as the model sees it: a snapshot whose elements have refs, and what a click on each of them is."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from auteryn.schema.record import Record

if TYPE_CHECKING:
    from playwright.async_api import Page

Kind = Literal["link", "tab", "field", "submit", "button", "other"]

FIELDS = frozenset(
    {"textbox", "searchbox", "combobox", "listbox", "checkbox", "radio", "switch", "slider", "spinbutton", "option"}
)
SNAPSHOT_SECONDS = 10
MOST_JUDGED = 300
"""Clickable elements looked at one by one; what comes after them counts as a button of a form."""
_LINE = re.compile(r"""^\s*- '?([a-z]+)(?: ("(?:[^"\\]|\\.)*"))?(.*?)\[ref=((?:f\d+)?e\d+)\]""")
_URL = re.compile(r"^\s*- /url: (.*)$")
_KIND = "() => [document.contentType, document.body ? null : document.documentElement?.textContent ?? '']"
"""And the words of a document without a body: there is nothing in it to point at, and the driver would wait for one."""
_IN_FORM = """e => {
    const one = e.closest('button, input, a, [role=button]') || e
    return !!(one.form || one.closest('form, [role=form], [role=search]'))
}"""


class Element(Record):
    """Something with a ref."""

    ref: str
    role: str
    name: str
    nth: int = 0
    """Which of those with the same role and name."""
    kind: Kind = "other"


class Snapshot(Record):
    text: str
    elements: tuple[Element, ...]
    media_type: str = "text/html"

    def by_ref(self) -> dict[str, Element]:
        return {one.ref: one for one in self.elements}


async def snapshot(page: Page) -> Snapshot:
    """The page now."""
    media_type, bare = await page.evaluate(_KIND)
    if bare is not None:
        return Snapshot(text=bare, elements=(), media_type=media_type)
    text = await page.aria_snapshot(mode="ai", timeout=SNAPSHOT_SECONDS * 1_000)
    elements, clickable = read(text)
    judged = await asyncio.gather(*(_in_form(page, ref) for ref in clickable[:MOST_JUDGED]))
    forms = dict(zip(clickable, judged, strict=False))
    return Snapshot(text=text, elements=tuple(_with_kind(one, clickable, forms) for one in elements), media_type=media_type)


def read(text: str) -> tuple[list[Element], list[str]]:
    """The elements of a snapshot, and the refs of those whose surroundings decide what a click is."""
    elements, clickable, seen = list[Element](), list[str](), Counter[tuple[str, str]]()
    for line in text.splitlines():
        if found := _LINE.match(line):
            role, name, rest, ref = found[1], _unquoted(found[2]), found[3] + line[found.end() :], found[4]
            elements.append(Element(ref=ref, role=role, name=name, nth=seen[role, name], kind=_by_role(role)))
            seen[role, name] += 1
            if elements[-1].kind == "other" and (role in ("button", "menuitem") or "[cursor=pointer]" in rest):
                clickable.append(ref)
        elif (to := _URL.match(line)) and elements and elements[-1].kind == "link" and "javascript:" in to[1].lower():
            clickable.append(elements[-1].ref)
    return elements, clickable


def same_places(before: Mapping[str, Element], now: Snapshot) -> dict[str, str]:
    """Refs of an earlier look at this page → the refs of the same elements now."""
    places = {(one.role, one.name, one.nth): one.ref for one in now.elements}
    return {ref: places[key] for ref, one in before.items() if (key := (one.role, one.name, one.nth)) in places}


def _by_role(role: str) -> Kind:
    match role:
        case "link":
            return "link"
        case "tab":
            return "tab"
        case _ if role in FIELDS:
            return "field"
        case _:
            return "other"


def _with_kind(one: Element, clickable: list[str], forms: dict[str, bool]) -> Element:
    if one.ref not in clickable:
        return one
    kind: Kind = "submit" if forms.get(one.ref, True) else "button"
    return Element(ref=one.ref, role=one.role, name=one.name, nth=one.nth, kind=kind)


async def _in_form(page: Page, ref: str) -> bool:
    from playwright.async_api import Error

    try:
        return bool(await page.locator(f"aria-ref={ref}").evaluate(_IN_FORM, timeout=2_000))
    except Error:
        return True  # gone already, or not to be looked into


def _unquoted(name: Any) -> str:
    if not name:
        return ""
    try:
        return str(json.loads(name))
    except ValueError:
        return str(name).strip('"')
