"""A run: one task given to the agent, and everything about it that is true now.

`Run` is the projection of its journal. Its one behaviour stands in `schema.fold`: `after(run, entry)`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from auteryn.schema.human import Ask, People
from auteryn.schema.message import Tokens
from auteryn.schema.plan import Plan
from auteryn.schema.record import Record
from auteryn.schema.routing import Decision

VERSION = 1
"""Of the stored shapes; every change adds a line to `schema.versions` and a golden history."""

ModeName = Literal["fast", "deep"]
Status = Literal["pending", "running", "waiting", "paused", "completed", "failed", "cancelled"]
ENDINGS = {"completed": "completed", "failed": "failed", "cancelled": "been cancelled"}
"""What a run has that is over, in words."""
TERMINAL: frozenset[str] = frozenset(ENDINGS)

FailReason = Literal[
    "timeout",
    "deadline",
    "llm_call_limit",
    "credit_limit",
    "deliverable_missing",
    "model_refused",
    "stuck",
    "step_failed",
    "halted",
    "poison",
    "corrupt",
    "error",
]


# ---- waits: the only reasons why a run may have no slice -------------------------------------------------------


class UntilTime(Record, tag_field="kind", tag="until"):
    """Until `at`. The call, if any, is answered then."""

    at: datetime
    call: str | None = None
    reason: str = ""
    again: bool = False
    """The call is made once more then, instead of being answered."""


class ForSteps(Record, tag_field="kind", tag="steps"):
    """Until the plan (and the schedules) need the model again."""

    call: str | None = None


class ForPerson(Record, tag_field="kind", tag="person"):
    ask: str
    call: str | None = None
    until: datetime | None = None
    """When silence becomes an answer, if it ever does."""
    again: bool = False
    """The call is made once more then and reads the answer itself, instead of being answered with it."""


class ForBudget(Record, tag_field="kind", tag="budget"):
    """Until a share of calls or credits comes back (a step), or is raised (a run)."""

    call: str | None = None
    at: datetime | None = None
    """When its owner may spend again, if that is what it waits for."""
    why: str = ""


class ForRateLimit(Record, tag_field="kind", tag="rate_limit"):
    """Until the model's provider takes requests again."""

    at: datetime
    why: str = ""
    call: str | None = None


Wait = UntilTime | ForSteps | ForPerson | ForBudget | ForRateLimit


# ---- parts of a run ------------------------------------------------------------------------------------------


class Parent(Record):
    """Whose step, tick or helper this run is."""

    run: str
    root: str
    kind: Literal["step", "tick", "agent"]
    key: int
    """Step id or tick index."""
    of: str = ""
    """Plan or schedule id."""
    attempt: int = 1

    @property
    def number(self) -> int:
        """As people count: ticks from 1, too."""
        return self.key + (self.kind == "tick")


class FileCheck(Record):
    """A deliverable the run must have before it may be `completed`; verified by host code."""

    path: str
    """Path or glob inside the run's files; or a message that must have been sent: `mailto:ann@corp.test`, `slack:#prices`."""
    min_bytes: int = 1
    min_rows: int | None = None
    """For tables (csv, xlsx): data rows of the largest sheet."""
    contains: str | None = None
    min_pages: int | None = None
    """Slides of a deck, pages of a PDF, sheets of a workbook."""


class Verdict(Record):
    deliverable: str
    ok: bool
    detail: str = ""


Occasion = Literal["start", "daily", "waiting", "news", "done", "failed"]
"""When somebody is told: it begins; once every 24 hours; a person is asked; the agent has news; it has completed; it has
failed or was stopped."""

Effects = Literal["free", "ask", "dry"]
"""`ask`: every call that changes something outside is asked of a person first; a fork begins like that. `dry`: none is made,
and the run is told what each would have done."""

AtBudget = Literal["go_on", "ask", "fast", "stop"]
"""Go on to the cap; ask a person; go on with the FAST model; conclude with what there is."""


class Channel(Record):
    """One way to tell one person or program."""

    kind: Literal["webhook", "email", "slack"]
    to: str
    """Name of a webhook or an https address; a mail address; a Slack channel."""
    on: tuple[Occasion, ...] = ("start", "daily", "waiting", "news", "done", "failed")


