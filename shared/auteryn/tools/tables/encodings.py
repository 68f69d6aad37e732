"""In which encoding a text is, where nothing in the file says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][\x40-\x7b\x7d-\xff]+")
"""May be letters beyond ASCII: the second byte of a Japanese or Chinese one begins at 0x40."""
_LOOKED_AT = 4 << 20
_SAMPLE = 32 << 10
"""Bytes of different words that settle it."""
_FEW = 8
"""With fewer bytes beyond ASCII than these nothing tells one alphabet from another."""
_KNOWN = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
    *("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-13", "koi8-r", "koi8-u", "mac-cyrillic", "cp852", "cp866"),
    *("cp932", "euc-jp", "cp949", "gb18030", "big5"),
)
"""What programs have written tables in. ISO's Latin 1, 9 and 15 are cp1252 and cp1254 where they have letters."""
_LIKELIER = 1.75
"""Times that another encoding must be likelier than the Western one. Names from all over Western Europe are of no one language,
and look Hungarian: of 300 such lists one reached 1.5, none this; 11 of 150 Central European ones stay below it."""


def guessed(lines: Iterable[bytes]) -> str:
    """The likeliest encoding of text that is no UTF-8: Western, unless its words are clearly another language's."""
    words = b"\n".join(_words(lines))
    if sum(byte > 127 for byte in words) < _FEW:
        return "cp1252"
    from chardet import detect_all

    found = detect_all(words, include_encodings=_KNOWN, compat_names=False, ignore_threshold=True)
    likely = {one["encoding"]: one["confidence"] for one in found}
    best = max(likely, key=lambda name: likely[name])
    return best if best and likely[best] >= _LIKELIER * likely.get("cp1252", 0) else "cp1252"


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
