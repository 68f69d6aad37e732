"""The demo's data set: bicycles counted at three places of a town that does not exist, made for this demo.

`bicycle_counts.csv` is what `rows()` gives, to the byte: `python -m auteryn.demo.counts` writes it anew. Nothing in it was
measured; weekdays, seasons and rain have the effect they have on real counters. While a counter is out of order it
reports 0, and only the town's page says so: whoever averages without reading the page gets it wrong.
"""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from msgspec import Struct

FILE = Path(__file__).with_name("bicycle_counts.csv")
FIRST_DAY, DAYS = date(2026, 1, 1), 181
COLUMNS = ("date", "counter", "riders", "rain_mm", "mean_temp_c")


class Counter(Struct, frozen=True):
    """One place, as the town's page describes it."""

    name: str
    page: str
    weekday_riders: int
    weekend_share: float
    changed: date
    growth: float
    broken_from: date
    broken_to: date


COUNTERS = (
    Counter("Canal Bridge", "canal-bridge.html", 2400, 0.62, date(2026, 4, 13), 1.18, date(2026, 5, 4), date(2026, 5, 10)),
    Counter("Station Square", "station-square.html", 3900, 0.48, date(2026, 3, 16), 1.07, date(2026, 2, 9), date(2026, 2, 13)),
    Counter("Old Harbour", "old-harbour.html", 1100, 1.35, date(2026, 5, 1), 1.31, date(2026, 3, 21), date(2026, 4, 3)),
)


def rows() -> Iterator[tuple[str, str, int, str, str]]:
    """One row a day and counter, in order of the day."""
    dice = random.Random(20_260_101)  # only `random()` of it is used: that sequence is the same in every Python
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        warmth = 9.5 - 8.5 * math.cos(2 * math.pi * (number - 15) / 365) + 6 * (dice.random() - 0.5)
        rain = max(0.0, 14 * dice.random() ** 3 - 1.2)
        for counter in COUNTERS:
            luck = 0.92 + 0.16 * dice.random()
            yield day.isoformat(), counter.name, _riders(counter, day, warmth, rain, luck), f"{rain:.1f}", f"{warmth:.1f}"


def text() -> str:
    """The whole file."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows())
    return out.getvalue()


def _riders(counter: Counter, day: date, warmth: float, rain: float, luck: float) -> int:
    if counter.broken_from <= day <= counter.broken_to:
        return 0
    week = counter.weekend_share if day.weekday() >= 5 else 1.0
    season = 0.55 + 0.035 * warmth
    weather = 1 - 0.045 * min(rain, 10)
    changed = counter.growth if day >= counter.changed else 1.0
    return round(counter.weekday_riders * week * season * weather * changed * luck)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
