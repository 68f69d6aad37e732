"""From the bytes of a page to its text, word for word."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

ARTICLE_CHARACTERS = 500_000
"""In a larger page finding the article takes too long; it is given in full."""
DEEPEST = 1_000
"""Elements inside each other; browsers stop at 512, and parsing is quadratic in it."""
DEEPEST_TABLE = 500
"""Rows and columns a span may fill."""

_META = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w-]{2,40})""", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WEB = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""What browsers read under these names."""
_NEVER_SHOWN = "script, style, template, noscript, svg, math, iframe, object, embed, head > *:not(title), [hidden]"
_STYLED_AWAY = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])")
_ASIDE = "nav, footer, aside, header"
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hgroup",
        "legend",
        "main",
        "nav",
        "ol",
        "optgroup",
        "option",
        "p",
        "section",
        "select",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)")
_NEVER_OPEN = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "dt",
        "dd",
        "td",
        "th",
        "tr",
        "tbody",
        "thead",
        "tfoot",
        "option",
        "optgroup",
        "html",
        "head",
        "body",
        "script",
        "style",
        "path",
        "circle",
        "rect",
        "line",
        "use",
        "g",
    ]
)
"""Elements without an end, or whose end may be left out."""
_WORD = re.compile(r"\w+")
_TARGET = re.compile(r"\]\([^)]*\)")
_FIGURE = re.compile(r"[$€£¥₹]\s?\d[\d.,]*\d|[$€£¥₹]\s?\d|\d[\d.,]*\s?(?:[€£¥₹%]|EUR\b|USD\b|GBP\b|CHF\b)")


class Text(Record):
    """What a page says."""

    title: str
    mode: str
    """`article` or `full`."""
    text: str
    note: str = ""


def decoded(body: bytes, content_type: str) -> str:
    """The text of bytes: by their mark, the header, what they say themselves, else by what they look like."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    told = re.search(r"charset\s*=\s*[\"']?\s*([\w-]+)", content_type, re.IGNORECASE)
    inside = _META.search(body[:4_096]) or _XML.search(body[:200])
    for name in (told and told[1], inside and inside[1].decode("ascii")):
        if codec := _codec(name or ""):
            try:
                return body.decode(codec)
            except UnicodeDecodeError:
                if told is None or codec != "utf-8":
                    break
    return _guessed(body)


def page_text(html: str, url: str, mode: str) -> Text:
    """The page as Markdown. An article that would lose figures (prices) or is hardly there is given in full instead."""
    tree = _shown(html)
    found = tree.css_first("title")
    title = " ".join(found.text().split()) if found is not None else ""
    full = full_text(tree, url)
    if mode != "article" or len(html) > ARTICLE_CHARACTERS:
        return Text(title=title, mode="full", text=full, note=_needs_script(html, full))
    article = _article(tree.html or "", url)
    for node in tree.css(_ASIDE):
        node.decompose()
    main = full_text(tree, url)
    lost = [figure for figure in dict.fromkeys(_FIGURE.findall(main)) if figure not in article]
    if lost:
        return Text(
            title=title, mode="full", text=full, note=f"the article alone would lack {', '.join(lost[:3])}: this is all"
        )
    share = len(_WORD.findall(article)) / max(1, len(_WORD.findall(_TARGET.sub("", main))))
    if share < 0.3:  # it took a part for the whole
        return Text(title=title, mode="full", text=full, note=_needs_script(html, full))
    return Text(title=title, mode="article", text=article if share < 0.8 else main)  # ours keeps more of its form


def links(html: str, url: str) -> list[str]:
    """Where the page's links lead, absolute, in order."""
    tree = _shown(html)
    base = tree.css_first("base[href]")
    at = urljoin(url, base.attributes.get("href") or "") if base is not None else url
    return [to for node in tree.css("a[href]") if (to := _absolute(at, node.attributes.get("href")))]


# ---- bytes to characters --------------------------------------------------------------------------------------------


def _codec(name: str) -> str:
    try:
        real = codecs.lookup(name).name
    except LookupError:
        return ""
    return _WEB.get(real, real) if codecs.lookup(real)._is_text_encoding else ""  # pyright: ignore[reportPrivateUsage]


