"""What a server's status means for the model: an answer, or a failure by its name. A failure never looks like content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from auteryn.errors import ToolFailed

LONGEST_RETRY = timedelta(seconds=60)
"""A server that wants more patience is told to the model, which can wait without a process."""


def refusal(status: int, headers: Mapping[str, str], what: str, now: datetime) -> ToolFailed | None:
    """The failure a status stands for, None for success."""
    said = f"{what!r} answered {status}"
    if 200 <= status < 300:
        return None
    if headers.get("cf-mitigated") == "challenge":
        return ToolFailed("denied", f"{said}: it wants proof of being human")
    match status:
        case 404 | 410:
            return ToolFailed("not_found", f"{said}: there is nothing")
        case 401 | 407:
            return ToolFailed("auth", f"{said}: it wants a login, or the one given is wrong")
        case 402:
            return ToolFailed("quota", f"{said}: the plan or the money there is used up")
        case 403 | 451:
            return ToolFailed("denied", f"{said}: it does not let us in")
        case 408:
            return ToolFailed("timeout", said, retryable=True)
        case 413:
            return ToolFailed("too_large", said)
        case 429:
            return later("rate_limited", f"{said}: too many requests", headers, now)
        case _ if status >= 500:
            return later("unavailable", said, headers, now)
        case _ if status >= 400:
            return ToolFailed("invalid", f"{said}: it does not take this request")
        case _:
            where = f" to {headers['location'][:300]!r}, which was not followed" if "location" in headers else ""
            return ToolFailed("unavailable", f"{said}{where}")


def later(kind: str, said: str, headers: Mapping[str, str], now: datetime) -> ToolFailed:
    """A failure that passes; not repeated by the engine if the server wants long patience."""
    wait = retry_after(headers.get("retry-after", ""), now)
    return wanted_later(kind, said, wait) or ToolFailed(kind, said, retryable=True, retry_after=wait)


def wanted_later(kind: str, said: str, wait: timedelta | None) -> ToolFailed | None:
    """The failure for a wait that the engine does not sit out; None for one that it does."""
    if wait is None or wait <= LONGEST_RETRY:
        return None
    return ToolFailed(kind, f"{said}; it asks to come back in {wait.total_seconds():.0f} s: use wait, then try again")


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Seconds or a date, as HTTP has it; None if it is neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value), 10**7))
    from email.utils import parsedate_to_datetime  # here: a slice that meets no refusal need not load it

    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(0), at - now)