class Options(Record):
    """What the owner chose at the start."""

    include_thoughts: bool = False
    auto_retry: bool = True
    deliverables: tuple[FileCheck, ...] = ()
    approve: Literal["ask", "auto"] = "ask"
    """`auto`: gates open by themselves, and the journal says so."""
    effects: Effects = "free"
    ask_when_stuck: bool = True
    """Before a run that makes no progress is stopped, a person is asked."""
    people: People = People()
    notify: tuple[Channel, ...] = ()
    """Who hears of it, and how."""
    at_budget: AtBudget = "go_on"
    """What happens when `BUDGET_NEAR` of the credits are spent."""
    llm_calls: int | None = None
    """How many the owner allowed, whatever the mode allows."""


class Limits(Record):
    llm_calls: int
    """Over the whole run: its slices, steps and retries."""
    credits: int | None = None
    """Thousandths of a credit; None = no cap."""


class Credits(Record):
    """Thousandths of a credit (1 credit = 0.1 US cent at list price)."""

    llm: int = 0
    tools: int = 0
    storage: int = 0

    @property
    def total(self) -> int:
        return self.llm + self.tools + self.storage


class Usage(Record):
    """Counted from the journal; the steps' usage is added when they end."""

    llm_calls: int = 0
    """Requests sent, the repeated ones included."""
    tool_calls: int = 0
    tokens: Tokens = Tokens()
    credits: Credits = Credits()
    active_ms: int = 0
    """Time in slices; waiting is free."""
    waived: int = 0
    """Thousandths of a credit that are not charged: the platform's own fault made them useless."""


class Artifact(Record):
    id: str
    path: str
    """Inside the run's files."""
    title: str
    sha256: str
    size_bytes: int
    media_type: str = "application/octet-stream"
    description: str = ""
    run: str = ""


SKIPS_KEPT = 3


class Skip(Record):
    """Ticks that were passed over, and why."""

    at: datetime
    """When that was decided."""
    ticks: int
    reason: str


