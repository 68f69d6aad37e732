"""The durable facts of a run. This file is the vocabulary: what each event means is said here and nowhere else.

Payloads carry meaning only; the `Entry` that holds them carries number, time and slice. A fact is named in the past
tense. What is only streamed is a `Delta` (`schema.message`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

from auteryn.errors import Corrupt
from auteryn.schema.human import Answer, Ask
from auteryn.schema.message import Call, Content, Image, Tokens, calls_in
from auteryn.schema.plan import Plan, StepChange
from auteryn.schema.record import Record, derived_id
from auteryn.schema.run import Artifact, AtBudget, FailReason, Input, Queued, Run, Schedule, Share, Usage, Verdict, Wait


class Event(Record, tag_field="kind"):
    """Base of all events."""


# ---- the run -------------------------------------------------------------------------------------------------


class RunCreated(Event, tag="run_created"):
    """The first event: the task verbatim. `run` is the summary as it was created."""

    run: Run
    input: Input


class Forked(Event, tag="forked"):
    """Everything before this fact happened to another run: it is this one's past, and cost it nothing. What was under way
    begins anew; permissions and questions of the other run do not count here."""

    run: str
    """The other run."""
    seq: int
    """Its last entry that is kept."""


class SliceStarted(Event, tag="slice_started"):
    """A slice began; committed with its first fact of its own."""

    slice: int
    host: str = ""
    code: str = ""
    """The release that works."""


class CallsReserved(Event, tag="calls_reserved"):
    """Model calls up to `total` (over the whole run) may be made from here on (L11)."""

    total: int


class Left(Event, tag="left"):
    """The slice ended and the run goes on later: it waits, or hands over to its next slice."""

    why: Literal["waiting", "handed_over", "paused"]
    waits: tuple[Wait, ...] = ()
    """Of the run itself, in addition to those of its calls."""
    active_ms: int = 0


class ModeRaised(Event, tag="mode_raised"):
    """A FAST run turned out to be big: it goes on as DEEP, with DEEP's limits."""

    reason: str
    llm_calls: int


class Paused(Event, tag="paused"):
    by: str = ""


class Unpaused(Event, tag="unpaused"):
    by: str = ""


class Renamed(Event, tag="renamed"):
    title: str
    by: str = ""


class RunCompleted(Event, tag="run_completed"):
    result: str
    verdicts: tuple[Verdict, ...] = ()
    active_ms: int = 0


class RunFailed(Event, tag="run_failed"):
    """The run ended without what it should have; `partial` is what there was."""

    reason: FailReason
    message: str
    partial: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    active_ms: int = 0


class Receipt(Record):
    """What a cancel found: calls by name, and what became of each."""

    aborted: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    """Runs that were told to stop."""


class RunCancelled(Event, tag="run_cancelled"):
    by: str
    receipt: Receipt
    partial: str | None = None
    active_ms: int = 0


# ---- the conversation ----------------------------------------------------------------------------------------


class ModelAnswered(Event, tag="model_answered"):
    """One turn's answer. Its calls are proposals until they are answered, one by one."""

    turn: int
    model: str
    content: Content
    """As received, verbatim (L9)."""
    tokens: Tokens = Tokens()
    attempts: int = 1
    credits: int = 0
    thoughts: str = ""
    """Only when the run asked for them."""
    finish: str = "stop"
    ms: int = 0


class ModelFailed(Event, tag="model_failed"):
    """Requests were sent and no usable answer came: they count, and the run waits or ends."""

    attempts: int
    reason: str
    message: str
    model: str = ""
    """Which model gave an answer that could not be used; empty where none came."""
    tokens: Tokens = Tokens()
    credits: int = 0


class ModelAsked(Event, tag="model_asked"):
    """A tool is about to send requests of its own to the model: they count from here on, whatever comes of them (L11)."""

    call: str
    attempts: int = 1


class ModelConsulted(Event, tag="model_consulted"):
    """The model answered a tool: a search, an extraction. It is no turn of the conversation."""

    call: str
    model: str
    tokens: Tokens = Tokens()
    attempts: int = 1
    """Requests that no `ModelAsked` has counted."""
    credits: int = 0


class Told(Event, tag="told"):
    """Text that enters the conversation as the user's side: a steering message, a nudge, results that arrived late."""

    text: str
    why: Literal["message", "nudge", "report", "review", "deliverables", "deadline", "format", "answer"]
    message: str | None = None
    """Id of the inbox message it came from."""
    by: str = ""


class MessageQueued(Event, tag="message_queued"):
    """A message for later: the model hears it when the run would otherwise end."""

    message: Queued


