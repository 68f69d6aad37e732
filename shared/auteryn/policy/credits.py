"""What a run costs: one credit is 0.1 US cent at list price. Counted in thousandths, shown in whole credits."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal

from auteryn.policy.models import price
from auteryn.schema.message import Tokens
from auteryn.schema.run import Credits, ModeName

THOUSANDTHS_PER_DOLLAR = 1_000_000
"""1 credit = 0.1 cent = 0.001 dollar, times a thousand."""

CostLabel = Literal["low", "medium", "high"]

LONG_PROJECT = timedelta(days=1)


def price_of(model: str, tokens: Tokens, at: datetime) -> int:
    """Thousandths of a credit for one answer of a model; rounded up, so that no call is free."""
    return math.ceil(round(price(model, tokens, at) * THOUSANDTHS_PER_DOLLAR, 3))


def whole(credits: Credits) -> tuple[int, int, int]:
    """(llm, tools, storage) in whole credits, adding up to the rounded total.

    Largest remainder: each part is rounded down, and what is missing goes to the parts that lost most.
    """
    parts = (credits.llm, credits.tools, credits.storage)
    shown = [part // 1000 for part in parts]
    missing = whole_total(credits) - sum(shown)
    for index in sorted(range(len(parts)), key=lambda i: -(parts[i] % 1000))[:missing]:
        shown[index] += 1
    return shown[0], shown[1], shown[2]


def whole_total(credits: Credits) -> int:
    """The total in whole credits, halves rounded up."""
    return (credits.total + 500) // 1000


def cost_label(mode: ModeName, duration: timedelta) -> CostLabel:
    """What a task of this kind costs, roughly (spec, "Cost Optimization"): multi-day DEEP projects are the dear ones."""
    if mode == "fast":
        return "low"
    return "high" if duration > LONG_PROJECT else "medium"
