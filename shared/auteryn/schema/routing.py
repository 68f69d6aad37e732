"""Why a run is FAST or DEEP."""

from __future__ import annotations

from typing import Literal

from auteryn.schema.record import Record


class Decision(Record):
    """The router's answer, stored on the run."""

    mode: Literal["fast", "deep"]
    stage: Literal["forced", "pattern", "classifier", "fallback"]
    """Who decided: the caller, the patterns, the classifier, or the patterns' best guess after the classifier failed."""
    confidence: float
    """0 to 1."""
    sure: bool
    """The pattern stage would have decided alone."""
    reason: str
