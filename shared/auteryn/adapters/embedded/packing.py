"""JSON bodies, made small where they will lie for long: what a run is created with and what it leaves with.

A body is either JSON, which never begins with `x`, or a zlib stream against a dictionary, which always does. Large entries in
the middle of a slice stay JSON: there the microseconds count.
"""

from __future__ import annotations

import zlib

from auteryn.adapters.embedded.tables import PAGE_BYTES
from auteryn.adapters.embedded.words import WORDS_1, WORDS_2
from auteryn.errors import Corrupt

_DICTIONARIES = {zlib.adler32(words): words for words in (WORDS_1, WORDS_2)}

_STREAM = b"x"
"""How a zlib stream with a 32 kB window begins; JSON never does."""

_MEMORY = 6
"""zlib's level: with more it clears a quarter of a megabyte for every body, ten times the work of packing a small one."""

SHORT_BYTES = 100
"""Shorter bodies stay as they are."""

LARGE_BYTES = 700

SPILLS_FROM = PAGE_BYTES - 38
"""Body bytes from which SQLite moves most of a row to pages of its own (row header included, page bytes - 35 stay)."""

AWKWARD_FROM = 800
"""Measured over pairs of sizes: filled up from here on, they keep 1.1 to 1.5 times the payload; left alone up to 2.1 times."""


def packed(body: bytes) -> bytes:
    """Smaller, and readable by `unpacked` for ever; some 10 µs for a kilobyte."""
    if len(body) < SHORT_BYTES:
        return body
    stream = zlib.compressobj(3, zlib.DEFLATED, 15, _MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS_2)
    return stream.compress(body) + stream.flush()


def packed_if_small(body: bytes) -> bytes:
    """For the entries in the middle of a slice, where the microseconds count: a small body is mostly names, which pack to
    less than half in 10 µs; a large one is mostly what somebody wrote."""
    return packed(body) if len(body) < LARGE_BYTES else body


def settled(body: bytes) -> bytes:
    """A body that nearly fills a page is filled up with spaces until it spills: else the row beside it has no room there, and
    two pages hold what could share one."""
    return body.ljust(SPILLS_FROM) if AWKWARD_FROM <= len(body) < SPILLS_FROM else body


def unpacked(body: bytes, *, where: str) -> bytes:
    """The JSON; raises `Corrupt` naming `where` for a broken stream."""
    if body[:1] != _STREAM:
        return body
    try:
        stream = zlib.decompressobj(zdict=_DICTIONARIES.get(int.from_bytes(body[2:6]), b""))
        plain = stream.decompress(body) + stream.flush()
        if not stream.eof:
            raise zlib.error("the stream is cut off")
    except zlib.error as error:
        raise Corrupt(f"{where} cannot be read: {error}") from error
    return plain
