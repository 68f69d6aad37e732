"""Is the agent going in circles? Same arguments AND same outcome; the same call with new outcomes is honest batch work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from auteryn.schema.event import CallAnswered

Outcome = tuple[str, Any, Any]
"""Of a call: tool, arguments, and what came of it."""

SAME_IN_A_ROW = 4
PING_PONG_ROUNDS = 4


def outcome_of(answer: CallAnswered) -> Any:
    """What came of a call, as it is compared: the files of an output that was cut are named after the call."""
    if answer.cut and isinstance(answer.output, dict):
        parts = cast("dict[str, Any]", answer.output).items()
        return {name: part for name, part in parts if name not in ("path", "texts")}
    return answer.output


def circling(outcomes: Sequence[Outcome]) -> int:
    """How many times the newest call, or pair of alternating calls, came back unchanged; 0 while that is not often."""
    same = _tail_length(outcomes, period=1)
    if same >= SAME_IN_A_ROW:
        return same
    rounds = _tail_length(outcomes, period=2) // 2
    return rounds if rounds >= PING_PONG_ROUNDS else 0


def _tail_length(outcomes: Sequence[Outcome], period: int) -> int:
    """Length of the longest tail that repeats with this period."""
    items = list(outcomes)
    n = len(items)
    if n < period:
        return 0
    length = period
    while length < n and items[n - 1 - length] == items[n - 1 - length + period]:
        length += 1
    return length
