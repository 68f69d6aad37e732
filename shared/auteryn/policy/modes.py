"""The FAST/DEEP table: the product's figures as data (spec, "FAST vs DEEP Modes")."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from auteryn.schema.record import Record

ModeName = Literal["fast", "deep"]


class Mode(Record):
    name: ModeName
    thinking_tokens: int
    llm_calls: int
    """Most model calls of a run, its slices, steps and retries included."""
    slice_time: timedelta
    """Longest sitting. A FAST run ends there; a DEEP run hands over to its next slice."""
    slice_margin: timedelta
    """A slice stops itself this long before `slice_time`: the longest tool timeout and one commit fit in."""
    silence: timedelta
    """Longest pause of a model's stream before the call counts as broken."""
    tools_shown: int
    """Most tools declared to the model at the start."""


FAST = Mode(
    name="fast",
    thinking_tokens=1_024,
    llm_calls=500,
    slice_time=timedelta(minutes=11),
    slice_margin=timedelta(seconds=20),
    silence=timedelta(seconds=120),
    tools_shown=12,
)
DEEP = Mode(
    name="deep",
    thinking_tokens=16_384,
    llm_calls=5_000,
    slice_time=timedelta(hours=2),
    slice_margin=timedelta(minutes=10),
    silence=timedelta(seconds=300),
    tools_shown=20,
)
MODES: dict[ModeName, Mode] = {"fast": FAST, "deep": DEEP}

LONGEST_RUN = timedelta(days=7)
