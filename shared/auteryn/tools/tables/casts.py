"""Text that means a number or a date, and the SQL that makes it one. Pure; values are samples of one column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

from auteryn.tools.tables.words import identifier, literal

ENOUGH = 0.8
"""Share of the sample that must fit: a few "n/a" do not hide a column of numbers."""

_LETTERS = r"(?:US|CA?|AU?|HK|NZ|R)\$|[A-Z]{3}|zł|Kč|kr\.?|руб\.?|Rs\.?|Fr\.|元|円|원"
"""Currencies that are written with letters; the same in DuckDB's expressions."""
_MONEY = rf"(?:{_LETTERS}|[$£¥€\u20a0-\u20c0￥￦])"
_DRESSED = re.compile(
    rf"[-+(]?\s*{_MONEY}?\s*[-+(]?\s*"
    r"(?:\d{1,3}(?:[.,'’\u00a0\u202f\u2009 ]\d{2,3})+|\d+)(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
    rf"\s*(?:%|{_MONEY})?\s*\)?-?"
)
"""A number in work clothes: sign, currency, grouping, exponent, percent, brackets or a last minus for negative."""

_NOTHING = re.compile(rf"(?i)#?n\.?/?a\.?n?|null|none|nil|k\.\s?a\.|missing|{_MONEY}?\s*[-?.–—]+\s*{_MONEY}?")
"""What is written where there is no value: it tells nothing of the others."""

_CLOTHES = r"\s\p{Z}\p{Sc}%()+''’"
"""What is taken off, in DuckDB's expressions. Nothing else is: of "<5" or "Q1" no number is made."""
_BARE = "^-?[0-9.]+([eE]-?[0-9]+)?$"
"""What must be left, else NULL: no NaN of "nan"."""

_NAME = 80
"""Letters of a value that may be the name of something."""
_LEADING_ZERO = re.compile(r"0\d+")
"""A postcode or an id: digits that are no number."""

_MAYBE_DATE = re.compile(r"(?=.*\d\d)[\w .,/:-]{6,30}")
_TIMES = (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M", ", %H:%M:%S")
"""What may follow a date."""
_PROBED = 50
"""Values spread over the sample that are tried first. Trying every form is slow, and most text is no date."""

_GROUPED_THREES = re.compile(r"\d{1,3}(?:([.,'’\u00a0\u202f\u2009 ])\d{3})+")
_DATES = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d %b %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%B %d, %Y",
    "%d %B %Y",
    "%Y.%m.%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y-%m",
    "%b %Y",
    "%b-%y",
)
"""Of two that fit as many values the first is taken."""
_NARROW = {
    "%Y%m%d": re.compile(r"(?:19|20)\d{6}"),
    "%d.%m.%y": re.compile(r"\d\d\.\d\d\.\d\d"),
    "%Y-%m": re.compile(r"(?:19|20)\d\d-\d\d"),
}
"""What else such a date must look like: 1.2.30 is a version, 30000101 a number."""


def cast_hint(column: str, values: Sequence[str]) -> str | None:
    """One sentence with the SQL that turns this text column into numbers or dates; None if it is just text."""
    filled = [value.strip() for value in values if value and value.strip()]
    said = [value for value in filled if not _NOTHING.fullmatch(value)]
    if not said:
        return None
    signs, shown = _foreign(filled), said[0]
    text, told = _translated(identifier(column), signs), [value.translate(signs) for value in said]
    if forms := _date_forms(told):
        either = " (day first or month first: both fit)" if _both_fit(told, forms) else ""
        return f"dates as text, such as {shown!r}{either}: use {_as_date(text, forms)}"
    numbers = _numbers(told)
    if not numbers or any(map(_LEADING_ZERO.fullmatch, numbers)):
        return None
    comma = _decimal_comma(numbers)
    if comma is None:
        return f"numbers as text in more than one notation, such as {shown!r}: clean them before you calculate"
    odd = [value for value in filled if not _DRESSED.fullmatch(value.translate(signs))]
    others = f" (NULL for others, such as {odd[0]!r})" if odd else ""
    money = sorted({found[0] for number in numbers if (found := re.search(_MONEY, number))})
    mixed = f" in several currencies ({', '.join(money)}: add up only what is one)" if len(money) > 1 else ""
    shares = [number for number in numbers if _is_share(number)]
    mixed += f" and of percent ({shares[0]!r} becomes {shares[0].strip(' %')})" if 0 < len(shares) < len(numbers) else ""
    return f"numbers as text{mixed}, such as {shown!r}: use {_as_number(text, numbers, comma=comma)}{others}"


def number_cast(column: str, values: Sequence[str]) -> str | None:
    """SQL that makes numbers of this text column, where each of its values is one or says that there is none, all are in one
    notation, and of one currency; else None."""
    filled = [value.strip() for value in values if value and value.strip()]
    said = [value for value in filled if not _NOTHING.fullmatch(value)]
    if not said:
        return f"TRY_CAST({identifier(column)} AS DOUBLE)"
    signs = _foreign(filled)
    told = [value.translate(signs) for value in said]
    comma = _decimal_comma(told)
    odd = not all(map(_DRESSED.fullmatch, told)) or any(map(_LEADING_ZERO.fullmatch, told)) or _date_forms(told)
    money = {found[0] for number in told if (found := re.search(_MONEY, number))}
    shares = sum(map(_is_share, told))
    if odd or comma is None or len(money) > 1 or 0 < shares < len(told):
        return None
    return _as_number(_translated(identifier(column), signs), told, comma=comma)


