"""Spans of time: written by people, read exactly, shown as the metrics show them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auteryn.errors import Invalid
from auteryn.policy.durations import parse, shown


@pytest.mark.proves("P93")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("6h", 21_600),
        ("2h30m", 9_000),
        ("2h 15m 30s", 8_130),
        ("7d", 604_800),
        ("1w", 604_800),
        ("1W 2D", 777_600),
        (" 1h ", 3_600),
        ("0h 5m", 300),
    ],
)
def test_a_span_is_understood(text: str, seconds: int) -> None:
    assert parse(text) == timedelta(seconds=seconds)


@pytest.mark.proves("P93", "L15")
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "6",
        "h",
        "six hours",
        "-6h",
        "1.5h",
        "6 hours",
        "6h6h",
        "30m2h",
        "1y",
        "6h!",
        "0s",
        "0w0s",
        "٣h",
        "9" * 10 + "s",
        "999999999w",
    ],
)
def test_what_is_no_span_is_refused_with_field_value_and_rule(text: str) -> None:
    with pytest.raises(Invalid, match=r"^max_duration: ") as refused:
        parse(text, "max_duration")
    assert refused.value.field == "max_duration" and refused.value.value == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(hours=2, minutes=15, seconds=30), "2h 15m 30s"),
        (timedelta(), "0s"),
        (timedelta(seconds=59.9), "59s"),
        (timedelta(hours=2), "2h"),
        (timedelta(days=1, hours=2), "1d 2h"),
        (timedelta(weeks=1), "7d"),
        (timedelta(seconds=-5), "0s"),
    ],
)
def test_a_span_is_shown_without_empty_units(span: timedelta, text: str) -> None:
    assert shown(span) == text


@given(st.integers(1, 10**8))
def test_what_is_shown_is_read_back(seconds: int) -> None:
    assert parse(shown(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