def _guessed(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        few = sum(byte > 127 for byte in body[: 1 << 16]) < 32  # too few signs to tell an alphabet by
        best = None if few else from_bytes(body[: 1 << 16]).best()
        return body.decode(best.encoding if best else "cp1252", "replace")


# ---- the tree -------------------------------------------------------------------------------------------------------


def _shown(html: str) -> LexborHTMLParser:
    """The page without what a reader never sees: the usual place for words to a machine."""
    from selectolax.lexbor import LexborHTMLParser

    if _depth(html) > DEEPEST:
        raise ToolFailed("unsupported", f"the page nests more than {DEEPEST:,} elements: mode raw gives it as it is")
    tree = LexborHTMLParser(html)
    for node in tree.css(_NEVER_SHOWN):
        node.decompose()
    for node in tree.css("[style]"):
        if _STYLED_AWAY.search((node.attributes.get("style") or "").lower()):
            node.decompose()
    return tree


def _depth(html: str) -> int:
    """How deep the elements nest, if each that must be closed is."""
    depth = deepest = 0
    for closing, tag in _TAG.findall(html):
        if tag.lower() not in _NEVER_OPEN:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _article(html: str, url: str) -> str:
    import trafilatura

    options: dict[str, Any] = {"output_format": "markdown", "include_comments": False, "favor_recall": True}
    return trafilatura.extract(html, url=url, **options) or ""


def _needs_script(html: str, text: str) -> str:
    bare = len(text) < 300 and html.lower().count("<script") > 0
    return "hardly any text: the page seems to build itself with JavaScript, which was not run" if bare else ""


def full_text(tree: LexborHTMLParser, url: str) -> str:
    """Everything a reader can see, as Markdown: headings, lists, tables, links."""
    return _Markdown(url).written(tree.body) if tree.body is not None else ""


class _Markdown:
    """Writes a tree by a walk without recursion: hostile pages nest ten thousand deep."""

    def __init__(self, url: str, *, flat: bool = False) -> None:
        self._url, self._flat = url, flat
        self._lines, self._words = list[str](), list[str]()
        self._prefix, self._lists = "", list[str]()
        self._links = list[tuple[int, str]]()
        self._verbatim = 0

    def written(self, top: LexborNode) -> str:
        todo: list[tuple[Any, bool]] = [(child, True) for child in reversed(_children(top))]
        while todo:
            node, entering = todo.pop()
            if not entering:
                self._leave(node.tag)
            elif node.tag == "-text":
                self._say(node.text_content or "")
            elif node.tag == "table" and not self._flat and node.css_first("table table") is None and len(node.css("tr")) > 1:
                self._table(node)
            elif self._enter(node):
                todo.append((node, False))
                todo += [(child, True) for child in reversed(_children(node))]
        self._flush()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self._lines)).strip()

    def _say(self, text: str) -> None:
        self._words.append(text if self._verbatim else re.sub(r"\s+", " ", text))

    def _enter(self, node: LexborNode) -> bool:
        """Begin an element; whether its inside is to be written."""
        match node.tag:
            case "br":
                self._words.append("\n")
                return False
            case "hr":
                self._block("---")
                return False
            case "img":
                alt = " ".join((node.attributes.get("alt") or "").split())
                self._words.append(f"[image: {alt}]" if alt else "")
                return False
            case "a":
                self._links.append((len(self._words), _absolute(self._url, node.attributes.get("href"))))
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6" as tag:
                self._block("")
                self._prefix = "#" * int(tag[1]) + " "
            case "ul" | "ol" as tag:
                self._flush()
                self._lists.append(tag)
            case "li":
                self._flush()
                self._prefix = "  " * max(0, len(self._lists) - 1) + ("1. " if self._lists[-1:] == ["ol"] else "- ")
            case "pre":
                self._block("```")
                self._verbatim += 1
            case "td" | "th":
                self._words.append(" ")
            case tag if tag in _BLOCKS:
                self._block("")
            case _:
                pass
        return True

    def _leave(self, tag: str) -> None:
        match tag:
            case "a":
                self._end_link(*self._links.pop())
            case "ul" | "ol":
                self._flush()
                self._lists.pop()
            case "pre":
                self._flush()
                self._verbatim -= 1
                self._lines += ["```", ""]
            case "li" | "tr":
                self._flush()
            case "td" | "th":
                pass
            case _ if tag in _BLOCKS or tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
                self._block("")
            case _:
                pass

    def _end_link(self, since: int, to: str) -> None:
        text = "".join(self._words[since:]).strip()
        if not to or not text or "\n" in text:
            return
        self._words[since:] = [f"[{text}]({to})"]

    def _block(self, line: str) -> None:
        self._flush()
        if line or (self._lines and self._lines[-1]):
            self._lines.append(line)

    def _flush(self) -> None:
        """What was said becomes a line; a link that is still open goes on behind it."""
        text = "".join(self._words)
        self._words.clear()
        self._links = [(0, to) for _, to in self._links]
        text = text.strip("\n") if self._verbatim else re.sub(r" *\n *", "\n", re.sub(r"[ \t\r\f]+", " ", text)).strip()
        if text:
            self._lines.append(self._prefix + text)
            self._prefix = ""

    def _table(self, table: LexborNode) -> None:
        self._block("")
        rows = list(_rows(table, self._url))
        if not rows:
            return
        width = max(map(len, rows))
        for at, row in enumerate(rows):
            self._lines.append("| " + " | ".join(row + [""] * (width - len(row))) + " |")
            if at == 0:
                self._lines.append("|" + " --- |" * width)
        self._lines.append("")


def _rows(table: LexborNode, url: str) -> Iterator[list[str]]:
    """A table's cells, spans filled in: a value that spans rows is said in each of them."""
    hanging = dict[int, tuple[int, str]]()
    for row in table.css("tr"):
        cells, given = list[str](), [node for node in _children(row) if node.tag in ("td", "th")]
        while given or len(cells) in hanging:
            if (at := len(cells)) in hanging:
                left, text = hanging.pop(at)
                hanging |= {at: (left - 1, text)} if left > 1 else {}
                cells.append(text)
                continue
            cell = given.pop(0)
            text = " ".join(_Markdown(url, flat=True).written(cell).split()).replace("|", "\\|")
            down, across = _span(cell, "rowspan"), _span(cell, "colspan")
            for place in range(at, at + across):
                hanging |= {place: (down - 1, text if place == at else "")} if down > 1 else {}
            cells += [text, *[""] * (across - 1)]
        if any(cells):
            yield cells


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or "1"
    return min(max(1, int(value)), DEEPEST_TABLE) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _children(node: LexborNode) -> list[LexborNode]:
    return list(node.iter(include_text=True))


def _absolute(url: str, to: str | None) -> str:
    """The address a link leads to, if it leads into the web."""
    try:
        goal = urljoin(url, (to or "").strip())
    except ValueError:
        return ""
    return goal if goal.startswith(("http://", "https://")) else ""
