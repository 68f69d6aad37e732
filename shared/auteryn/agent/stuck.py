"""Does the agent get anywhere? Not while its calls bring what it knew already, or nothing at all.

The same call with new outcomes is honest batch work, and so are failures with a success among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple, cast

from auteryn.schema.event import CallAnswered
from auteryn.schema.record import Record

ROUNDS = 4
"""As often as this the same calls, in any order, with the same outcomes are a circle."""
WIDEST = 5
"""So many different calls may be in one."""
FAILED_IN_A_ROW = 12


class Outcome(NamedTuple):
    """Of a call."""

    tool: str
    args: Any
    came: Any
    """What came of it."""
    failed: bool


class Circle(Record):
    """What the newest calls have in common."""

    calls: int
    new: int
    """How many of them brought something."""
    words: str
    """What the agent did: "the same call with the same outcome 4 times"."""


def outcome_of(tool: str, args: Any, answer: CallAnswered) -> Outcome:
    """As it is compared: the files of an output that was cut are named after the call."""
    came = answer.output
    if answer.cut and isinstance(came, dict):
        parts = cast("dict[str, Any]", came).items()
        came = {name: part for name, part in parts if name not in ("path", "texts")}
    return Outcome(tool, args, came, answer.error is not None)


def circle_of(outcomes: Sequence[Outcome]) -> Circle | None:
    """How the newest calls led nowhere; None while they may lead somewhere."""
    different = list[Outcome]()
    for calls, outcome in enumerate(reversed(outcomes), 1):
        if outcome not in different:
            different.append(outcome)
        if len(different) > WIDEST:
            break
        if calls == ROUNDS * len(different):
            return _round(outcomes, different)
    failed = sum(1 for _ in takewhile(lambda outcome: outcome.failed, reversed(outcomes)))
    return Circle(calls=failed, new=1, words=f"{failed} calls in a row that failed") if failed >= FAILED_IN_A_ROW else None


def _round(outcomes: Sequence[Outcome], different: list[Outcome]) -> Circle:
    calls, new = sum(1 for _ in takewhile(different.__contains__, reversed(outcomes))), len(different)
    what = "the same call with the same outcome" if new == 1 else f"the same {new} calls with the same outcomes"
    return Circle(calls=calls, new=new, words=f"{what} {calls // new} times")
