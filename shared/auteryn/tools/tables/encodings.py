"""In which encoding a text is, where nothing in the file says it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][\x40-\x7b\x7d-\xff]+")
"""May be letters of another alphabet: the second byte of a Japanese or Chinese one begins at 0x40."""
_LOOKED_AT = 4 << 20
_SAMPLE = 32 << 10
"""Bytes of different words that settle it."""
_FEW = 8
"""With fewer bytes beyond ASCII than these nothing tells one alphabet from another."""
_FOREIGN = 0.55
"""Share of bytes beyond ASCII in such words: "München" has 1 of 7, "Москва" and "東京" nearly all."""
_USUAL = {
    "cp932": {0x82, 0x83, *range(0x88, 0x98)},
    "cp949": {*range(0xB0, 0xC9)},
    "euc_jp": {0xA4, 0xA5, *range(0xB0, 0xD0)},
    "gb18030": {*range(0xB0, 0xD8)},
    "big5": {*range(0xA4, 0xC7)},
}
"""First bytes of the letters in daily use. Bytes of one of these read as another are letters nobody knows."""
_ENOUGH = 0.85
_HEBREW = set(range(0xE0, 0xFB))
_ALPHABETS = ["cp1251", "koi8_r", "cp1253", "cp1256", "cp874"]


def guessed(lines: Iterable[bytes]) -> str:
    """The likeliest encoding of text that is no UTF-8: Western, unless its words are of other letters altogether."""
    words = _words(lines)
    signs = b"".join(words)
    if sum(byte > 127 for byte in signs) < max(_FEW, _FOREIGN * len(signs)):
        return "cp1252"
    share, name = max(((_usual(words, name), name) for name in _USUAL), key=lambda one: one[0])
    if share >= _ENOUGH:
        return name
    if _HEBREW.issuperset(byte for byte in signs if byte > 127):
        return "cp1255"
    from charset_normalizer import from_bytes

    best = from_bytes(b" ".join(words), cp_isolation=_ALPHABETS).best()
    return best.encoding if best else "cp1252"


def _words(lines: Iterable[bytes]) -> list[bytes]:
    """Different words that are not ASCII, from the beginning of the file."""
    found, read, size = dict[bytes, None](), 0, 0
    for line in lines:
        for word in _WORD.findall(line):
            size += 0 if word in found else len(word)
            found[word] = None
        read += len(line)
        if read > _LOOKED_AT or size > _SAMPLE:
            break
    return list(found)


def _usual(words: list[bytes], name: str) -> float:
    """Share of letters in daily use, if this is the encoding; 0 if it cannot be."""
    try:
        text = "".join(word.decode(name) for word in words)
    except UnicodeDecodeError:
        return 0.0
    letters = [sign for sign in text if unicodedata.category(sign) == "Lo"]
    return sum(sign.encode(name)[0] in _USUAL[name] for sign in letters) / max(1, len(letters))
