"""Text that means a number or a date, and the SQL that makes it one. Pure; values are samples of one column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from auteryn.tools.tables.words import identifier

ENOUGH = 0.8
"""Share of the sample that must fit: a few "n/a" do not hide a column of numbers."""

_DRESSED = re.compile(
    r"[-+(]?\s*(?:[A-Z]{3}\s*|[$€£¥₹]\s*)?[-+]?\s*"
    r"(?:\d{1,3}(?:[.,'\u00a0\u202f\u2009 ]\d{2,3})+|\d+)(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
    r"\s*(?:%|[A-Z]{3}|[$€£¥₹])?\s*\)?-?"
)
"""A number in work clothes: sign, currency, grouping, exponent, percent, brackets or a last minus for negative."""

_CLOTHES = r"\s\p{Z}\p{Sc}%()+''"
"""What is taken off, in DuckDB's expressions. Nothing else is: of "<5" or "Q1" no number is made."""
_BARE = "^-?[0-9.]+([eE]-?[0-9]+)?$"
"""What must be left, else NULL: no NaN of "nan"."""

_LEADING_ZERO = re.compile(r"0\d+")
"""A postcode or an id: digits that are no number."""

_MAYBE_DATE = re.compile(r"(?=.*\d\d)[\w .,/-]{6,20}")
_PROBED = 50
"""Values spread over the sample that are tried first. Trying every form is slow, and most text is no date."""

_GROUPED_THREES = re.compile(r"\d{1,3}(?:([.,'\u00a0\u202f\u2009 ])\d{3})+")
_DATES = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%Y.%m.%d",
    "%Y/%m/%d",
    "%Y%m%d",
)
"""Of two that fit as many values the first is taken."""
_NARROW = {"%Y%m%d": re.compile(r"(?:19|20)\d{6}"), "%d.%m.%y": re.compile(r"\d\d\.\d\d\.\d\d")}
"""What else such a date must look like: 1.2.30 is a version, 30000101 a number."""


def cast_hint(column: str, values: Sequence[str]) -> str | None:
    """One sentence with the SQL that turns this text column into numbers or dates; None if it is just text."""
    told = [value.strip() for value in values if value and value.strip()]
    if not told:
        return None
    if forms := _date_forms(told):
        either = " (day first or month first: both fit)" if _both_fit(told, forms) else ""
        return f"dates as text, such as {told[0]!r}{either}: use {_as_date(column, forms)}"
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
    quoted = identifier(column)
    off = f"[{_CLOTHES}{'.' if comma else ','}]"
    if any(re.search("[A-Z]{3}", number) for number in numbers):
        off = f"[A-Z]{{3}}|{off}"
    if trailing := any(number.endswith("-") for number in numbers):
        off = rf"-\s*$|{off}"
    expression = f"regexp_replace({quoted}, '{off}', '', 'g')"
    if comma:
        expression = f"replace({expression}, ',', '.')"
    expression = f"TRY_CAST(regexp_extract({expression}, '{_BARE}') AS DOUBLE)"
    signs = [f"{quoted} LIKE '%(%'"] * any(one.startswith("(") for one in numbers)
    signs += [f"rtrim({quoted}) LIKE '%-'"] * trailing
    if signs:
        expression = f"{expression} * CASE WHEN {' OR '.join(signs)} THEN -1 ELSE 1 END"
    return f"{expression} / 100" if all(number.rstrip(" )").endswith("%") for number in numbers) else expression


def _date_forms(values: Sequence[str]) -> list[str]:
    """The forms in which nearly all values are dates, that of most values first; none if they are not."""
    forms, left = list[str](), [value for value in values if _MAYBE_DATE.fullmatch(value)]
    probe = left[:: max(1, len(left) // _PROBED)]
    dates = sum(any(_is_date(value, form) for form in _DATES) for value in probe)
    if len(left) < ENOUGH * len(values) or dates * 2 < len(probe):
        return []
    fitting = 0
    while left:
        best = max(_DATES, key=lambda form: sum(_is_date(value, form) for value in left))
        others = [value for value in left if not _is_date(value, best)]
        if len(others) == len(left):
            break
        fitting += len(left) - len(others)
        forms.append(best)
        left = others
    return forms if fitting >= ENOUGH * len(values) else []


def _both_fit(values: Sequence[str], forms: Sequence[str]) -> bool:
    """Whether a form of these could as well have day and month the other way round."""
    return any(
        form.startswith("%d/%m") and all(_is_date(one, "%m/%d" + form[5:]) for one in values if _is_date(one, form))
        for form in forms
    )


def _as_date(column: str, forms: Sequence[str]) -> str:
    told = ", ".join(f"'{form}'" for form in forms)
    return f"TRY_STRPTIME({identifier(column)}, {told if len(forms) == 1 else f'[{told}]'})::DATE"


def _is_date(value: str, form: str) -> bool:
    if form in _NARROW and not _NARROW[form].fullmatch(value):
        return False
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True