class MessageChanged(Event, tag="message_changed"):
    """A queued message was given other words; `text` None: it was taken back."""

    message: str
    """Id of the queued message."""
    text: str | None = None
    by: str = ""


class Compacted(Event, tag="compacted"):
    """The conversation before `keep_from` is replaced by the task, the ledger and this summary."""

    summary: str
    keep_from: int
    """Seq of the first entry that stays verbatim; larger than this entry's own if nothing does."""
    found: tuple[str, ...] = ()
    """Tools that `tool_search` had found; they stay declared."""
    reported: tuple[str, ...] | None = None
    """What had ended and the model had been told of (as `Thread.reported`); None: written by an older release."""
    reminders: int | None = None
    """How often missing deliverables had been pointed out."""
    share_refused: bool = False
    """There was nothing left to give to this step."""
    said: tuple[str, ...] | None = None
    """Of what people had said since the task, the sentences with a recipient or a web address: word for word, the newest first
    to stay. None: written by an older release."""
    last_text: str = ""
    """What the agent said last: a partial result, if it comes to that."""
    unfinished: str = ""
    """The beginning of an answer that the output limit cut: the next one goes on from there."""
    images: tuple[Image, ...] = ()
    """Pictures that had been looked at and stay in sight."""
    refused: int = 0
    """How many times in a row the model had refused the signatures of its own last answer."""
    prompt_tokens: int = 0
    """Before the cut."""
    tokens: Tokens = Tokens()
    attempts: int = 1
    credits: int = 0


# ---- calls of tools ------------------------------------------------------------------------------------------


class CallStarted(Event, tag="call_started"):
    """Intent: from here on the call may have taken effect. Written before every `keyed` and `once` call (L6)."""

    call: str
    tool: str
    within: str | None = None
    """The call that made it, if it was not the model."""


class CallAnswered(Event, tag="call_answered"):
    """The one answer of a call, as the model sees it."""

    call: str
    tool: str
    output: Any = None
    error: str | None = None
    """Kind of failure; `output` then says what happened."""
    ms: int = 0
    attempts: int = 1
    credits: int = 0
    """Thousandths of a credit."""
    cut: bool = False
    """The whole output is in a file of the run; `output` has head, tail and path."""
    images: tuple[Image, ...] = ()
    """Pictures the model sees with the answer."""
    labels: tuple[str, ...] = ()
    """What the run read for the first time with this answer: `@foreign`, `@private`."""
    within: str | None = None
    """The call that made it, if it was not the model; the output is whole then."""
    reached: tuple[str, ...] = ()
    """Who received what it sent, where the arguments of a call of the model do not say it: some recipients were refused, or it
    was a call within a call."""


class CallSuspended(Event, tag="call_suspended"):
    """The call is answered later, when its wait is over."""

    call: str
    tool: str
    wait: Wait


class CallWoken(Event, tag="call_woken"):
    """What the call waited for has come: the same call is made once more, without a turn of the model."""

    call: str


class CallAllowed(Event, tag="call_allowed"):
    """A gate opened: the call may run now, with exactly these arguments."""

    call: str
    sha256: str
    by: str
    args: dict[str, Any] | None = None
    """What runs instead of the arguments the model gave, if the person changed them."""


# ---- people --------------------------------------------------------------------------------------------------


class AskOpened(Event, tag="ask_opened"):
    ask: Ask


class AskAnswered(Event, tag="ask_answered"):
    answer: Answer


class AskVoted(Event, tag="ask_voted"):
    """One of several people who must agree has answered."""

    answer: Answer


class AskEscalated(Event, tag="ask_escalated"):
    """Nobody answered in time: it is the next approvers' turn."""

    ask: str
    approvers: tuple[str, ...]
    expires_at: datetime | None


class AskReminded(Event, tag="ask_reminded"):
    """Those who are notified are told again that a question is open."""

    ask: str
    count: int


class Digested(Event, tag="digested"):
    """The digest of the run's n-th day: on the grid of 24 hours from its creation, each at most once."""

    day: int


class BudgetReached(Event, tag="budget_reached"):
    """Most of the credits are spent; `policy` says what follows."""

    spent: int
    """Thousandths of a credit, those promised to children included."""
    limit: int
    policy: AtBudget


class BudgetDecided(Event, tag="budget_decided"):
    """How it goes on after most of the budget is spent, decided by a person or by the owner's choice at the start."""

    how: Literal["go_on", "fast", "stop"]
    by: str


class Notified(Event, tag="notified"):
    """A message to the run's owner."""

    message: str
    level: Literal["info", "warning", "error"] = "info"


# ---- plans, steps, schedules ---------------------------------------------------------------------------------


class PlanCreated(Event, tag="plan_created"):
    plan: Plan
    call: str | None = None


