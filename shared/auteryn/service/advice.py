"""A word before the start where the chosen mode does not fit the task. It never blocks. (Spec: "Best Practices".)"""

from __future__ import annotations

from auteryn.routing.patterns import pattern
from auteryn.schema.routing import Decision

TOO_SMALL = "this looks like DEEP work ({reason}): FAST makes no plans and ends after 11 minutes; it may move itself up"
TOO_LARGE = "this looks like FAST work ({reason}): DEEP costs more and takes longer for the same answer"


def advice(decision: Decision, prompt: str) -> str | None:
    """The warning for a mode that was forced against what the patterns are sure of."""
    if decision.stage != "forced":
        return None
    seen = pattern(prompt)
    if not seen.sure or seen.mode == decision.mode:
        return None
    return (TOO_SMALL if decision.mode == "fast" else TOO_LARGE).format(reason=seen.reason)
