"""What a model wrote, as HTML that can do nothing: no tags of its own, no image, no address that runs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST = 200_000
"""Characters that are rendered; the rest of a longer text is left to the file."""


def html_of(markdown: str) -> str:
    """CommonMark with tables. Tags come out as the text they are, images as links nobody follows by looking."""
    return _renderer().render(markdown[:LONGEST])


@functools.cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").enable("strikethrough").disable("image")
