"""What is to go wrong, planned ahead: the next call, delivery or start at a point meets it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Kind = Literal["lose", "refuse", "busy", "duplicate", "drop", "delay", "never", "twice"]
"""Of a call: `lose` (done, and its reply is lost), `refuse` (never arrives), `busy` (429).
Of a delivery or a push: `duplicate`, `drop`, `delay`. Of a start: `never`, `twice`, `delay`."""


@dataclass
class Fault:
    point: str
    """A gRPC method, `delivery`, `push` or `start`."""
    kind: Kind
    times: int = 1
    after: int = 0
    """So many pass unharmed first."""
    span: timedelta = timedelta(0)
    """Of a delay."""


class Faults:
    """A list that is used up."""

    def __init__(self) -> None:
        self._plan: list[Fault] = []
        self.seen: Counter[str] = Counter()
        """What has come to each point, harmed or not."""

    def plan(self, point: str, kind: Kind, *, times: int = 1, after: int = 0, span: timedelta = timedelta(0)) -> None:
        self._plan.append(Fault(point, kind, times, after, span))

    def heal(self) -> None:
        """Nothing more of what was planned goes wrong."""
        self._plan.clear()

    def next(self, point: str) -> Fault | None:
        """What this one meets."""
        self.seen[point] += 1
        for fault in self._plan:
            if fault.point == point and fault.after:
                fault.after -= 1
            elif fault.point == point:
                fault.times -= 1
                if fault.times == 0:
                    self._plan.remove(fault)
                return fault
        return None