class Schedule(Record):
    """A grid of ticks `start + k * every`, k = 0, 1, … while before `until`; each tick is a run of its own."""

    id: str
    name: str
    instruction: str
    start: datetime
    every: timedelta
    until: datetime
    overlap: Literal["skip", "queue"] = "skip"
    catch_up: Literal["none", "one", "all"] = "one"
    next_index: int = 0
    running: tuple[str, ...] = ()
    """Runs of ticks under way."""
    ended: int = 0
    failed: int = 0
    skipped: int = 0
    skips: tuple[Skip, ...] = ()
    """The newest `SKIPS_KEPT` with their reasons, the newest first; of those before, `skipped` holds the count."""
    last_result: str = ""
    started_at: datetime | None = None
    """When the newest tick was started; what was due before then was missed, not overlapped."""

    def at(self, index: int) -> datetime:
        return self.start + index * self.every

    @property
    def ticks(self) -> int:
        """How many ticks the grid has."""
        return max(0, -(-(self.until - self.start) // self.every))

    @property
    def over(self) -> bool:
        return self.next_index >= self.ticks and not self.running


class Queued(Record):
    """What somebody said to a run for when it would otherwise end or wait for good."""

    id: str
    """Of the message."""
    text: str
    by: str


class Failure(Record):
    reason: FailReason
    message: str


class Share(Record):
    """What a child run holds of its parent's caps until it ends."""

    llm_calls: int
    credits: int | None = None


QUESTION = "question"
"""Label `kind` of a run that is only a question."""


class Run(Record):
    """The summary everybody reads. Written only through commits of its own slice."""

    id: str
    title: str
    mode: ModeName
    routing: Decision
    created_at: datetime
    deadline_at: datetime
    limits: Limits
    owner: str = "local"
    v: int = VERSION
    status: Status = "pending"
    options: Options = Options()
    parent: Parent | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    waits: tuple[Wait, ...] = ()
    asks: tuple[Ask, ...] = ()
    """Open ones."""
    queued: tuple[Queued, ...] = ()
    """Not yet heard, in order."""
    plan: Plan | None = None
    schedules: tuple[Schedule, ...] = ()
    shares: dict[str, Share] = {}
    """By run id, what each child under way holds. A run that has ended keeps those that were under way then: they end with it,
    and what they have used and published counts as its own, though its journal does not say so."""
    artifacts: tuple[Artifact, ...] = ()
    grants: tuple[str, ...] = ()
    """`tool target` pairs a person allowed for the rest of this run."""
    grant_ends: dict[str, datetime] = {}
    """When a grant ends before the run does."""
    refusals: tuple[str, ...] = ()
    """`tool target` pairs a person refused for the rest of this run."""
    used_tools: tuple[str, ...] = ()
    """Tools that have answered in this run, in its steps, or before it in its parent; and what it has read by them:
    `@foreign` text, `@private` data."""
    own_tools: tuple[str, ...] = ()
    """Tools that the program which made it had of its own: a process that lacks one leaves it to a living one that has them."""
    recipients: tuple[str, ...] = ()
    """Addresses the owner named as recipients to a run above this one."""
    usage: Usage = Usage()
    reserved_calls: int = 0
    """Model calls that may be made without another commit, counted from the first."""
    over_time: bool = False
    """The deadline has passed and the run was told to conclude."""
    digests: int = 0
    """Days of its life whose digest was sent."""
    budget_near: bool = False
    """`BUDGET_NEAR` of the credits were spent, and what was chosen for it has been set off."""
    thrifty: bool = False
    """It goes on with the FAST model to make its budget last."""
    concluding: str = ""
    """Why it was told to conclude with what it has, if it was."""
    result: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    failure: Failure | None = None
    seq: int = 0
    """Of the last commit."""
    slice: int = 0
    """Number of the last slice that committed."""
    anchor_at: datetime | None = None
    """Where the run's rhythm stands while a slice is at work, or was cut off: the timer that rang, else the slice's start."""
    stalls: int = 0
    """Slices in a row that began and did nothing more: what they met may have killed them (F29)."""
    turns: int = 0
    context_seq: int = 1
    """The journal entry the conversation starts from: the first, or the last compaction."""
    labels: dict[str, str] = {}

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def closing(self) -> bool:
        """Nothing new begins any more: its deadline has passed, or it was told to conclude with what it has."""
        return self.over_time or bool(self.concluding)

    @property
    def root(self) -> str:
        """The top of the tree this run belongs to; its files and notes are shared by the whole tree."""
        return self.parent.root if self.parent else self.id

    @property
    def promised_calls(self) -> int:
        """Model calls that are its children's until they end."""
        return sum(share.llm_calls for share in self.shares.values()) if self.shares else 0

    @property
    def credits_left(self) -> int | None:
        """Thousandths of a credit that are neither spent nor its children's until they end; None without a budget."""
        if self.limits.credits is None:
            return None
        promised = sum(share.credits or 0 for share in self.shares.values())
        return self.limits.credits - self.usage.credits.total - promised

    @property
    def is_question(self) -> bool:
        """Nothing but a question to a person: no model works on it, and its result is the answer."""
        return self.labels.get("kind") == QUESTION

    @property
    def mind(self) -> ModeName:
        """Whose model thinks: the mode's, or the FAST one's to make the budget last."""
        return "fast" if self.thrifty else self.mode

    def tick_name(self, schedule: str, index: int) -> str:
        """What people call a tick: "tick 3", and of which schedule, where the run has several."""
        if len(self.schedules) < 2:
            return f"tick {index + 1}"
        called = next((one.name for one in self.schedules if one.id == schedule), schedule)
        alike = sum(one.name == called for one in self.schedules)
        return f"tick {index + 1} of {schedule if alike > 1 else repr(called)}"

    def name_of(self, child: Parent) -> str:
        """What people call a run of which this is the parent: "step 2"."""
        return self.tick_name(child.of, child.key) if child.kind == "tick" else f"{child.kind} {child.key}"

    @property
    def outer_status(self) -> str:
        """The spec's words: pending, running, completed, failed; and cancelled."""
        return "running" if self.status in ("waiting", "paused") else self.status


class Input(Record):
    """The task as it was given, verbatim."""

    text: str
    files: tuple[str, ...] = ()
    """Names of files put into the run's workspace before it started."""
    context: str = ""
    """For a step: the goal and the results it builds on."""
    extra: dict[str, Any] = {}
