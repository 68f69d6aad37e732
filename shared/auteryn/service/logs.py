"""The log: every fact of a journal as one readable line."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, assert_never, get_args

from auteryn.errors import Invalid
from auteryn.policy.durations import moment, shown
from auteryn.schema import event as e
from auteryn.schema.message import calls_in, text_of
from auteryn.schema.plan import StepChange
from auteryn.schema.record import Record, to_json
from auteryn.schema.run import Run

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = get_args(Level)

SHOWN = 300
"""Characters of a text within a line."""


class LogLine(Record):
    """One line. Lines of one commit share its `seq`; as text it is what `print` shows."""

    run: str
    seq: int
    at: datetime
    level: Level
    kind: str
    """The event it came from."""
    message: str

    def __str__(self) -> str:
        return self.shown()

    def shown(self, whose: str = "") -> str:
        """As a line of a log file; the time is UTC. `whose` stands before the message."""
        return f"{self.at:%Y-%m-%d %H:%M:%S}Z {self.level.upper():7} {whose}{self.message}"


def at_least(level: str) -> frozenset[Level]:
    """The levels that pass this threshold; raises `Invalid` for what is none."""
    if level not in LEVELS:
        raise Invalid("level", level, f"is none of {', '.join(LEVELS)}")
    return frozenset(LEVELS[LEVELS.index(level) :])


def lines(run: Run, entry: e.Entry, levels: frozenset[Level] = frozenset(LEVELS)) -> Iterable[LogLine]:
    """The entry's lines of these levels, in order."""
    for event in entry.events:
        level, message = line(event, run)
        if level in levels:
            yield LogLine(run=run.id, seq=entry.seq, at=entry.at, level=level, kind=kind_of(event), message=message)


def kind_of(event: e.AnyEvent) -> str:
    return str(event.__struct_config__.tag)


