"""Finding a tool by what it does, and the ranking that notes and memories are searched with."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Generic, TypeVar

from msgspec import Meta

from auteryn.policy.gates import FOREIGN
from auteryn.tools.catalogue import Listed
from auteryn.tools.registry import Registry, kept_out
from auteryn.tools.said import CONCEPTS, ENDINGS, SAID
from auteryn.tools.tool import Result, Tool, ToolContext, about, tool

Key = TypeVar("Key")

FOUND = 5
NAME, FIRST, WORDS, REST = (6, 3), (2, 1), (4, 0.3), (1, 0)
"""How much each part of what is said of a tool counts, literally and by what it may mean. Parameters are not read: they speak
of formats, not of wishes, and with any weight no more wishes were understood."""
MEANT = 0.6
"""What a word of a wish may mean, beside 1 for the word."""
_K1, _B = 1.2, 0.5
"""BM25's two figures; B below the usual 0.75 because descriptions are short and of like length."""
_SUM = re.compile(r"\d+[.,]\d+|\d ?%|[€$£] ?\d")
"""Figures that something is to be made of."""
_QUESTION = re.compile(r"(who|when|where|what|which|how|is|are|did|does)\b", re.IGNORECASE)
"""What the web may know."""
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "e", "y")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a about all also am an and any anything are as at be because been but by can could did do does done else "
        "everything for from get give go had has have he her here him his how i if in into is it its just last let "
        "like make many may me more most much must my need needs new no not now of on one only or other our out over "
        "please put same see she should show so some something still such take than that the their them then there "
        "these they thing this those to too two up us use using very want was we were what when where which while who "
        "whom whose why will with without would yes you your",
    )
)


@tool(effect="read", group="utility", cost=0)
async def tool_search(
    ctx: ToolContext, query: Annotated[str, "What you want to do, in a few words", Meta(min_length=1)]
) -> Result:
    """Find more tools by what they do. Those found can be called from the next turn on."""
    unseen = kept_out(ctx.run)
    names = [name for name in find(ctx.registry, query) if name not in unseen][:FOUND]
    found = [ctx.registry.get(name) for name in names]
    ctx.shown.update(one.name for one in found)
    told = {"tools": [{"name": one.name, "about": about(one)} for one in found]}
    return Result(output=told, labels=(FOREIGN,) if any(one.foreign_words for one in found) else ())


def find(registry: Registry, query: str) -> list[str]:
    """Names of the tools that do what the words say, best first."""
    asked = _meant(dict.fromkeys(_words(query), 1.0), MEANT)
    for ending in re.findall(r"\w\.([a-z0-9]{1,7})\b", query.lower()):
        asked |= {f"#{kind}": 1.0 for kind, known in ENDINGS.items() if ending in known.split()}
    if _SUM.search(query):
        asked.setdefault("#calculate", MEANT)
    if _QUESTION.match(query):
        asked.setdefault("#search", MEANT)
    return Index({one.name: _said(one) for one in registry.listed()}).best(asked)


def rank(query: str, texts: Mapping[Key, str]) -> list[Key]:
    """The keys whose text has a word of the query, best first (BM25); equals in the order given."""
    return index_of(texts).best(words_of(query))


def index_of(texts: Mapping[Key, str]) -> Index[Key]:
    return Index({key: {word: float(often) for word, often in Counter(_words(text)).items()} for key, text in texts.items()})


def words_of(query: str) -> dict[str, float]:
    """Each word of a query, all alike."""
    return dict.fromkeys(_words(query), 1.0)


class Index(Generic[Key]):
    """Bags of words made ready to be asked more than once."""

    def __init__(self, bags: Mapping[Key, Mapping[str, float]]) -> None:
        self._having = dict[str, dict[Key, float]]()
        """Word → how often it stands in which bag."""
        self._lengths = {key: sum(often for word, often in bag.items() if word[0] != "#") for key, bag in bags.items()}
        for key, bag in bags.items():
            for word, often in bag.items():
                self._having.setdefault(word, {})[key] = often
        self._usual = max(1.0, sum(self._lengths.values()) / max(1, len(bags)))

    def best(self, asked: Mapping[str, float]) -> list[Key]:
        """The keys whose bag has a word of `asked` (word → how much it counts), best first; equals in the order given."""
        scores = dict.fromkeys(self._lengths, 0.0)
        for word, counts in asked.items():
            having = self._having.get(word, {})
            rarity = math.log(1 + (len(scores) - len(having) + 0.5) / (len(having) + 0.5))
            for key, often in having.items():
                length = self._lengths[key] / self._usual
                scores[key] += counts * rarity * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length))
        return [key for key, score in sorted(scores.items(), key=lambda pair: -pair[1]) if score > 0]


def _said(tool: Tool | Listed) -> dict[str, float]:
    """What says most counts most, and so does what it means."""
    bag = defaultdict[str, float](float)
    parts = (tool.name, *NAME), (about(tool), *FIRST), (SAID.get(tool.name, ""), *WORDS), (tool.description, *REST)
    for text, literally, meant in parts:
        for word in _words(text):
            for what, counts in _meant({word: literally}, meant).items():
                bag[what] += counts
    return bag


def _meant(words: Mapping[str, float], counts: float) -> dict[str, float]:
    """The words, and beside them what they may mean."""
    return {f"#{one}": counts for word in words for one in _meanings().get(word, ())} | dict(words) if counts else dict(words)


@cache
def _meanings() -> dict[str, set[str]]:
    found = dict[str, set[str]]()
    for concept, words in CONCEPTS.items():
        for word in (concept, *words.split()):
            found.setdefault(_stem(word), set()).add(concept)
    return found


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W_]+", text.lower()):
        if any(letter >= "\u2e80" for letter in word):  # scripts without spaces: pairs of signs
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif word not in _COMMON:
            yield _stem(word)


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), "")
    return word[: len(word) - len(ending)] if ending else word
