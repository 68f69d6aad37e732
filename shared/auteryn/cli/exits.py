"""What the exit code says. Scripts rely on these numbers."""

from __future__ import annotations

from auteryn.errors import AuterynError, Exhausted, Refused, RunCancelled, RunFailed, SpendLimited

DONE = 0
FAILED = 1
USAGE = 2
NEEDS_PERSON = 3
CANCELLED = 4
BUDGET = 5
DETACHED = 130
"""Ctrl-C: the run is not over, only this terminal's view of it."""

BUDGET_REASONS = ("llm_call_limit", "credit_limit")


def of_run(status: str, reason: str | None) -> int:
    """The code for a run that has ended."""
    if status == "completed":
        return DONE
    if status == "cancelled":
        return CANCELLED
    return BUDGET if reason in BUDGET_REASONS else FAILED


def of_error(error: AuterynError) -> int:
    """The code for an error that reaches the terminal."""
    match error:
        case SpendLimited():
            return BUDGET
        case Refused():
            return USAGE
        case RunCancelled():
            return CANCELLED
        case RunFailed(reason=reason) | Exhausted(limit=reason) if reason in BUDGET_REASONS:
            return BUDGET
        case _:
            return FAILED