class PlanRevised(Event, tag="plan_revised"):
    """The plan as it is now, and the diff; ended steps are as they were."""

    plan: Plan
    diff: tuple[StepChange, ...]
    note: str = ""


class StepStart(Record):
    step: int
    run: str
    attempt: int
    share: Share


class StepsStarted(Event, tag="steps_started"):
    """These steps have runs of their own now, created in this very commit."""

    steps: tuple[StepStart, ...]


class StepEnd(Record):
    step: int
    run: str
    attempt: int
    status: Literal["completed", "failed", "cancelled"]
    result: str | None = None
    error: str | None = None
    usage: Usage = Usage()
    artifacts: tuple[Artifact, ...] = ()
    used_tools: tuple[str, ...] = ()


class StepsEnded(Event, tag="steps_ended"):
    steps: tuple[StepEnd, ...]


class StepRetried(Event, tag="step_retried"):
    """A failed step is pending again, and so is what was skipped because of it."""

    step: int
    by: str = ""


class PlanReviewed(Event, tag="plan_reviewed"):
    """The planner has seen the results of these steps."""

    steps: tuple[int, ...]


class ScheduleCreated(Event, tag="schedule_created"):
    schedule: Schedule
    call: str | None = None


class TicksStarted(Event, tag="ticks_started"):
    """A tick's run was created; `skipped` earlier grid points were passed over, for the reason given."""

    schedule: str
    index: int
    run: str | None = None
    due_at: datetime | None = None
    share: Share | None = None
    skipped: int = 0
    reason: str = ""


class TickEnded(Event, tag="tick_ended"):
    schedule: str
    end: StepEnd


class ScheduleEnded(Event, tag="schedule_ended"):
    schedule: str
    why: str


class ShareChanged(Event, tag="share_changed"):
    """A child's share of the caps was raised, or this run's own limits were."""

    run: str
    llm_calls: int
    credits: int | None = None
    refused: bool = False
    """There was nothing left to give."""


class BudgetAsked(Event, tag="budget_asked"):
    """This run (a child) has used up its share and asked its parent for more."""

    llm_calls: int
    short_credits: int = 0
    """Thousandths of a credit its next turn lacks; 0: it lacks calls."""


# ---- files, log ----------------------------------------------------------------------------------------------


class ArtifactPublished(Event, tag="artifact_published"):
    artifact: Artifact
    credits: int = 0


class Logged(Event, tag="logged"):
    """A line for `get_logs` that no other fact says: facts appear there by themselves."""

    level: Literal["debug", "info", "warning", "error"]
    message: str


AnyEvent = (
    RunCreated
    | Forked
    | SliceStarted
    | CallsReserved
    | Left
    | ModeRaised
    | Paused
    | Unpaused
    | Renamed
    | RunCompleted
    | RunFailed
    | RunCancelled
    | ModelAnswered
    | ModelFailed
    | ModelAsked
    | ModelConsulted
    | Told
    | MessageQueued
    | MessageChanged
    | Compacted
    | CallStarted
    | CallAnswered
    | CallSuspended
    | CallAllowed
    | CallWoken
    | AskOpened
    | AskAnswered
    | AskVoted
    | AskEscalated
    | AskReminded
    | Digested
    | BudgetReached
    | BudgetDecided
    | Notified
    | PlanCreated
    | PlanRevised
    | StepsStarted
    | StepsEnded
    | StepRetried
    | PlanReviewed
    | ScheduleCreated
    | TicksStarted
    | TickEnded
    | ScheduleEnded
    | ShareChanged
    | BudgetAsked
    | ArtifactPublished
    | Logged
)


class Entry(Record):
    """One commit of a run: its events, stamped."""

    seq: int
    at: datetime
    slice: int
    commit: str
    """Random id of the commit: finding one's own after a lost reply means it was applied (L1)."""
    events: tuple[AnyEvent, ...]


def facts(entries: Iterable[Entry]) -> Iterator[AnyEvent]:
    """The events of these entries, in order."""
    return (event for entry in entries for event in entry.events)


def beginning(first: Entry) -> RunCreated:
    """The fact that a journal begins with; raises `Corrupt` for an entry that begins none."""
    created = first.events[0] if first.events else None
    if first.seq != 1 or not isinstance(created, RunCreated):
        raise Corrupt(f"entry {first.seq} does not create a run")
    return created


def calls_of(run: str, answer: ModelAnswered) -> dict[str, Call]:
    """The calls a turn proposes, by id, in the model's order. An id follows from run, turn and place."""
    return {derived_id("call", run, answer.turn, at): call for at, call in enumerate(calls_in(answer.content))}
