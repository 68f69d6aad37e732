"""What an owner may spend in a span of time, and the lines of the ledger it is counted in."""

from __future__ import annotations

from datetime import datetime, timedelta

from auteryn.schema.record import Record

LIMIT = "spend_limit"
"""Kind and scope of the documents that say what one owner may spend."""
LINE = "spend"
"""Kind of the ledger's lines; their scope is the owner, their `at` the beginning of the window they count in."""

MONDAY = datetime.fromisoformat("1970-01-05T00:00:00Z")
"""Where windows are counted from: days begin at midnight UTC, weeks on Mondays."""


class Window(Record):
    """From `start` until before `end`."""

    start: datetime
    end: datetime


class SpendLimit(Record):
    """So many credits in each window of this length; windows lie on a grid."""

    credits: int | None
    """Thousandths; None: as many as one likes, whatever holds for everybody."""
    span: timedelta = timedelta(days=1)

    def window(self, now: datetime) -> Window:
        start = MONDAY + (now - MONDAY) // self.span * self.span
        return Window(start=start, end=start + self.span)


class SpendLine(Record):
    """One line of a window's ledger: the totals from then on. Thousandths of a credit."""

    spent: int = 0
    """Settled: gone."""
    held: int = 0
    """Taken by processes at work, for what they are about to spend."""
    by: str = ""
    """Whose line it is: a repeated write knows its own."""
