"""A run's stream as lines for people: the plan, what is done, what it says, what it asks. Only appends; knows no store."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

from msgspec import Struct, field

from auteryn.cli.labels import label
from auteryn.cli.screen import Screen, columns, fitted
from auteryn.plan.graph import waves
from auteryn.policy.durations import shown
from auteryn.schema.plan import Plan
from auteryn.schema.record import to_json
from auteryn.service.delivery import StreamEvent

SILENT = frozenset({"artifact_publish", "ask_approval", "ask_input", "notify", "plan_create"})
"""Calls whose outcome has lines of its own."""
STEP_MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("✗", "yellow"), "skipped": ("-", "yellow")}
LEVEL_STYLES = {"info": "dim", "warning": "yellow", "error": "red"}
WORTH_TELLING_MS = 100
TOLD = frozenset(
    {
        "told",
        "model_failed",
        "compacted",
        "ticks_started",
        "tick_ended",
        "schedule_created",
        "schedule_ended",
        "logged",
        "step_retried",
    }
)
"""Facts that are worth a line as the log has them."""


class Doing(Struct):
    """What one run of the tree is at, for the status line."""

    step: int | None = None
    calls: dict[str, str] = field(default_factory=dict[str, str])
    """Call id → label."""
    state: str = "pending"
    text: str = ""
    """The tail of what is being thought or said right now."""
    held: str = ""
    """The newest message, until it is known whether it is the last one."""


class View:
    """What was seen of one tree of runs."""

    def __init__(self, screen: Screen, root: str, *, thoughts: bool = False) -> None:
        self.screen, self.root, self.thoughts = screen, root, thoughts
        self.doing: dict[str, Doing] = defaultdict(Doing)
        self.steps = (0, 0)
        """Done, of all."""
        self.began = time.monotonic()
        self.waiting = ""
        """Why nothing happens, if nothing does."""

    def take(self, event: StreamEvent) -> None:
        """One more event."""
        run, data = self.doing[event.run], event.data
        if event.delta:
            run.text = (run.text + data["text"])[-400:]
            return
        match event.kind:
            case "status" | "reset":
                self._status(event, run, data)
            case "task_progress":
                self.steps = (data["completed_steps"], data["total_steps"])
            case "step":
                self._step(data)
            case "thought":
                run.text = ""
                if self.thoughts:
                    self._paragraph(run, data["text"].replace("**", ""), "dim")
            case "message":
                run.text, run.held = "", data["text"]
            case "tool_call":
                self._say(run)
                run.calls[data["call"]] = label(data["tool"], data["args"])
            case "tool_result":
                self._result(run, data)
            case "log":
                self._log(run, data)
            case "ask":
                pass  # whoever follows the run shows it: it may have to be answered

    # ---- parts of the picture

    def plan(self, plan: Plan) -> None:
        """The plan in its real waves: what stands in one wave runs side by side."""
        groups = waves(plan)
        many = f"{len(plan.steps)} steps in {len(groups)} wave{'s' if len(groups) != 1 else ''}"
        self.screen.parts(
            ("Plan", "bold"), f"  {many}", *(((f", revision {plan.revision}", "dim"),) if plan.revision > 1 else ())
        )
        for group in groups:
            for place, number in enumerate(group):
                step = plan.step(number)
                bracket = "─" if len(group) == 1 else "┌" if place == 0 else "└" if place == len(group) - 1 else "│"
                after = f"  after {', '.join(map(str, step.depends_on))}" if step.depends_on else ""
                room = self.screen.width - 9 - columns(after)
                self.screen.parts(
                    (f"  {bracket} ", "dim"), (f"{number:>2}", "cyan"), f"  {fitted(step.description, room)}", (after, "dim")
                )

    def question(self, ask: dict[str, Any], silence: str = "") -> None:
        """An open question: what is asked, about what exactly, what may be answered, and what `silence` means."""
        self.screen.line()
        self.screen.paragraph(f"{self._prefix(ask['run'])}{ask['message']}", "bold", first="? ")
        if ask.get("context"):
            self.screen.paragraph(ask["context"], indent="    ")
        if subject := ask.get("subject"):
            self.screen.paragraph(f"{subject['tool']} {to_json(subject['args']).decode()}", "dim", indent="    ")
            if subject.get("preview"):
                self.screen.paragraph(subject["preview"], "dim", indent="    ")
        if ask.get("approvers"):
            self.screen.paragraph(f"for {' or '.join(ask['approvers'])} to answer", "dim", indent="    ")
        for number, option in enumerate(ask.get("options") or (), 1):
            self.screen.paragraph(option, indent=" " * 6, first=f"    {number} ")
        if silence:
            self.screen.paragraph(silence, "dim", indent="    ")

    def status_line(self) -> str:
        """The bottom line: how long, how far, and what is under way."""
        done, total = self.steps
        parts = [_clock(time.monotonic() - self.began)]
        if total:
            parts.append(f"step {done}/{total}")
        busy = [self._activity(run) for run in self.doing.values() if run.state == "running"]
        parts += [text for text in busy if text] or ([self.waiting] if self.waiting else [])
        return "  ".join(parts)

    # ---- one kind of event each

    def _status(self, event: StreamEvent, run: Doing, data: dict[str, Any]) -> None:
        state = data["state"]
        if "title" in data and event.run == self.root:
            reason = f"  {data['reason']}" if data.get("reason") else ""
            self.screen.parts(("● ", "cyan"), (event.run, "bold"), f"  {data['mode'].upper()}", (reason, "dim"))
        if state == "running" and run.state == "running":
            self.screen.parts(("↻ ", "yellow"), (self._prefix(event.run), "cyan"), "its process died; it goes on where it was")
        if state == "waiting" and " until " in data["why"] and event.run == self.root and data["why"] != self.waiting:
            self.screen.parts(("  ◦ ", "dim"), (data["why"], "dim"))
        if event.run == self.root:
            self.waiting = data["why"] if state in ("waiting", "paused") else ""
        if "mode" in data or event.kind == "reset":
            self.steps = (data.get("progress", {}).get("completed_steps", 0), data.get("progress", {}).get("total_steps", 0))
        run.state, run.text = state, ""

    def _step(self, data: dict[str, Any]) -> None:
        run, number = self.doing[data["run"]], data["id"]
        run.step = number
        if data["status"] == "in_progress":
            return
        mark, colour = STEP_MARKS.get(data["status"], ("·", "dim"))
        said = " ".join((data["result"] or data["error"] or data["status"]).split())
        self.screen.parts((f"{mark} ", colour), (f"step {number}  ", "bold"), said)
        run.state, run.held = data["status"], ""

    def _result(self, run: Doing, data: dict[str, Any]) -> None:
        what = run.calls.pop(data["call"], data["tool"])
        if data["tool"] in SILENT and not data["error"]:
            return
        prefix, took = _tag(run), _took(data["ms"])
        if data["error"]:
            why = " ".join(str(data["output"]).split())
            self.screen.parts(("  ✗ ", "red"), (prefix, "cyan"), what, (f"  {data['error']}: {why}", "red"))
            return
        told = [(f"  {took}", "dim")] if took else []
        told += [(f"  {remark}", "yellow")] if (remark := _remark(data["output"])) else []
        room = self.screen.width - 5 - len(prefix) - sum(len(text) for text, _ in told)
        self.screen.parts(("  · ", "green"), (prefix, "cyan"), fitted(what, room), *told)

    def _log(self, run: Doing, data: dict[str, Any]) -> None:
        kind, level, message = data["kind"], data["level"], data["message"]
        if kind == "model_failed":
            run.text = ""  # what had come of the answer is not said on
        if kind == "told" and data["why"] != "format":  # a piece of an answer stands in its whole
            self._say(run)
        if kind == "artifact_published":
            artifact = data["artifact"]
            self.screen.parts(
                ("  ▪ ", "green"),
                (_tag(run), "cyan"),
                (artifact["path"], "bold"),
                f"  {artifact['title']}",
                (f"  {artifact['size_bytes']:,} bytes", "dim"),
            )
        elif kind == "notified":
            self.screen.parts(("  ✉ ", "blue"), (_tag(run), "cyan"), message.removeprefix("to the owner: "))
        elif kind in TOLD and level != "debug":
            self.screen.parts(("  ◦ ", "dim"), (_tag(run), "cyan"), (message, LEVEL_STYLES[level]))

    def _say(self, run: Doing) -> None:
        """Print the held message: it was not the last one, so the agent said it on the way."""
        if run.held:
            self._paragraph(run, run.held)
            run.held = ""

    def _paragraph(self, run: Doing, text: str, *styles: str) -> None:
        lines = (line for line in text.splitlines() if line.strip())
        self.screen.paragraph(_tag(run) + "\n".join(lines), *styles, indent="  │ ")

    def _prefix(self, run: str) -> str:
        return _tag(self.doing[run]) if run != self.root else ""

    def _activity(self, run: Doing) -> str:
        if not run.calls:
            words = " ".join(run.text.split())
            return f"{_tag(run)}{words[-40:] if words else 'thinking'}"
        first = next(iter(run.calls.values()))
        more = f" +{len(run.calls) - 1}" if len(run.calls) > 1 else ""
        return f"{_tag(run)}{fitted(first, 36)}{more}"


def _tag(run: Doing) -> str:
    return f"{run.step} " if run.step else ""


def _remark(output: Any) -> str:
    """What an answer says that is no error, and not what one thinks who reads of the call."""
    match output:
        case {"dry_run": _}:
            return "dry run: not done"
        case {"exit_code": int(code)} if code:
            return f"exit code {code}"
        case _:
            return ""


def _took(ms: int) -> str:
    return f"{ms / 1000:.1f} s" if ms >= WORTH_TELLING_MS else ""


def _clock(seconds: float) -> str:
    return shown(timedelta(seconds=int(seconds)))
