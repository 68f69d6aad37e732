"""Spans of time as people write them: `90s`, `15m`, `6h`, `2h30m`, `7d`, `1w`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, cast

from auteryn.errors import Invalid

UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds in each unit, the largest first."""

LONGEST = 1_000 * 366 * 86_400
"""Seconds: a moment so long from now still has a date."""
RULE = "must be a span such as '90s', '15m', '2h30m', '7d' or '1w'"

_PART = re.compile(r"\s*([0-9]{1,9})\s*([wdhms])", re.IGNORECASE)


def parse(text: str, field: str = "duration") -> timedelta:
    """The span; raises `Invalid` naming `field`. Each unit stands once, larger before smaller; a span is never zero."""
    if not isinstance(cast("Any", text), str):
        raise Invalid(field, text, RULE)
    seconds, at, before = 0, 0, ""
    for part in _PART.finditer(text):
        unit = part[2].lower()
        if part.start() != at or (before and UNITS[unit] >= UNITS[before]):
            raise Invalid(field, text, RULE)
        seconds, at, before = seconds + int(part[1]) * UNITS[unit], part.end(), unit
    if not before or text[at:].strip():
        raise Invalid(field, text, RULE)
    if seconds == 0:
        raise Invalid(field, text, "must be longer than nothing")
    if seconds > LONGEST:
        raise Invalid(field, text, "is longer than time can be counted here")
    return timedelta(seconds=seconds)


def shown(span: timedelta) -> str:
    """The span as the metrics show it: `2h 15m 30s`, `1d 2h`, `0s`; whole seconds, empty units left out.

    `parse` reads it back. Weeks are shown as days: "7d" says more than "1w" beside "6d 23h".
    """
    left, parts = max(0, int(span.total_seconds())), list[str]()
    for unit, size in UNITS.items():
        if unit != "w" and (count := left // size):
            parts.append(f"{count}{unit}")
            left -= count * size
    return " ".join(parts) or "0s"


def moment(at: datetime) -> str:
    """A moment as people are told it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
