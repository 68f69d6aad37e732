"""Text that means a number or a date, and the SQL that makes it one. Pure; values are samples of one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

ENOUGH = 0.8
"""Share of the sample that must fit: a few "n/a" do not hide a column of numbers."""

_DRESSED = re.compile(
    r"[-+(]?\s*(?:[A-Z]{3}\s*|[$€£¥₹]\s*)?[-+]?\s*"
    r"(?:\d{1,3}(?:[.,'\u00a0\u202f\u2009 ]\d{2,3})+|\d+)(?:[.,]\d+)?"
    r"\s*(?:%|[A-Z]{3}|[$€£¥₹])?\s*\)?-?"
)
"""A number in work clothes: sign, currency, grouping, percent, brackets for negative."""

_LEADING_ZERO = re.compile(r"0\d+")
"""A postcode or an id: digits that are no number."""

_GROUPED_THREES = re.compile(r"\d{1,3}(?:([.,'\u00a0\u202f\u2009 ])\d{3})+")
_DATES = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%Y.%m.%d",
    "%Y%m%d",
)


def cast_hint(column: str, values: Sequence[str]) -> str | None:
    """One sentence with the SQL that turns this text column into numbers or dates; None if it is just text."""
    told = [value.strip() for value in values if value and value.strip()]
    if not told:
        return None
    if expression := _as_date(column, told):
        return f"dates as text, such as {told[0]!r}: use {expression}"
    numbers = [value for value in told if _DRESSED.fullmatch(value)]
    if len(numbers) < ENOUGH * len(told) or any(map(_LEADING_ZERO.fullmatch, numbers)):
        return None
    comma = _decimal_comma(numbers)
    if comma is None:
        return f"numbers as text in more than one notation, such as {numbers[0]!r}: clean them before you calculate"
    expression = _as_number(column, numbers, comma=comma)
    odd = [value for value in told if not _DRESSED.fullmatch(value)]
    others = f" (NULL for others, such as {odd[0]!r})" if odd else ""
    return f"numbers as text, such as {numbers[0]!r}: use {expression}{others}"


def _decimal_comma(numbers: Sequence[str]) -> bool | None:
    """Whether the comma is the decimal mark; None where the values contradict each other."""
    votes = {vote for number in numbers if (vote := _vote(number)) is not None}
    if len(votes) > 1:
        return None
    return votes.pop() if votes else False


def _vote(number: str) -> bool | None:
    """True: `1.234,5`. False: `1,234.5`. None: both readings are possible."""
    digits = re.sub(r"[^\d.,]", "", number).strip(".,")
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        return comma > point
    mark = "," if comma >= 0 else "."
    if mark not in digits:
        return None
    if digits.count(mark) > 1:
        return mark == "."
    if _GROUPED_THREES.fullmatch(digits):
        return None  # 1,234 may be 1234 or 1.234: the other values decide, else it is grouping
    return mark == ","


def _as_number(column: str, numbers: Sequence[str], *, comma: bool) -> str:
    kept = "," if comma else "."
    quoted = '"' + column.replace('"', '""') + '"'
    expression = f"regexp_replace({quoted}, '[^0-9{kept}-]', '', 'g')"
    if comma:
        expression = f"replace({expression}, ',', '.')"
    expression = f"TRY_CAST({expression} AS DOUBLE)"
    if any(number.startswith("(") for number in numbers):
        expression = f"{expression} * CASE WHEN {quoted} LIKE '%(%' THEN -1 ELSE 1 END"
    return f"{expression} / 100" if all(number.rstrip(" )").endswith("%") for number in numbers) else expression


def _as_date(column: str, values: Sequence[str]) -> str | None:
    quoted = '"' + column.replace('"', '""') + '"'
    for form in _DATES:
        if sum(_is_date(value, form) for value in values) >= ENOUGH * len(values):
            return f"TRY_STRPTIME({quoted}, '{form}')::DATE"
    return None


def _is_date(value: str, form: str) -> bool:
    if form == "%Y%m%d" and not re.fullmatch(r"(?:19|20)\d{6}", value):
        return False
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True
