"""A limit on what an owner spends, in the words people write: `1000/1d`, `250/6h`, `none`. Pure."""

from __future__ import annotations

from datetime import timedelta

from auteryn.errors import Invalid
from auteryn.policy.durations import parse, shown
from auteryn.schema.spend import SpendLimit

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=31)
MOST = 1e9
"""Credits."""
RULE = "must be credits in a span, such as '1000/1d' or '250/6h', or 'none'"


def spend_limit(text: str, field: str = "limit") -> SpendLimit:
    """Reads `CREDITS/SPAN`, `CREDITS` (a day) and `none`; raises `Invalid` naming `field`."""
    if text.strip().lower() == "none":
        return SpendLimit(credits=None)
    amount, slash, span = text.partition("/")
    try:
        credits = float(amount)
    except ValueError:
        raise Invalid(field, text, RULE) from None
    if not 0 < credits <= MOST:
        raise Invalid(field, text, f"must be more than 0 and at most {MOST:,.0f} credits")
    limit = SpendLimit(credits=max(1, round(credits * 1000)), span=parse(span, field) if slash else timedelta(days=1))
    if not SHORTEST <= limit.span <= LONGEST:
        raise Invalid(field, text, f"must be for a span of {shown(SHORTEST)} to {shown(LONGEST)}")
    return limit


def written(limit: SpendLimit) -> str:
    """What `spend_limit` reads back."""
    return "none" if limit.credits is None else f"{limit.credits / 1000:g}/{shown(limit.span).replace(' ', '')}"


def used_up(limit: SpendLimit) -> str:
    """Why nothing more is spent in this window."""
    assert limit.credits is not None
    span = "a day" if limit.span == timedelta(days=1) else f"in {shown(limit.span)}"
    return f"the owner's limit of {limit.credits / 1000:,g} credits {span} is used up"
