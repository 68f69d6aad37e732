"""Secrets in text: found by what they look like, by the name they stand under, or because we know them."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Collection
from io import BytesIO
from typing import Any, cast

from auteryn.policy.quotas import UNPACKED_BYTES

SHORTEST = 8
"""Characters of a known secret: shorter ones would be found in every second word."""

_LOOKS = rb"""
    AIza[0-9A-Za-z_-]{35}                                    # Google API keys
  | ya29\.[0-9A-Za-z_-]{20,}                                 # Google access tokens
  | auteryn_[0-9a-f]{12}_[0-9A-Za-z_-]{40,}                  # ours
  | sk-[0-9A-Za-z_-]{20,}
  | gh[pousr]_[0-9A-Za-z]{36,} | github_pat_[0-9A-Za-z_]{40,}
  | xox[abeprs]-[0-9A-Za-z-]{10,} | xapp-[0-9A-Za-z-]{20,}   # Slack
  | (?:AKIA|ASIA)[0-9A-Z]{16}
  | whsec_[0-9A-Za-z+/=]{24,}                                # of webhooks, ours among them
  | [rs]k_(?:live|test)_[0-9A-Za-z]{16,} | glpat-[0-9A-Za-z_-]{20,}
  | eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}
  | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY-----
"""
_UNDER_A_NAME = rb"""
    (?i: (?:password|passwd|secret|client_secret|api_?key|access_token|refresh_token|authorization)
         \\?["']? \s* [:=] \s* \\?["']? (?:bearer\s+|basic\s+)? )
    (?P<value>[^\s"'\\,;&<>{}\[\]]{8,})
"""
_IN_AN_ADDRESS = rb"""[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'\\]{0,100}:(?P<password>[^\s/:@"'\\]{3,100})@"""
_SECRET = re.compile(rb"(?P<looks>" + _LOOKS + rb")|" + _UNDER_A_NAME + rb"|" + _IN_AN_ADDRESS, re.VERBOSE | re.DOTALL)


def secrets_in(value: str) -> list[str]:
    """What is secret of a variable's value: the whole, and each text in it where it is a JSON object."""
    try:
        fields: Any = json.loads(value)
    except ValueError:
        return [value]
    parts = cast("dict[str, Any]", fields).values() if isinstance(fields, dict) else ()
    return [value, *(part for part in parts if isinstance(part, str))]


def scrubbed(raw: bytes, known: Collection[str] = ()) -> tuple[bytes, int]:
    """The same bytes with every secret struck out, character by character, and how many there were. JSON stays JSON."""
    found = 0

    def struck(match: re.Match[bytes]) -> bytes:
        nonlocal found
        found += 1
        name = match.lastgroup or ""
        begin, end = match.start(name) - match.start(), match.end(name) - match.start()
        return match[0][:begin] + _stars(match[name]) + match[0][end:]

    raw = _SECRET.sub(struck, raw)
    for secret in sorted((one for one in known if len(one) >= SHORTEST), key=len, reverse=True):
        for body in {secret.encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode()}:  # as it is, and within JSON
            found += raw.count(body)
            raw = raw.replace(body, _stars(body))
    return raw, found


def scrubbed_file(body: bytes, known: Collection[str] = ()) -> tuple[bytes, int]:
    """The same for a file; of a zip, which office files are, each member. What is packed otherwise (PDF, pictures) stays as it
    is."""
    if not body.startswith(b"PK"):
        return scrubbed(body, known)
    try:
        return _scrubbed_zip(body, known)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError):  # broken, locked
        return scrubbed(body, known)


def _scrubbed_zip(body: bytes, known: Collection[str]) -> tuple[bytes, int]:
    out, found = BytesIO(), 0
    with zipfile.ZipFile(BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        if sum(one.file_size for one in old.infolist()) > UNPACKED_BYTES:
            return body, 0
        for one in old.infolist():
            clean, count = scrubbed(old.read(one), known)
            new.writestr(one, clean)
            found += count
    if 0 < (left := len(body) - len(out.getvalue())) < 1 << 16:
        with zipfile.ZipFile(out, "a") as new:
            new.comment = b"*" * left  # stars pack better than secrets: the size stays true
    return (out.getvalue(), found) if found else (body, 0)


def _stars(secret: bytes) -> bytes:
    """As long as the secret: sizes and places stay true."""
    return b"*" * len(secret)
