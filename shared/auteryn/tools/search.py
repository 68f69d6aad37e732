"""Finding a tool by what it does, and the ranking that notes and memories are searched with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar

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
    words = {key: Counter(_words(text)) for key, text in texts.items()}
    lengths = {key: sum(counted.values()) for key, counted in words.items()}
    usual = max(1.0, sum(lengths.values()) / max(1, len(lengths)))
    scores = dict.fromkeys(texts, 0.0)
    for word in set(_words(query)):
        having = [key for key, counted in words.items() if word in counted]
        rarity = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
        for key in having:
            often = words[key][word]
            scores[key] += rarity * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * lengths[key] / usual))
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
