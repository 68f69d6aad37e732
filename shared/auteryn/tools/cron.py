"""The five fields of cron: minute, hour, day of month, month, day of week."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from auteryn.errors import Invalid

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    "month": {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)},  # noqa: SIM905
    "weekday": {name: n for n, name in enumerate("sun mon tue wed thu fri sat".split())},  # noqa: SIM905
}
_DAYS_AHEAD = 366 * 8 + 2
"""February 29 comes within eight years, 2096 to 2104 being the longest gap."""


class Cron:
    """Times that come again and again. Raises `Invalid` naming the part that is wrong."""

    def __init__(self, expression: str, field: str = "cron") -> None:
        parts = expression.lower().split()
        if len(parts) != 5:
            raise Invalid(field, expression, "must have five fields: minute hour day month weekday")
        self.expression, self.field = expression, field
        self.minutes, self.hours, self.days, self.months, weekdays = (
            self._values(part, *rule) for part, rule in zip(parts, _FIELDS, strict=True)
        )
        self.weekdays = {day % 7 for day in weekdays}
        self.either_day = parts[2][0] != "*" and parts[4][0] != "*"
        """Where both are restricted, cron takes a day that fits one of them."""

    def next(self, now: datetime, zone: tzinfo) -> datetime:
        """The first such time after `now`, by the zone's own clock: an hour the clock skips is made up right after the
        gap, one it repeats counts once."""
        today = now.astimezone(zone).date()
        for ahead in range(_DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            if self._fits(day):
                times = (self._at(day, hour, minute, zone) for hour in sorted(self.hours) for minute in sorted(self.minutes))
                if found := min((at for at in times if at > now), default=None):
                    return found
        raise Invalid(self.field, self.expression, "never comes")

    def _fits(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and ((in_month or in_week) if self.either_day else (in_month and in_week))

    @staticmethod
    def _at(day: date, hour: int, minute: int, zone: tzinfo) -> datetime:
        return datetime.combine(day, time(hour, minute), zone).astimezone(UTC)

    def _values(self, part: str, name: str, low: int, high: int) -> set[int]:
        out = set[int]()
        for piece in part.split(","):
            found = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,2}))?", piece)
            if not found or (found[1] == "*" and found[2]):
                raise self._wrong(name, piece, low, high)
            step = int(found[3] or 1)
            first = low if found[1] == "*" else self._value(name, found[1], low, high)
            last = self._value(name, found[2], low, high) if found[2] else high if found[1] == "*" or found[3] else first
            if step == 0 or last < first:
                raise self._wrong(name, piece, low, high)
            out |= set(range(first, last + 1, step))
        return out

    def _value(self, name: str, text: str, low: int, high: int) -> int:
        value = _NAMES.get(name, {}).get(text, int(text) if text.isdecimal() else -1)
        if not low <= value <= high:
            raise self._wrong(name, text, low, high)
        return value

    def _wrong(self, name: str, piece: str, low: int, high: int) -> Invalid:
        return Invalid(self.field, self.expression, f"has {piece!r} as {name}: it must lie between {low} and {high}")
