"""What is sent out: the public shapes of runs. Every field is always there, also where it has its default."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from auteryn.policy.durations import shown
from auteryn.runtime.spending import Spent
from auteryn.schema.human import Ask
from auteryn.schema.plan import Plan
from auteryn.schema.post import Endpoint, EventType
from auteryn.schema.record import Record
from auteryn.schema.run import (
    Artifact,
    Failure,
    Limits,
    ModeName,
    Options,
    Parent,
    Run,
    Schedule,
    Status,
    Usage,
    Verdict,
    Wait,
)  # fmt: skip
from auteryn.service.costs import CreditDetail
from auteryn.service.links import Link
from auteryn.service.listing import Planned
from auteryn.service.logs import LogLine
from auteryn.service.memories import Memory
from auteryn.service.progress import standing
from auteryn.service.reading import Revision
from auteryn.service.steer import Unheard
from auteryn.service.tree import Version
from auteryn.service.why import WaitsOn

OuterStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


class RunLine(Record):
    """A run in a list."""

    id: str
    title: str
    mode: ModeName
    owner: str
    status: OuterStatus
    state: Status
    """The engine's own word: beside the outer ones, waiting and paused."""
    detail: str
    """Such as "Day 2 of 7, Step 3/6 complete"."""
    why: str
    """One sentence: why nothing happens now, or that something does."""
    waits_on: WaitsOn
    """What it waits for first, in one word: a person, its steps under way, only time, or budget; empty unless it waits."""
    day: int
    days: int
    step: int
    """Completed steps."""
    steps: int
    open_asks: int
    credits: float
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline_at: datetime
    parent: Parent | None
    labels: dict[str, str]
    seq: int
    """Of the newest journal entry in it: events of this run up to here are part of it."""
    waits: tuple[Wait, ...]
    limits: Limits
    last_event_at: datetime | None
    """Of a run at work it may be a few commits ago; null where it was not looked up."""


class RunView(RunLine):
    """A run, whole."""

    reason: str
    """Why it has its mode."""
    result: str | None
    """Of a run that failed or was cancelled: what there was."""
    failure: Failure | None
    verdicts: tuple[Verdict, ...]
    artifacts: tuple[Artifact, ...]
    asks: tuple[Ask, ...]
    plan: Plan | None
    schedules: tuple[Schedule, ...]
    children: tuple[str, ...]
    """Runs of steps and ticks that are under way."""
    usage: Usage
    options: Options


class RunPage(Record):
    """Runs, newest first; `next` is the cursor of the next page."""

    runs: tuple[RunLine, ...]
    next: str | None


class LogPage(Record):
    """Log lines in order; `next` is the `after` of the next page."""

    lines: tuple[LogLine, ...]
    next: int | None


class Asks(Record):
    asks: tuple[Ask, ...]


class Artifacts(Record):
    artifacts: tuple[Artifact, ...]


class Versions(Record):
    versions: tuple[Version, ...]


class Revisions(Record):
    revisions: tuple[Revision, ...]


class Schedules(Record):
    schedules: tuple[Planned, ...]


class ProgressStep(Record):
    id: int
    status: str
    result: str | None


class Progress(Record):
    plan_id: str | None
    status: str
    current_step: int
    total_steps: int
    steps: tuple[ProgressStep, ...]


class Metrics(Record):
    duration: str
    llm_calls: int
    tool_calls: int
    tokens_used: int
    credits_consumed: int


class CreditBreakdown(Record):
    llm_calls: int
    tool_calls: int
    storage: int


class CreditUsage(Record):
    total_credits: int
    breakdown: CreditBreakdown
    detail: CreditDetail | None = None


class Spend(Record):
    """What the owner may spend in the window that is now, and has spent. In credits."""

    limit: float | None
    """None: as much as there is."""
    spent: float = 0
    held: float = 0
    """Taken by runs at work for their next turns."""
    window: str = ""
    """How long one lasts, such as `1d`."""
    frees_at: datetime | None = None
    """When the next one begins."""


class Links(Record):
    links: tuple[Link, ...]


class Webhook(Record):
    id: str
    url: str
    types: tuple[EventType, ...]
    """Empty: all."""
    description: str
    created_at: datetime


class NewWebhook(Record):
    webhook: Webhook
    secret: str
    """Signs what is sent (standardwebhooks.com); nobody can learn it again."""


class Memories(Record):
    memories: tuple[Memory, ...]


class Webhooks(Record):
    webhooks: tuple[Webhook, ...]


class UnheardMessages(Record):
    messages: tuple[Unheard, ...]


class Tools(Record):
    tools: tuple[dict[str, Any], ...]


class Prose(Record):
    """One piece of HTML a text."""

    html: tuple[str, ...]


class Health(Record):
    status: Literal["ok"]


class Session(Record):
    """Who is signed in. `csrf` goes into the header `X-CSRF-Token` of every request that changes something."""

    owner: str
    role: str
    csrf: str | None
    until: datetime | None


class Ticket(Record):
    """Opens the event stream of one run, in the query of its address: for clients that can send no headers."""

    ticket: str
    url: str
    until: datetime


def line(run: Run, now: datetime, last_event_at: datetime | None = None) -> RunLine:
    return RunLine(**_line(run, now, last_event_at))


def view(run: Run, now: datetime, why: str | None = None) -> RunView:
    """`why`: the sentence of somebody who looked deeper than into the run itself."""
    line = _line(run, now)
    line["why"] = line["why"] if why is None else why
    return RunView(
        **line,
        reason=run.routing.reason,
        result=run.result,
        failure=run.failure,
        verdicts=run.verdicts,
        artifacts=run.artifacts,
        asks=run.asks,
        plan=run.plan,
        schedules=run.schedules,
        children=tuple(run.shares),
        usage=run.usage,
        options=run.options,
    )


def spend(found: Spent | None) -> Spend:
    if found is None or found.limit.credits is None:
        return Spend(limit=None)
    return Spend(
        limit=found.limit.credits / 1000,
        spent=found.spent / 1000,
        held=found.held / 1000,
        window=shown(found.limit.span),
        frees_at=found.window.end,
    )


def webhook(one: Endpoint) -> Webhook:
    return Webhook(id=one.id, url=one.url, types=one.types, description=one.description, created_at=one.created_at)


def _line(run: Run, now: datetime, last_event_at: datetime | None = None) -> dict[str, Any]:
    where = standing(run, now)
    return {
        **{name: getattr(run, name) for name in _SAME},
        **{name: getattr(where, name) for name in where.__struct_fields__},
        "open_asks": len(run.asks),
        "last_event_at": last_event_at,
        "credits": run.usage.credits.total / 1000,
    }


_SAME = (
    "id",
    "title",
    "mode",
    "owner",
    "created_at",
    "started_at",
    "ended_at",
    "deadline_at",
    "parent",
    "labels",
    "seq",
    "waits",
    "limits",
)
