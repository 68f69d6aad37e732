"""A plan: steps, what each waits for, what came of it."""

from __future__ import annotations

from typing import Any, Literal

from auteryn.schema.record import Record

StepStatus = Literal["pending", "in_progress", "completed", "failed", "skipped", "cancelled"]
Join = Literal["all", "any", "best_effort"] | int
"""When a step may start, by the steps it depends on: `all` completed, `any` completed, n completed (a quorum), or
`best_effort`: all ended, however."""


class Step(Record):
    """One step. It is carried out by a run of its own (`run`)."""

    id: int
    """From 1, in the plan's order."""
    description: str
    depends_on: tuple[int, ...] = ()
    join: Join = "all"
    review: bool = False
    """The planner looks at this step's result before later steps start."""
    status: StepStatus = "pending"
    run: str | None = None
    attempt: int = 0
    result: str | None = None
    """At most `RESULT_SHOWN` characters; the whole stands in the step's own run."""
    error: str | None = None


RESULT_SHOWN = 2_000
DROPPED = "dropped from the plan"
"""Why a step is `skipped` that its planner took out: nothing brings it back."""


class Plan(Record):
    """A validated plan (`plan.graph.checked` makes one)."""

    id: str
    goal: str = ""
    steps: tuple[Step, ...]
    revision: int = 1
    reviewed: tuple[int, ...] = ()
    """Steps whose results the planner has seen."""

    def step(self, step_id: int) -> Step:
        return self.steps[step_id - 1]

    @property
    def done(self) -> int:
        return sum(step.status == "completed" for step in self.steps)


class StepDraft(Record):
    """A step as somebody proposes it, before validation."""

    description: str
    depends_on: tuple[int, ...] = ()
    id: int | None = None
    join: Join = "all"
    review: bool = False


class StepChange(Record):
    """One line of a revision's diff: what a step was and what it is now (None: was not, or is no more)."""

    id: int
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
