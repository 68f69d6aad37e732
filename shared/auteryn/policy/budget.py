"""What happens before a budget is used up: at four fifths of it the run does what its owner chose. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from auteryn.policy.asking import asked_of
from auteryn.schema import event as e
from auteryn.schema.human import Ask
from auteryn.schema.record import derived_id
from auteryn.schema.run import Run

BUDGET_NEAR = 0.8
"""The part of a budget after which the owner's choice for it is carried out."""

GO_ON, GO_ON_FAST, STOP = "Go on", "Go on with the FAST model", "Stop with what there is"
RAISE = "Raise the budget by half"
BUDGET_WORDS: dict[str, Literal["go_on", "fast", "stop"]] = {GO_ON: "go_on", RAISE: "go_on", GO_ON_FAST: "fast", STOP: "stop"}


def near(run: Run, now: datetime) -> list[e.AnyEvent]:
    """The facts to commit when most of the budget is spent, the first time it is; else empty."""
    limit, spent, policy = run.limits.credits, run.usage.credits.total, run.options.at_budget
    if limit is None or run.budget_near or run.parent or spent < BUDGET_NEAR * limit:
        return []
    reached = e.BudgetReached(spent=spent, limit=limit, policy=policy)
    match policy:
        case "ask" if not run.closing:
            return [reached, e.AskOpened(ask=_question(run, now, limit))]
        case "fast" | "stop":
            return [reached, e.BudgetDecided(how=policy, by="the owner's choice at the start")]
        case "ask" | "go_on":
            return [reached]


def raise_question(run: Run, now: datetime, short: int) -> Ask | None:
    """The question whether to raise a budget that is used up, for owners who chose to be asked; None for others, and where the
    raise would not pay what the next turn is `short` of. Its id names the limit, so each budget is asked about once."""
    limit = run.limits.credits
    if limit is None or run.options.at_budget != "ask" or run.closing or run.parent or raised(limit) - limit < short:
        return None
    return asked_of(
        run,
        now,
        id=derived_id("ask", run.id, "budget", limit),
        kind="budget",
        message=f"The budget of {limit / 1000:g} credits is used up, or promised to steps at work."
        f" Raise it to {raised(limit) / 1000:g}?",
        options=(RAISE, STOP),
    )


def raised(limit: int) -> int:
    """The limit after one raise: half as much again. In thousandths of a credit."""
    return limit + limit // 2


def held(run: Run) -> Ask | None:
    """The open question about the budget, if there is one. Nothing new begins until it is answered."""
    return next((ask for ask in run.asks if ask.kind == "budget"), None)


def _question(run: Run, now: datetime, limit: int) -> Ask:
    spent = run.usage.credits.total
    percent = round(100 * spent / limit)
    return asked_of(
        run,
        now,
        id=derived_id("ask", run.id, "budget"),
        kind="budget",
        message=f"{percent} % of the budget are spent ({spent / 1000:g} of {limit / 1000:g} credits). Go on?",
        options=(GO_ON, GO_ON_FAST, STOP),
    )
