"""Finding a tool by what it does, and the ranking that notes and memories are searched with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta

from auteryn.tools.tool import Tool, ToolContext, tool

Key = TypeVar("Key")

FOUND = 5
_K1, _B = 1.2, 0.5
"""BM25's two figures; B below the usual 0.75 because descriptions are short and of like length."""
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "e", "y")
_COMMON = frozenset(
    re.findall(
        r"\w+", "a an and are as at be by for from i in into is it me my of on or our so that the then this to us we with"
    )
)


@tool(effect="read", group="utility", cost=0)
async def tool_search(
    ctx: ToolContext, query: Annotated[str, "What you want to do, in a few words", Meta(min_length=1)]
) -> dict[str, Any]:
    """Find more tools by what they do. Those found can be called from the next turn on."""
    found = rank(query, {one.name: _said(one) for one in ctx.registry})[:FOUND]
    ctx.shown.update(found)
    return {"tools": [{"name": name, "about": about(ctx.registry.get(name))} for name in found]}


def about(tool: Tool) -> str:
    """The first sentence of the description: a tool's one line in an index."""
    return re.split(r"(?<=\.)\s", tool.description.strip(), maxsplit=1)[0]


def rank(query: str, texts: Mapping[Key, str]) -> list[Key]:
    """The keys whose text has a word of the query, best first (BM25); equals in the order given."""
    return Index(texts).best(query)


class Index(Generic[Key]):
    """Texts made ready to be asked more than once."""

    def __init__(self, texts: Mapping[Key, str]) -> None:
        self._having = dict[str, dict[Key, int]]()
        """Word → how often it stands in which text."""
        self._lengths = dict.fromkeys(texts, 0)
        for key, text in texts.items():
            for word, often in Counter(_words(text)).items():
                self._having.setdefault(word, {})[key] = often
                self._lengths[key] += often
        self._usual = max(1.0, sum(self._lengths.values()) / max(1, len(texts)))

    def best(self, query: str) -> list[Key]:
        """The keys whose text has a word of the query, best first; equals in the order given."""
        scores = dict.fromkeys(self._lengths, 0.0)
        for word in set(_words(query)):
            having = self._having.get(word, {})
            rarity = math.log(1 + (len(scores) - len(having) + 0.5) / (len(having) + 0.5))
            for key, often in having.items():
                length = self._lengths[key] / self._usual
                scores[key] += rarity * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length))
        return [key for key, score in sorted(scores.items(), key=lambda pair: -pair[1]) if score > 0]


def _said(tool: Tool) -> str:
    """The name counts three times: it is the shortest description there is."""
    parameters: dict[str, Any] = tool.parameters.get("properties", {})
    told = " ".join(str(one.get("description", "")) for one in parameters.values())
    return f"{(tool.name + ' ') * 3} {tool.description} {' '.join(parameters)} {told}"


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W_]+", text.lower()):
        if any(letter >= "\u2e80" for letter in word):  # scripts without spaces: pairs of signs
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif word not in _COMMON:
            yield _stem(word)


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), "")
    return word[: len(word) - len(ending)] if ending else word