def spelling_hint(column: str, values: Sequence[str]) -> str | None:
    """One sentence where values of this text column are the same but for spaces or case; or are objects, written as text."""
    first = dict[str, str]()
    for value in values:
        if len(value) <= _NAME and (other := first.setdefault(value.strip().casefold(), value)) != value:
            key = f"lower(trim({identifier(column)}))"
            return f"{other!r} and {value!r} differ in case or spaces only: group by {key} if they are one"
    if values and all(value.startswith("{") and value.endswith("}") for value in values):
        return f"objects as text: a field is {identifier(column)} ->> '$.name'"
    return None


def comma_decides(values: Sequence[str]) -> bool:
    """Whether these texts are numbers, and the comma is their decimal mark beyond doubt."""
    told = [value.strip() for value in values if value and value.strip() and not _NOTHING.fullmatch(value.strip())]
    numbers = _numbers(told)
    return bool(numbers) and _decimal_comma(numbers) is True


def grouped(values: Sequence[str], mark: str) -> bool:
    """Whether this mark stands in some of these numbers, and always as if it grouped thousands: 1.000 and 25."""
    marked = [value.strip().lstrip("-+") for value in values if value and mark in value]
    return bool(marked) and all(value[0] != "0" and _GROUPED_THREES.fullmatch(value) for value in marked)


def _numbers(values: Sequence[str]) -> list[str]:
    """Those of these values that are numbers; none if too few are."""
    found = [value for value in values if _DRESSED.fullmatch(value)]
    return found if len(found) >= ENOUGH * len(values) else []


def _is_share(number: str) -> bool:
    return number.rstrip(" )").endswith("%")


def _foreign(values: Sequence[str]) -> dict[int, str]:
    """Digits of other scripts that occur in these values, and other minus signs, as those SQL knows."""
    strange = {sign for value in values for sign in value if not sign.isascii()}
    zeros = {ord(sign) - unicodedata.decimal(sign) for sign in strange if unicodedata.decimal(sign, None) is not None}
    marks = {sign: plain for sign, plain in (("٫", "."), ("٬", ","), ("−", "-"), ("–", "-"), ("％", "%")) if sign in strange}
    return {ord(sign): plain for sign, plain in marks.items()} | {zero + n: str(n) for zero in zeros for n in range(10)}


def _translated(text: str, signs: Mapping[int, str]) -> str:
    """The SQL expression, with these signs replaced."""
    return f"translate({text}, {literal(''.join(map(chr, signs)))}, {literal(''.join(signs.values()))})" if signs else text


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
    if digits[0] != "0" and _GROUPED_THREES.fullmatch(digits):
        return None  # 1,234 may be 1234 or 1.234: the other values decide, else it is grouping
    return mark == ","


def _as_number(text: str, numbers: Sequence[str], *, comma: bool) -> str:
    """SQL that makes a number of `text`, an expression."""
    off = f"[{_CLOTHES}{'.' if comma else ','}]"
    if any(re.search(_LETTERS, number) for number in numbers):
        off = f"{_LETTERS}|{off}"
    if trailing := any(number.endswith("-") for number in numbers):
        off = rf"-\s*$|{off}"
    expression = f"regexp_replace({text}, '{off}', '', 'g')"
    if comma:
        expression = f"replace({expression}, ',', '.')"
    expression = f"TRY_CAST(regexp_extract({expression}, '{_BARE}') AS DOUBLE)"
    signs = [f"{text} LIKE '%(%'"] * any("(" in one for one in numbers)
    signs += [f"rtrim({text}) LIKE '%-'"] * trailing
    if signs:
        expression = f"{expression} * CASE WHEN {' OR '.join(signs)} THEN -1 ELSE 1 END"
    return f"{expression} / 100" if all(map(_is_share, numbers)) else expression


def _date_forms(values: Sequence[str]) -> list[str]:
    """The forms in which nearly all values are dates, that of most values first; none if they are not."""
    forms, left = list[str](), [value for value in values if _MAYBE_DATE.fullmatch(value)]
    probe = left[:: max(1, len(left) // _PROBED)]
    known = _DATES
    if sum(":" in value for value in probe) * 2 > len(probe):
        known += tuple(
            form + time for form in _DATES for time in _TIMES if any(_is_date(value, form + time) for value in probe)
        )
    dates = sum(any(_is_date(value, form) for form in known) for value in probe)
    if len(left) < ENOUGH * len(values) or dates * 2 < len(probe):
        return []
    fitting = 0
    while left:
        best = max(known, key=lambda form: sum(_is_date(value, form) for value in left))
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


def _as_date(text: str, forms: Sequence[str]) -> str:
    told = ", ".join(f"'{form}'" for form in forms)
    kind = "TIMESTAMP" if any("%M" in form for form in forms) else "DATE"
    return f"TRY_STRPTIME({text}, {told if len(forms) == 1 else f'[{told}]'})::{kind}"


def _is_date(value: str, form: str) -> bool:
    if form in _NARROW and not _NARROW[form].fullmatch(value):
        return False
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True
