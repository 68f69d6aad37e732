"""What a task will cost: before it starts, and while it runs. From this home's own runs, and a table of what is usual.

A handful of typical runs stands for what is usual; each own run of the same mode counts for more the more it resembles the task
in its words and number of steps, so that after a dozen runs the home's own history decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Literal

from auteryn.agent.taint import HEIRS
from auteryn.errors import Invalid
from auteryn.plan.graph import MOST_STEPS
from auteryn.policy.credits import CostLabel, cost_label, price_of
from auteryn.policy.models import PRICES_OF
from auteryn.policy.modes import LONGEST_RUN
from auteryn.routing.router import route
from auteryn.schema.message import Tokens
from auteryn.schema.record import Record
from auteryn.schema.run import ModeName, Run, Usage
from auteryn.service.access import Access
from auteryn.service.new import LONGEST_INPUT

HISTORY = 300
"""Own runs that are looked at, the newest first."""
USUAL_WEIGHT = 4.0
"""What the typical runs together count for; an own run counts 1, and up to 5 if it is like the task."""

USUAL_TURNS: dict[ModeName, tuple[int, ...]] = {"fast": (1, 1, 2, 3, 6), "deep": (4, 8, 14, 28, 60)}
USUAL_STEP_TURNS = (3, 6, 10, 18, 35)
USUAL_TURN = Tokens(prompt=9_000, cached=4_000, output=500, thoughts=900)
USUAL_TURN_SECONDS: dict[ModeName, float] = {"fast": 3, "deep": 20}
USUAL_CALL_CREDITS = 1_000
"""Thousandths: about one tool call a turn at the price of most tools. Figures of 2026-11."""


class Estimate(Record):
    """Half of such runs stay below p50, nine of ten below p90."""

    mode: ModeName
    reason: str
    """Why this mode."""
    credits_p50: float
    credits_p90: float
    llm_calls_p50: int
    llm_calls_p90: int
    seconds_p50: int
    """At work, waiting left out."""
    seconds_p90: int
    label: CostLabel
    own_runs: int
    """How many runs of this home it is based on; 0: only on what is usual."""
    prices_of: str
    """Date of the price table."""


class Forecast(Record):
    """What a run will have cost when it ends."""

    spent: float
    """Credits so far, those of steps under way included."""
    credits_p50: float
    credits_p90: float
    steps_left: int
    budget: float | None
    budget_used: float | None
    """0 to 1, and more."""
    within_budget: Literal["yes", "perhaps", "no"] | None
    """By p90 and p50."""
    own_runs: int


class Sample(Record):
    """One finished run, or one that stands for what is usual."""

    credits: int
    llm_calls: int
    seconds: float
    weight: float


async def estimate(access: Access, text: str, mode: str, steps: int) -> Estimate:
    """For a task that is not started. Nothing is stored; a task that no pattern knows costs one classification."""
    if not text.strip() and not steps:
        raise Invalid("input", text, "must say what to do")
    if not 0 <= steps <= MOST_STEPS:
        raise Invalid("steps", steps, f"must be 0 to {MOST_STEPS}, the most a plan can hold")
    decision = await route(text[:LONGEST_INPUT], "deep" if steps and mode == "auto" else mode, access.services.model)
    history = await _history(access, decision.mode)
    samples = [*_usual(access, decision.mode, steps), *(_own(run, text, steps) for run in history)]
    calls, seconds = [(s.llm_calls, s.weight) for s in samples], [(s.seconds, s.weight) for s in samples]
    credits = [(s.credits, s.weight) for s in samples]
    return Estimate(
        mode=decision.mode,
        reason=decision.reason,
        credits_p50=quantile(credits, 0.5) / 1000,
        credits_p90=quantile(credits, 0.9) / 1000,
        llm_calls_p50=round(quantile(calls, 0.5)),
        llm_calls_p90=round(quantile(calls, 0.9)),
        seconds_p50=round(quantile(seconds, 0.5)),
        seconds_p90=round(quantile(seconds, 0.9)),
        label=cost_label(decision.mode, _named_span(text)),
        own_runs=len(history),
        prices_of=PRICES_OF,
    )


async def forecast(access: Access, run: Run, usage: Usage) -> Forecast:
    """For a run as it stands; `usage` includes its steps under way. For a run that has ended, what it cost."""
    spent, left = usage.credits.total, 0
    history = [] if run.terminal else await _history(access, run.mode)
    if run.terminal:
        p50 = p90 = float(spent)
    elif run.plan:
        left = sum(step.status in ("pending", "in_progress") for step in run.plan.steps)
        one = [*_usual_step(access, run.mode), *await _own_steps(access, run)]
        begun = sum([(await access.run(child)).usage.credits.total for child in run.shares])
        half, most = quantile(one, 0.5), quantile(one, 0.9)
        p50 = spent + max(0.0, left * half - begun)
        p90 = p50 + math.sqrt(left) * (most - half)
    else:
        samples = [*_usual(access, run.mode, 0), *(_own(one, run.title, 0) for one in history)]
        above = [(float(s.credits), s.weight) for s in samples if s.credits > spent] or [
            (spent * 1.5, 1.0),
            (spent * 2.5, 0.25),
        ]
        p50, p90 = quantile(above, 0.5), quantile(above, 0.9)
    budget = run.limits.credits
    return Forecast(
        spent=spent / 1000,
        credits_p50=round(p50) / 1000,
        credits_p90=round(p90) / 1000,
        steps_left=left,
        budget=None if budget is None else budget / 1000,
        budget_used=None if not budget else round(spent / budget, 4),
        within_budget=None if budget is None else "yes" if p90 <= budget else "perhaps" if p50 <= budget else "no",
        own_runs=len(history),
    )


def quantile(samples: Iterable[tuple[float, float]], share: float) -> float:
    """The value below which this share of the weight lies."""
    ordered = sorted(samples)
    wanted, reached = share * sum(weight for _, weight in ordered), 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= wanted - 1e-9:
            return value
    return ordered[-1][0]


# ---- samples -------------------------------------------------------------------------------------------------


async def _history(access: Access, mode: ModeName) -> list[Run]:
    """The owner's completed runs of this mode that asked a model at all, from their task to its end."""
    page = await access.services.store.runs(owner=access.owner, status=("completed",), limit=HISTORY)
    return [run for run in page.runs if run.mode == mode and run.usage.llm_calls and HEIRS.isdisjoint(run.labels)]


