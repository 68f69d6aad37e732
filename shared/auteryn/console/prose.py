"""What a model wrote, as HTML that can do nothing: no tags of its own, no image, no address that runs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST = 200_000
"""Characters that are rendered; the rest of a longer text is left to the file."""


def html_of(markdown: str, *, links: bool = True, file: bool = False) -> str:
    """CommonMark with tables. Tags come out as the text they are, images as links nobody follows by looking; without `links`,
    links as they were written, address and all. A line ends where it was ended, as in a terminal, but not in a `file`.

    What may scroll on a narrow page, a table and code, can be reached by keyboard.
    """
    html = _renderer(links=links, breaks=not file).render(markdown[:LONGEST])
    return html.replace("<table>", '<table tabindex="0">').replace("<pre>", '<pre tabindex="0">')


@functools.cache
def _renderer(*, links: bool, breaks: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    options = {"html": False, "linkify": False, "breaks": breaks}
    markdown = MarkdownIt("commonmark", options).enable("table").enable("strikethrough").disable("image")
    if not links:
        markdown.disable(["link", "autolink", "reference"])
    markdown.add_render_rule("link_open", _link)
    for cell in ("th_open", "td_open"):
        markdown.add_render_rule(cell, _cell)
    return markdown


def _link(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A link leaves by another tab, and the page it leads to learns nothing of this one."""
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return renderer.renderToken(tokens, index, options, env)


def _cell(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A column's alignment as a class: the page's policy takes no style from a text."""
    style = str(tokens[index].attrs.pop("style", ""))
    if style:
        tokens[index].attrSet("class", style.removeprefix("text-align:"))
    return renderer.renderToken(tokens, index, options, env)
