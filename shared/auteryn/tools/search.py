"""Finding a tool by what it does, and the ranking that notes and memories are searched with."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Generic, TypeVar

from msgspec import Meta

from auteryn.policy.gates import FOREIGN
from auteryn.tools.registry import Registry
from auteryn.tools.said import SAID
from auteryn.tools.tool import Result, Tool, ToolContext, about, tool

Key = TypeVar("Key")

FOUND = 5
NAME, FIRST, WORDS, REST = 6, 2, 4, 1
"""How often each part of what is said of a tool counts. Parameters are not read: they speak of formats, not of wishes."""
_K1, _B = 1.2, 0.5
"""BM25's two figures; B below the usual 0.75 because descriptions are short and of like length."""
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "e", "y")
_WORD = re.compile(r"[A-Za-z]+(?:-[a-z]+)?")
_SAME = {
    word: same
    for same, words in {
        "spreadsheet": "excel xlsx xls ods workbook spreadsheets sheet sheets",
        "presentation": "powerpoint pptx slides deck slideshow",
        "table": "csv tsv parquet dataset tables columns",
        "picture": "image images photo photos screenshot pictures png jpg jpeg gif webp",
        "email": "mail e-mail mails emails inbox",
        "website": "site webpage homepage portal javascript browser",
        "news": "feed rss atom blog headlines posts",
        "chart": "plot graph diagram charts bar pie",
        "compress": "zip tar gz 7z archive unzip pack unpack",
        "remember": "memory memories memorise preferences remembered prefers",
        "delete": "remove trash rid erase",
        "rename": "move copy",
        "difference": "diff different differ compare differences identical changed versions otherwise",
        "watch": "monitor observe track eye",
        "keep": "store save saved write",
        "repeat": "schedule every recurring daily hourly",
        "pause": "sleep wait until tomorrow",
        "approve": "approval sign-off permission confirm decide",
        "question": "ask asks",
        "tell": "notify inform update progress alert",
        "note": "notes scratchpad jot",
        "api": "http rest endpoint interface",
        "compute": "calculate percent convert percentages math sum",
        "steps": "plan split break parallel",
        "deliver": "hand give finished artifact publish",
        "form": "fill type contact submit log login",
        "press": "click button tap",
        "read": "show view display contents",
        "web": "google internet online article articles recent",
        "disk": "file files document documents paragraph",
        "correct": "fix typo edit replace rewriting rewrite",
        "locate": "find where look called",
        "snapshot": "capture today dated",
    }.items()
    for word in words.split()
}
"""What people say → the one word that stands for it, in what is asked and in what tools say of themselves."""
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
    found = [ctx.registry.get(name) for name in find(ctx.registry, query)[:FOUND]]
    ctx.shown.update(one.name for one in found)
    told = {"tools": [{"name": one.name, "about": about(one)} for one in found]}
    return Result(output=told, labels=(FOREIGN,) if any(one.foreign_words for one in found) else ())


def find(registry: Registry, query: str) -> list[str]:
    """Names of the tools that do what the words say, best first."""
    return rank(_plain(query), {one.name: _plain(_said(one)) for one in registry})


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
    """What says most stands most often."""
    parts = (tool.name, NAME), (about(tool), FIRST), (SAID.get(tool.name, ""), WORDS), (tool.description, REST)
    return " ".join(f"{text} " * often for text, often in parts)


def _plain(text: str) -> str:
    """The text, and beside everyday words the one word that stands for them."""
    return _WORD.sub(lambda found: f"{found[0]} {_SAME[word]}" if (word := found[0].lower()) in _SAME else found[0], text)


def _words(text: str) -> Iterator[str]:
    for word in re.findall(r"[^\W_]+", text.lower()):
        if any(letter >= "\u2e80" for letter in word):  # scripts without spaces: pairs of signs
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif word not in _COMMON:
            yield _stem(word)


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), "")
    return word[: len(word) - len(ending)] if ending else word