def _own(run: Run, text: str, steps: int) -> Sample:
    had = len(run.plan.steps) if run.plan else 0
    near = math.exp(-abs(math.log((had + 1) / (steps + 1))))
    return Sample(
        credits=run.usage.credits.total,
        llm_calls=run.usage.llm_calls,
        seconds=run.usage.active_ms / 1000,
        weight=near * (1 + 4 * _alike(run.title, text)),
    )


def _usual(access: Access, mode: ModeName, steps: int) -> list[Sample]:
    turns = [step * steps + 4 for step in USUAL_STEP_TURNS] if steps else list(USUAL_TURNS[mode])
    return [
        Sample(
            credits=count * _turn_price(access, mode),
            llm_calls=count,
            seconds=count * USUAL_TURN_SECONDS[mode],
            weight=USUAL_WEIGHT / len(turns),
        )
        for count in turns
    ]


def _usual_step(access: Access, mode: ModeName) -> list[tuple[float, float]]:
    return [(float(count * _turn_price(access, mode)), USUAL_WEIGHT / len(USUAL_STEP_TURNS)) for count in USUAL_STEP_TURNS]


async def _own_steps(access: Access, run: Run) -> list[tuple[float, float]]:
    """What the run's own completed steps have cost: nothing resembles the next one more."""
    page = await access.services.store.runs(parent=run.id, roots_only=False, limit=500)
    return [(float(child.usage.credits.total), 3.0) for child in page.runs if child.status == "completed"]


def _turn_price(access: Access, mode: ModeName) -> int:
    return price_of(access.services.model.model_id(mode), USUAL_TURN, access.now()) + USUAL_CALL_CREDITS


def _alike(one: str, other: str) -> float:
    """0 to 1: the share of words both have."""
    a, b = _words(one), _words(other)
    return len(a & b) / len(a | b) if a and b else 0.0


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()[:2_000]))


def _named_span(text: str) -> timedelta:
    """How long the task says it takes: days or weeks in it make it a long project."""
    return LONGEST_RUN if re.search(r"\b(days?|weeks?)\b", text, re.IGNORECASE) else timedelta(hours=1)
