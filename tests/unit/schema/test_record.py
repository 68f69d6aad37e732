"""What may be stored, and what an odd value becomes before it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest

from auteryn.errors import Invalid
from auteryn.schema.record import plain, to_json

HALF = "a\udcffb"
ODD: dict[str, tuple[Any, Any]] = {
    "half of a pair": (HALF, "a?b"),
    "half of a pair, deep inside": ([{"names": {HALF: (HALF,)}}], [{"names": {"a?b": ["a?b"]}}]),
    "set": ({1}, [1]),
    "tuple": ((1, "é"), [1, "é"]),
    "numbers for keys": ({1: 2}, {"1": 2}),
    "no number": ([float("nan"), float("inf")], [None, None]),
    "large number": (10**30, 10**30),
    "moment": (datetime(2026, 5, 1, tzinfo=UTC), "2026-05-01T00:00:00Z"),
    "decimal": (Decimal("1.10"), "1.10"),
    "path": (PurePosixPath("a/b"), "a/b"),
    "error": (ValueError("why"), "why"),
}


@dataclass
class Point:
    x: int


@pytest.mark.parametrize("value, told", ODD.values(), ids=ODD)
def test_an_odd_value_becomes_what_the_journal_would_give_back(value: Any, told: Any) -> None:
    assert plain(value) == told
    assert plain(plain(value)) == told
    to_json(plain(value))


def test_a_dataclass_is_its_fields() -> None:
    assert plain([Point(1)]) == [{"x": 1}]


def test_what_has_no_end_has_a_note() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "has no JSON form" in plain(loop)["note"]


def test_half_of_a_pair_is_refused_before_anything_is_stored() -> None:
    with pytest.raises(Invalid, match="half of a surrogate pair at character 1"):
        to_json({"text": HALF})
