"""A plan that was started, as its author sees it."""

from __future__ import annotations

from typing import Any

from auteryn.client.task import Task
from auteryn.plan.graph import waves
from auteryn.schema import plan as schema


class Plan:
    """`task` carries it out; `waves` says which steps really run side by side, whatever the comments beside them say."""

    def __init__(self, plan: schema.Plan, task: Task) -> None:
        self.id, self.description, self.steps = plan.id, plan.goal, plan.steps
        self.waves: tuple[tuple[int, ...], ...] = waves(plan)
        self.task = task

    def progress(self) -> dict[str, Any]:
        """The spec's payload: plan_id, status, current_step, total_steps, steps."""
        return self.task.progress()

    def __str__(self) -> str:
        """Such as `plan_…: (1, 2, 3 in parallel) → 4`."""
        order = " → ".join(
            str(wave[0]) if len(wave) == 1 else f"({', '.join(map(str, wave))} in parallel)" for wave in self.waves
        )
        return f"{self.id}: {order}"

    def __repr__(self) -> str:
        return f"<Plan {self}>"
