"""What stands around the conversation: the system prompt, the ledger, the notices. All wording is in `prompts/` or here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from auteryn.plan.scheduler import over
from auteryn.policy.durations import moment, shown
from auteryn.schema.plan import Plan, Step
from auteryn.schema.run import Run, Schedule

_PROMPTS = Path(__file__).with_name("prompts")

LEDGER_CHARS = 6_000
"""The ledger is shown in every request: it must stay small beside the work."""


@cache
def text(name: str) -> str:
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def system_prompt(run: Run) -> str:
    """By mode and place in the tree; the same bytes for the whole life of the run, so that the prompt's prefix stays cached."""
    return _system_prompt("step" if run.parent else run.mode, run.created_at)


@lru_cache(maxsize=256)
def _system_prompt(name: str, created_at: datetime) -> str:
    return f"{text(name)}\n\nThe run started on {created_at:%A, %Y-%m-%d %H:%M} UTC."


def ledger(run: Run, notes: Sequence[tuple[str, str]]) -> str:
    """What must never be lost in a summary, rendered fresh: constraints, decisions, plan, schedules, open questions, files.

    Empty when there is nothing of it. `notes` are (section, text) of the sections `constraints` and `decisions`.
    """
    blocks = list[str]()
    for section in ("constraints", "decisions"):
        if said := [text for name, text in notes if name == section]:
            blocks.append(f"{section.capitalize()}:\n" + "\n".join(f"- {line}" for line in said))
    if run.plan:
        blocks.append(f"Plan {run.plan.id} (revision {run.plan.revision}):\n" + plan_lines(run.plan))
    if run.schedules:
        blocks.append("Schedules:\n" + "\n".join(_schedule_line(schedule) for schedule in run.schedules))
    if run.asks:
        blocks.append("Open questions:\n" + "\n".join(f"- {ask.message}" for ask in run.asks))
    if run.artifacts:
        blocks.append("Published files:\n" + "\n".join(f"- {artifact.path}: {artifact.title}" for artifact in run.artifacts))
    body = "\n\n".join(blocks)
    if len(body) > LEDGER_CHARS:
        body = body[: LEDGER_CHARS - 60] + "\n… (cut; note_read and plan_update show the rest)"
    return f"[Where things stand]\n{body}" if body else ""


def plan_lines(plan: Plan) -> str:
    """One line a step; of a long plan the ended steps are counted, not listed."""
    steps = plan.steps
    if len(steps) > 40:
        ended = [step for step in steps if step.status in ("completed", "skipped")]
        steps = tuple(step for step in steps if step.status not in ("completed", "skipped"))[:40]
        head = [f"- {len(ended)} of {len(plan.steps)} steps have ended"]
    else:
        head = []
    return "\n".join([*head, *(_step_line(step) for step in steps)])


def _step_line(step: Step) -> str:
    after = f" (after {', '.join(map(str, step.depends_on))})" if step.depends_on and step.status == "pending" else ""
    return f"- {step.id} {step.status}: {step.description[:200]}{after}"


def _schedule_line(schedule: Schedule) -> str:
    state = "over" if schedule.over else f"next tick {moment(schedule.at(schedule.next_index))}"
    return f"- {schedule.name} every {shown(schedule.every)}: {schedule.ended} of {schedule.ticks} ticks ended, {state}"


def plan_report(plan: Plan) -> dict[str, object]:
    """What a plan call is answered with: each step's result, failures by name, nothing silently missing."""
    report: dict[str, object] = {
        "plan_id": plan.id,
        "status": "over" if over(plan) else "needs_you",
        "steps": [
            {"id": s.id, "status": s.status, "description": s.description[:120]}
            | ({"result": s.result} if s.result is not None else {})
            | ({"error": s.error} if s.error else {})
            for s in plan.steps
        ],
    }
    missing = [step.id for step in plan.steps if step.status in ("failed", "skipped", "cancelled")]
    if missing:
        report["missing"] = missing
    return report


def _report(plan: Plan) -> str:
    return msgspec.json.format(msgspec.json.encode(plan_report(plan)), indent=1).decode()


def children_report(run: Run) -> str:
    """What the model is told when steps or schedules ended while no call was waiting for them."""
    parts = list[str]()
    if run.plan:
        parts.append("The plan has ended:\n" + _report(run.plan))
    for schedule in run.schedules:
        failed = f", {schedule.failed} of them failed" if schedule.failed else ""
        skipped = f", {schedule.skipped} were skipped" if schedule.skipped else ""
        parts.append(
            f"The schedule {schedule.name!r} has ended: {schedule.ended} of {schedule.ticks} ticks ran{failed}{skipped}. "
            f"Last result: {schedule.last_result or 'none'}"
        )
    return "\n\n".join(parts) + "\n\nGive the final result of the task now."


def review_request(plan: Plan) -> str:
    """What the planner is told when a step it wanted to see has ended and the plan is not over."""
    report = _report(plan)
    return f"The plan so far:\n{report}\n\nLook at the results; change what has not started if need be. The plan then goes on."


def step_context(goal: str, step: Step, plan: Plan) -> str:
    """What a step's agent knows beside its own description."""
    lines = [f"This is step {step.id} of {len(plan.steps)} of a plan."]
    if goal:
        lines.append(f"The whole task, for orientation only: {goal[:1500]}")
    if step.depends_on:
        lines.append("Results of the steps this one builds on:")
        for other in (plan.step(d) for d in step.depends_on):
            lines.append(f"- step {other.id} ({other.status}): {other.result or other.error or 'no result'}")
    return "\n".join(lines)


NUDGE = (
    "You have made {what}. Going on like this will not change the outcome: "
    "use what you have, try something different, or give the result now and say what is missing."
)
DEADLINE = (
    "The time for this task is over. Conclude now: start nothing new, "
    "and give the result with what you have; say what is missing."
)
WRAP_UP = (
    "This is your last turn ({why}). Without calling tools, "
    "give the result with what you have, and say plainly what is missing."
)
UNREADABLE = "Your last answer could not be used ({why}). Answer again: valid calls of the declared tools, or text."
TOO_LONG_FOR_ONE = (
    "Your last answer could not be used (the output limit was used up before anything was said). Answer in smaller pieces: "
    "think shorter, and give a long text to file_write in several calls, the later ones with mode append."
)
CUT_OFF = "Your answer was cut off at the output limit. Go on from where it stopped, in smaller pieces."
MISSING_DELIVERABLES = (
    "The task is not done: these deliverables are not there yet. Make them, or say plainly why that is impossible.\n{lines}"
)
