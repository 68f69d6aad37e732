"""Finds the vocabulary's words in a text, by kind."""

from __future__ import annotations

import re
from typing import NamedTuple

from auteryn.routing.words import VOCABULARY

WORD = re.compile(r"[^\W_]+(?:['.+-][^\W_]+)*")
_ASKING = re.compile(r"\b(?:can|could|would|will) you\b")


def kinds_of(low: str) -> dict[str, frozenset[str]]:
    """Kind of word → its distinct words in `low`, a text in lower case. "Could you …" is an order's politeness, not talk."""
    words = WORD.findall(_ASKING.sub(" ", low))
    line = f" {' '.join(words)} "
    found: dict[str, set[str]] = {}
    for word in set(words):
        for kind in _INDEX.words.get(word, ()):
            found.setdefault(kind, set()).add(word)
        for length in _INDEX.stem_lengths:
            for kind in _INDEX.stems.get(word[:length], ()):
                found.setdefault(kind, set()).add(word)
    for text, entries in ((line, _INDEX.phrases), (low, _INDEX.pieces)):
        for entry, kinds in entries.items():
            if entry in text:
                for kind in kinds:
                    found.setdefault(kind, set()).add(entry.strip())
    return {kind: frozenset(words) for kind, words in found.items()}


class _Index(NamedTuple):
    """Entry → kinds, by the way an entry is looked for."""

    words: dict[str, list[str]]
    stems: dict[str, list[str]]
    phrases: dict[str, list[str]]
    pieces: dict[str, list[str]]
    stem_lengths: tuple[int, ...]


def _index() -> _Index:
    words: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    phrases: dict[str, list[str]] = {}
    pieces: dict[str, list[str]] = {}
    for kind, entries in VOCABULARY.items():
        for entry in entries.split():
            plain = entry.strip("*").replace("_", " ")
            if entry.startswith("*") or not _spaced(plain):
                pieces.setdefault(plain, []).append(kind)
            elif " " in plain:
                phrases.setdefault(f" {plain} ", []).append(kind)
            elif entry.endswith("*"):
                stems.setdefault(plain, []).append(kind)
            else:
                words.setdefault(plain, []).append(kind)
    return _Index(words, stems, phrases, pieces, tuple(sorted(set(map(len, stems)))))


def _spaced(entry: str) -> bool:
    """Latin, Greek or Cyrillic script: words stand between spaces."""
    return all(ord(letter) < 0x530 or 0x1E00 <= ord(letter) < 0x2000 for letter in entry)


_INDEX = _index()
OPENERS: dict[str, frozenset[str]] = {kind: frozenset(entries.split()) for kind, entries in VOCABULARY.items()}
"""Kind → its words, for looking a clause's first word up."""
