"""Finds the vocabulary's words in a text, by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from auteryn.routing.words import VOCABULARY

WORD = re.compile(r"[^\W_]+(?:['.+-][^\W_]+)*")
_ASKING = re.compile(r"\b(?:can|could|would|will) you\b")
_STEM = 4
"""Letters every stem has at least; they are looked up by these."""


def kinds_of(low: str) -> dict[str, frozenset[str]]:
    """Kind of word → its distinct words in `low`, a text in lower case. "Could you …" is an order's politeness, not talk."""
    words = WORD.findall(_ASKING.sub(" ", low))
    found: dict[str, set[str]] = {}
    for entry, kind in _entries(words, low):
        found.setdefault(kind, set()).add(entry)
    return {kind: frozenset(entries) for kind, entries in found.items()}


def _entries(words: list[str], low: str) -> Iterator[tuple[str, str]]:
    """(what was found, its kind)"""
    line = f" {' '.join(words)} "
    for word in set(words):
        for kind in _INDEX.words.get(word, ()):
            yield word, kind
        for stem, kind in _INDEX.stems.get(word[:_STEM], ()):
            if word.startswith(stem):
                yield word, kind
        for phrase, kind in _INDEX.phrases.get(word, ()):
            if f" {phrase} " in line:
                yield phrase, kind
    for piece, kind in _INDEX.pieces:
        if piece in low:
            yield piece, kind


class _Index(NamedTuple):
    """The vocabulary, by the way its entries are looked for."""

    words: dict[str, list[str]]
    """Word → kinds."""
    stems: dict[str, list[tuple[str, str]]]
    """First letters → (stem, kind)."""
    phrases: dict[str, list[tuple[str, str]]]
    """First word → (phrase, kind)."""
    pieces: list[tuple[str, str]]
    """(text found anywhere, kind)"""


def _index() -> _Index:
    index = _Index({}, {}, {}, [])
    for kind, entries in VOCABULARY.items():
        for entry in entries.split():
            plain = entry.strip("*").replace("_", " ")
            if entry.startswith("*") or not _spaced(plain):
                index.pieces.append((plain, kind))
            elif " " in plain:
                index.phrases.setdefault(plain.split()[0], []).append((plain, kind))
            elif entry.endswith("*"):
                index.stems.setdefault(plain[:_STEM], []).append((plain, kind))
            else:
                index.words.setdefault(plain, []).append(kind)
    return index


def _spaced(entry: str) -> bool:
    """Latin, Greek or Cyrillic script: words stand between spaces."""
    return all(ord(letter) < 0x530 or 0x1E00 <= ord(letter) < 0x2000 for letter in entry)


_INDEX = _index()
OPENERS: dict[str, frozenset[str]] = {kind: frozenset(entries.split()) for kind, entries in VOCABULARY.items()}
"""Kind → its words, for looking a clause's first word up."""
