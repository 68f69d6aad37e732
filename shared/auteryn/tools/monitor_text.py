"""What of a page counts when two looks at it are compared: its words, without advertisements, clocks and tokens."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Any

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record
from auteryn.tools.files import compiled
from auteryn.tools.untrusted import cleaned

LONGEST_DIFF = 3_000
MOST_LINES = 4_000
"""Compared line by line; what comes after them counts as one line."""
_NEVER = "script, style, template, noscript, iframe, svg, [hidden], [aria-hidden=true]"
_ADS = (
    "ins.adsbygoogle, [id^=google_ads], [id^=div-gpt-ad], [class~=ad], [class~=ads], [class~=advert], [class~=advertisement],"
    "[class~=banner-ad], [class~=sponsored], [id=ad], [id=ads], [data-ad], [data-ad-slot], [aria-label=Advertisement],"
    "[aria-label=advertisement]"
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez"
_NOISE = (
    (re.compile(r"\b\d{4}-\d{2}-\d{2}(?=T\d|\b)"), "‹date›"),
    (re.compile(rf"\b\d{{1,2}}\.? (?:{_MONTHS})[a-zä]*\.?,? \d{{4}}\b", re.IGNORECASE), "‹date›"),
    (re.compile(rf"\b(?:{_MONTHS})[a-zä]*\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b", re.IGNORECASE), "‹date›"),
    (re.compile(r"\b\d{1,2}[./]\d{1,2}[./]\d{4}\b"), "‹date›"),
    (
        re.compile(
            r"(?:(?<=›)T|\b)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[ap]\.?m\b\.?)?(?:Z\b|[+-]\d{2}:?\d{2}\b)?", re.IGNORECASE
        ),
        "‹time›",
    ),
    (re.compile(r"\b\d+ (?:second|minute|hour)s? ago\b", re.IGNORECASE), "‹time›"),
    (re.compile(r"\b(?=[0-9a-zA-Z_-]*\d)(?=[0-9a-zA-Z_-]*[a-zA-Z])[0-9a-zA-Z_-]{20,}\b"), "‹token›"),
)
"""Changes on every look and means nothing: dates, times, session tokens."""
_FIGURE = re.compile(r"[$€£¥₹]\s?\d[\d.,]*|\d[\d.,]*\s?(?:[€£¥₹%]|(?:EUR|USD|GBP|CHF)\b)|\b\d[\d.,]*\b")


class Difference(Record):
    """What two texts do not have in common."""

    changed: bool
    score: float
    """Share of the words that are not the same, 0 to 1."""
    diff: str = ""
    figures: list[dict[str, str]] = []
    """Numbers and prices that became others."""


def page_words(html: str, selector: str | None) -> str:
    """The words of a page, or of what a selector matches, one block a line, without advertisements."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    tree = LexborHTMLParser(html)
    for node in tree.css(f"{_NEVER}, {_ADS}"):
        node.decompose()
    try:
        nodes = tree.css(selector) if selector else [tree.body] if tree.body is not None else []
    except (ValueError, SelectolaxError) as error:
        raise ToolFailed("invalid", f"selector: {selector!r} is no CSS selector: {error}") from error
    if not nodes:
        raise ToolFailed("not_found", f"nothing on the page matches {selector!r}: has the page a new form?")
    return lines_of("\n".join(node.text(separator="\n", strip=True) for node in nodes))


def lines_of(text: str) -> str:
    """The text with one kind of spaces and letters, without empty lines."""
    lines = (" ".join(line.split()) for line in unicodedata.normalize("NFC", cleaned(text)).splitlines())
    return "\n".join(line for line in lines if line)


def without_noise(text: str, ignore: list[str], *, dates: bool) -> str:
    """The text as it is compared."""
    for pattern in ignore:
        text = compiled(pattern, "ignore").sub("", text)
    for pattern, instead in _NOISE:
        if not (dates and instead == "‹date›"):
            text = pattern.sub(instead, text)
    return lines_of(text)


def difference(before: str, after: str, names: tuple[str, str] = ("before", "after")) -> Difference:
    """What is not the same, line by line."""
    if before == after:
        return Difference(changed=False, score=0.0)
    old, new = _capped(before), _capped(after)
    words = difflib.SequenceMatcher(None, before.split()[:20_000], after.split()[:20_000], autojunk=True)
    diff = "\n".join(difflib.unified_diff(old, new, *names, n=1, lineterm=""))
    return Difference(
        changed=True,
        score=round(max(0.0001, 1 - words.ratio()), 4),
        diff=diff if len(diff) <= LONGEST_DIFF else f"{diff[:LONGEST_DIFF]}\n… (cut)",
        figures=_figures(old, new),
    )


def _capped(text: str) -> list[str]:
    lines = text.splitlines()
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], " ".join(lines[MOST_LINES:])]


def _figures(old: list[str], new: list[str]) -> list[dict[str, str]]:
    """Numbers that were replaced where the rest of the line stayed."""
    found = list[dict[str, str]]()
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for before, after in zip(old[a:b], new[c:d], strict=False) if what == "replace" else ():
            one, other = _FIGURE.findall(before), _FIGURE.findall(after)
            if one != other and _FIGURE.sub("", before) == _FIGURE.sub("", after):
                found += [{"before": x, "after": y, "line": after[:200]} for x, y in zip(one, other, strict=False) if x != y]
    return found[:50]


def told(found: Difference) -> dict[str, Any]:
    return {"changed": found.changed, "score": found.score, "diff": found.diff, "figures": found.figures}
