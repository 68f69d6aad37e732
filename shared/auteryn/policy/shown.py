"""Text as a person reads it before they decide: no sign in it makes other words appear than are meant (L14).

The same in every place that asks: `console/static/words.js` does for the console what is done here for pages without scripts,
mails, chats, terminals and plain text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

TURNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""The marks that turn the direction of the text around them."""
_TURNS = str.maketrans(dict.fromkeys(TURNS, "\ufffd"))
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def unturned(text: str) -> str:
    """The text with a visible sign in place of each mark."""
    return text.translate(_TURNS)


def exact_json(value: Any) -> str:
    """Arguments as JSON that is equal to them and hides nothing: each sign that would not be seen is written as its number."""
    return _BEYOND_ASCII.sub(_numbered, json.dumps(value, ensure_ascii=False, indent=2))


def _numbered(found: re.Match[str]) -> str:
    sign = found[0]
    return json.dumps(sign)[1:-1] if unicodedata.category(sign) == "Cf" else sign
