"""Stored bodies stay readable for ever."""

from __future__ import annotations

import hashlib
import os
import zlib

import pytest

from auteryn.adapters.embedded.packing import packed, settled, unpacked
from auteryn.adapters.embedded.words import WORDS_1, WORDS_2
from auteryn.errors import Corrupt
from auteryn.schema.record import to_json
from auteryn.schema.versions import read_entry
from conformance.samples import newborn


@pytest.mark.parametrize(
    "body", [b"{}", b'{"a":1}' * 100, to_json(newborn().entry), b'{"x":"' + os.urandom(40_000).hex().encode() + b'"}']
)
def test_what_was_packed_is_unpacked(body: bytes) -> None:
    assert unpacked(packed(body), where="here") == body
    assert len(packed(body)) <= len(body)


@pytest.mark.parametrize("size", [1, 799, 800, 985, 986, 5_000])
def test_a_body_that_was_filled_up_reads_the_same(size: int) -> None:
    entry = newborn("x" * size).entry
    for body in (to_json(entry), packed(to_json(entry))):
        assert read_entry(unpacked(settled(body), where="here")) == entry


def test_plain_json_is_read_as_it_is() -> None:
    assert unpacked(b'{"x":1}', where="here") == b'{"x":1}'


@pytest.mark.parametrize("harm", [lambda b: b[:-3], lambda b: b[:20] + b"\xff\xff" + b[22:], lambda b: b[:2] + b"????" + b[6:]])
def test_a_damaged_stream_is_corrupt_and_says_where(harm) -> None:
    with pytest.raises(Corrupt, match="run_1"):
        unpacked(harm(packed(to_json(newborn().entry))), where="the summary of run_1")


@pytest.mark.proves("L13")
@pytest.mark.parametrize(
    ("words", "sha256"),
    [
        (WORDS_1, "1bd7fd9624e271f8d73b940c70130066899561ae406d3067e95e16820fcd3031"),
        (WORDS_2, "c265d5b54ea763497eeec25c6c99a4f81f3cc40bb249311c44c8ee54b8446e9f"),
    ],
)
def test_the_words_are_never_edited(words: bytes, sha256: str) -> None:
    """Every stream ever stored is read with exactly these bytes."""
    assert hashlib.sha256(words).hexdigest() == sha256
    stream = zlib.compressobj(zdict=words)
    assert unpacked(stream.compress(b'{"kind":"told"}') + stream.flush(), where="here") == b'{"kind":"told"}'
