"""What a fact looks like in the stream: pure, so that a replay shows exactly what was shown live."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from auteryn.schema import event as e
from auteryn.schema.human import Ask
from auteryn.schema.message import text_of
from auteryn.schema.record import full
from auteryn.schema.run import Run
from auteryn.service.logs import kind_of, line
from auteryn.service.progress import progress_event, status_line
from auteryn.service.why import waits_on, why_waiting

Kind = Literal[
    "task_progress", "thought", "message", "tool_call", "tool_result", "ask", "log", "status", "step", "reset"
]  # fmt: skip
Item = tuple[Kind, dict[str, Any]]


def items(run: Run, entry: e.Entry) -> list[Item]:
    """The stream's events for one entry, in order; `run` is as it is after the entry."""
    out = list[Item]()
    for event in entry.events:
        out += _items(run, event, entry.at)
    return out


def _items(run: Run, event: e.AnyEvent, at: datetime) -> list[Item]:
    match event:
        case e.RunCreated():
            more = {"title": run.title, "mode": run.mode, "reason": run.routing.reason, "input": event.input.text}
            return [("status", {**_status(run, at, "pending"), **more})]
        case e.SliceStarted():
            return [("status", {**_status(run, at, "running"), "slice": event.slice, "code": event.code})]
        case e.Left() | e.Paused() | e.Unpaused() | e.ModeRaised():
            return [("status", _status(run, at))]
        case e.RunCompleted() | e.RunFailed() | e.RunCancelled():
            return [*_progress(run, run.result if run.status == "completed" else None, last=True), _end(run, event, at)]
        case e.ModelAnswered():
            return _turn(run, event)
        case e.CallAnswered():
            result = {"call": event.call, "tool": event.tool, "output": event.output, "error": event.error, "ms": event.ms}
            return [("tool_result", {**result, "attempts": event.attempts, "credits": event.credits / 1000})]
        case e.AskOpened():
            return [("ask", {"state": "open", **asked(event.ask)})]
        case e.AskEscalated():
            turn: list[Item] = [("ask", {"state": "open", **asked(ask)}) for ask in run.asks if ask.id == event.ask]
            return [*turn, _log(run, event)]
        case e.AskAnswered():
            answer = event.answer
            return [("ask", {"state": answer.how, "id": answer.ask, "value": answer.value, "by": answer.by})]
        case e.PlanCreated() | e.PlanRevised() | e.StepRetried() | e.PlanReviewed():
            return [*_progress(run, None), _log(run, event)]
        case e.StepsStarted():
            started = [_step(start.step, "in_progress", start.run) for start in event.steps]
            return [*started, *_progress(run, None)]
        case e.StepsEnded():
            ended = [_step(end.step, end.status, end.run, end.result, end.error) for end in event.steps]
            return [*ended, *_progress(run, event.steps[-1].result)]
        case _:
            return [_log(run, event)]


def asked(ask: Ask) -> dict[str, Any]:
    """A question as people's programs see it."""
    return full(ask)


def snapshot(run: Run, at: datetime) -> dict[str, Any]:
    """Everything a viewer needs who cannot be told what happened before."""
    return {
        **_status(run, at),
        "title": run.title,
        "mode": run.mode,
        "result": run.result,
        "failure": msgspec.to_builtins(run.failure),
        "progress": progress_event(run, run.result),
        "asks": [asked(ask) for ask in run.asks],
        "artifacts": msgspec.to_builtins(run.artifacts),
    }


def _status(run: Run, at: datetime, state: str | None = None) -> dict[str, Any]:
    """`status` is one of the outer words, `state` the engine's own."""
    state = state or run.status
    outer = "running" if state in ("waiting", "paused") else state
    why, on = (why_waiting(run, at), waits_on(run)) if state == run.status else ("", "")
    return {"status": outer, "state": state, "detail": status_line(run, at), "why": why, "waits_on": on}


def _end(run: Run, event: e.RunCompleted | e.RunFailed | e.RunCancelled, at: datetime) -> Item:
    more: dict[str, Any] = {"result": run.result, "failure": msgspec.to_builtins(run.failure)}
    if isinstance(event, e.RunCancelled):
        more |= {"receipt": msgspec.to_builtins(event.receipt), "by": event.by}
    else:
        more |= {"verdicts": msgspec.to_builtins(event.verdicts)}
    return "status", {**_status(run, at), **more}


def _turn(run: Run, event: e.ModelAnswered) -> list[Item]:
    out: list[Item] = [("thought", {"text": event.thoughts, "turn": event.turn})] if event.thoughts else []
    text = text_of(event.content)
    if text.strip():
        out.append(("message", {"text": text, "turn": event.turn}))
    for call_id, call in e.calls_of(run.id, event).items():
        out.append(("tool_call", {"call": call_id, "tool": call.name, "args": call.args, "turn": event.turn}))
    return out


def _progress(run: Run, result: str | None, *, last: bool = False) -> list[Item]:
    """`task_progress` of a run with a plan; of one without, only at its end. Steps are told of by their parent."""
    if run.parent or not (run.plan or last):
        return []
    return [("task_progress", progress_event(run, result))]


def _step(step: int, status: str, run: str, result: str | None = None, error: str | None = None) -> Item:
    return "step", {"id": step, "status": status, "run": run, "result": result, "error": error}


def _log(run: Run, event: e.AnyEvent) -> Item:
    level, message = line(event, run)
    return "log", {"level": level, "message": message, "kind": kind_of(event), **_more(run, event)}


def _more(run: Run, event: e.AnyEvent) -> dict[str, Any]:
    """What programs need of a fact beside its line."""
    match event:
        case e.ArtifactPublished():
            return {"artifact": msgspec.to_builtins(event.artifact)}
        case e.Told():
            return {"text": event.text, "why": event.why, "by": event.by}
        case e.MessageQueued():
            return {"text": event.message.text, "by": event.message.by, "message_id": event.message.id}
        case e.MessageChanged():
            return {"text": event.text, "by": event.by, "message_id": event.message}
        case e.Renamed():
            return {"title": event.title}
        case e.TicksStarted(run=str(tick)):
            return {"tick": {"run": tick, "number": event.index + 1, "name": run.tick_name(event.schedule, event.index)}}
        case e.TickEnded(end=end):
            return {"tick": {"run": end.run, "number": end.step + 1, "name": run.tick_name(event.schedule, end.step)}}
        case e.PlanRevised():
            return {"diff": msgspec.to_builtins(event.diff)}
        case _:
            return {}
