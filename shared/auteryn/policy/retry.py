"""How long until the next try."""

from __future__ import annotations

from datetime import timedelta


def backoff(attempt: int, *, first: timedelta = timedelta(seconds=1), most: timedelta = timedelta(seconds=60)) -> timedelta:
    """Doubling from `first` at attempt 1, never more than `most`."""
    return min(most, first * 2 ** (attempt - 1))