def line(event: e.AnyEvent, run: Run) -> tuple[Level, str]:  # one line a fact: the table of the product's facts, for people
    """Level and text of one fact of this run."""
    match event:
        case e.RunCreated():
            made = event.run
            return "info", f"created: {made.title!r} in {made.mode.upper()} mode ({made.routing.reason})"
        case e.Forked():
            return "info", f"goes on from entry {event.seq} of {event.run}: what is above happened there"
        case e.SliceStarted():
            return "info", f"slice {event.slice} began"
        case e.CallsReserved():
            return "debug", f"model calls reserved up to {event.total}"
        case e.Left():
            return "info", f"slice ended after {_ms(event.active_ms)}: {event.why.replace('_', ' ')}"
        case e.ModeRaised():
            return "info", f"goes on in DEEP mode: {event.reason}"
        case e.Paused():
            return "info", f"paused by {event.by or 'owner'}"
        case e.Unpaused():
            return "info", f"resumed by {event.by or 'owner'}"
        case e.Renamed():
            return "info", f"renamed {event.title!r} by {event.by or 'owner'}"
        case e.RunCompleted():
            return "info", f"completed: {_short(event.result)}"
        case e.RunFailed():
            return "error", f"failed ({event.reason}): {event.message}"
        case e.RunCancelled():
            return "warning", f"cancelled by {event.by}: {_receipt(event.receipt)}"
        case e.ModelAnswered():
            return "info", _answer(event)
        case e.ModelFailed(reason="cut_off"):
            return "warning", event.message
        case e.ModelFailed(reason="no_answer"):
            why = f": {_short(event.message)}" if event.message else ""
            return "warning", f"{event.attempts} {'request' if event.attempts == 1 else 'requests'} had no usable answer{why}"
        case e.ModelFailed():
            return "warning", f"the model did not answer ({event.reason}): {_short(event.message)}"
        case e.ModelAsked():
            return "debug", f"call {event.call} asks the model"
        case e.ModelConsulted():
            return "debug", f"call {event.call} had an answer of the model {event.model}"
        case e.Told():
            return "info", f"told ({event.why}): {_short(event.text)}"
        case e.MessageQueued():
            return "info", f"{event.message.by} says for later: {_short(event.message.text)}"
        case e.MessageChanged():
            by = event.by or "owner"
            return "info", f"{by} took back what was said" if event.text is None else f"{by} says instead: {_short(event.text)}"
        case e.Compacted():
            return "info", f"conversation summarised at {event.prompt_tokens:,} tokens"
        case e.CallStarted():
            return "debug", f"{event.tool} begins ({event.call})"
        case e.CallAnswered():
            said = f"{event.tool} {'failed: ' + event.error if event.error else 'answered'} in {_ms(event.ms)}"
            return ("warning" if event.error else "info"), f"{said}: {_short(event.output)}"
        case e.CallSuspended():
            return "info", f"{event.tool} waits ({str(event.wait.__struct_config__.tag).replace('_', ' ')})"
        case e.CallWoken():
            return "debug", f"call {event.call} is made once more"
        case e.CallAllowed():
            changed = "" if event.args is None else f", with {_short(event.args)}"
            return "info", f"call {event.call} allowed by {event.by}{changed}"
        case e.AskOpened():
            return "info", f"asks ({event.ask.id}): {_short(event.ask.message)}"
        case e.AskAnswered():
            answer = event.answer
            return "info", f"{answer.ask} {answer.how} by {answer.by}: {_short(answer.value)}"
        case e.AskVoted():
            return "info", f"{event.answer.ask}: {event.answer.by} says {_short(event.answer.value)}; more must agree"
        case e.AskEscalated():
            return "warning", f"{event.ask}: nobody answered in time; now it is the turn of {', '.join(event.approvers)}"
        case e.AskReminded():
            return (
                "info",
                f"people were reminded ({event.ask}, {'once' if event.count == 1 else f'{event.count} times'} by now)",
            )
        case e.Digested():
            return "debug", f"digest of day {event.day}"
        case e.BudgetReached():
            return (
                "warning",
                f"{event.spent / 1000:g} of {event.limit / 1000:g} credits are spent ({event.policy.replace('_', ' ')})",
            )
        case e.BudgetDecided():
            return "info", f"budget: {event.by} decided: {event.how.replace('_', ' ')}"
        case e.Notified():
            return event.level, f"to the owner: {_short(event.message)}"
        case e.PlanCreated():
            goal = f": {_short(event.plan.goal)}" if event.plan.goal else ""
            return "info", f"plan {event.plan.id} of {len(event.plan.steps)} steps{goal}"
        case e.PlanRevised():
            return "info", f"plan revised ({event.plan.revision}): steps {_ids(event.diff)} changed; {event.note}"
        case e.StepsStarted():
            return "info", "; ".join(f"step {start.step} started ({start.run})" for start in event.steps)
        case e.StepsEnded():
            bad = any(end.status != "completed" for end in event.steps)
            return ("warning" if bad else "info"), "; ".join(_ended(f"step {end.step}", end) for end in event.steps)
        case e.StepRetried():
            return "info", f"step {event.step} is tried again, asked for by {event.by or 'owner'}"
        case e.PlanReviewed():
            return "info", f"results of steps {', '.join(map(str, event.steps))} were looked at"
        case e.ScheduleCreated():
            schedule = event.schedule
            return "info", f"schedule {schedule.name!r}: every {shown(schedule.every)}, {schedule.ticks} ticks"
        case e.TicksStarted():
            return _ticks(event, run.tick_name(event.schedule, event.index))
        case e.TickEnded():
            told = _ended(run.tick_name(event.schedule, event.end.step), event.end)
            return ("info" if event.end.status == "completed" else "warning"), told
        case e.ScheduleEnded():
            return "info", f"schedule {event.schedule} ended: {event.why}"
        case e.ShareChanged():
            spend = "" if event.credits is None else f" and spend {event.credits / 1000:g} credits"
            more = "; there was nothing more to give" if event.refused else ""
            return "debug", f"{event.run} may make {event.llm_calls} model calls{spend}{more}"
        case e.BudgetAsked():
            if event.short_credits:
                return "debug", f"asks for {event.short_credits / 1000:g} credits more"
            return "debug", f"asks for more than its {event.llm_calls} model calls"
        case e.ArtifactPublished():
            artifact = event.artifact
            return "info", f"published {artifact.path} ({artifact.size_bytes:,} bytes): {artifact.title}"
        case e.Logged():
            return event.level, event.message
        case _:
            assert_never(event)


def _answer(event: e.ModelAnswered) -> str:
    names, text = [call.name for call in calls_in(event.content)], text_of(event.content)
    said = "; ".join([*([_short(text)] if text.strip() else []), *([f"calls {', '.join(names)}"] if names else [])])
    tries = f", {event.attempts} requests" if event.attempts > 1 else ""
    return f"turn {event.turn} ({event.tokens.total:,} tokens, {_ms(event.ms)}{tries}): {said}"


def _ticks(event: e.TicksStarted, tick: str) -> tuple[Level, str]:
    skipped = f"{event.skipped} skipped: {event.reason}" if event.skipped else ""
    if event.run is None:
        return "warning", f"{tick} was not run; {skipped}"
    due = f", due {moment(event.due_at)}" if event.due_at else ""
    return ("warning" if skipped else "info"), f"{tick} started ({event.run}{due}){'; ' + skipped if skipped else ''}"


def _ended(what: str, end: e.StepEnd) -> str:
    return f"{what} {end.status}: {_short(end.result if end.status == 'completed' else end.error or '')}"


def _ids(diff: tuple[StepChange, ...]) -> str:
    return ", ".join(str(change.id) for change in diff) or "none"


def _receipt(receipt: e.Receipt) -> str:
    counts = (("finished", receipt.finished), ("aborted", receipt.aborted), ("unknown", receipt.unknown))
    calls = ", ".join(f"{len(names)} {word}" for word, names in counts if names) or "nothing was under way"
    return f"{calls}; {len(receipt.children)} steps told to stop" if receipt.children else calls


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else to_json(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _ms(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
