"""A new run: everything is checked before anything is written (L15)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec.structs import replace

from auteryn.agent.deliverables import impossible
from auteryn.agent.sent import to_be_sent
from auteryn.errors import Invalid, ToolFailed
from auteryn.plan.graph import checked
from auteryn.policy.answers import check_people
from auteryn.policy.durations import parse, shown
from auteryn.policy.modes import LONGEST_RUN, MODES
from auteryn.policy.quotas import FILE_BYTES, TREE_BYTES
from auteryn.runtime.children import title_of
from auteryn.schema.human import People
from auteryn.schema.plan import Plan, StepDraft
from auteryn.schema.record import Record, canonical_json, new_id, no_text
from auteryn.schema.routing import Decision
from auteryn.schema.run import AtBudget, Channel, Effects, FileCheck, Input, Limits, Options, Run
from auteryn.service.channels import check_channels
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.jail import cleaned

LONGEST_INPUT = 400_000
"""Characters. The task is part of every request: longer texts are given as files."""
LONGEST_KEY = 200
LONGEST_TITLE = 200
MOST_LABELS = 20
CARRY_OUT = "Carry out the given plan."
"""The task of a run that was given steps and no words."""


class Budget(Record):
    """Caps of one run, its steps included; None = the mode's own."""

    credits: float | None = None
    llm_calls: int | None = None


class NewRun(Record):
    """What a caller may say about a new run. `checked_request` says what is wrong with it."""

    input: str = ""
    mode: Literal["auto", "fast", "deep"] = "auto"
    steps: tuple[StepDraft, ...] = ()
    goal: str = ""
    """Of the steps; the input, if it is empty."""
    files: dict[str, bytes | Path] = {}
    """Put into the run's files before it starts: name → content, or a file to copy."""
    include_thoughts: bool = False
    auto_retry: bool = True
    max_duration: str = "1w"
    budget: Budget = Budget()
    deliverables: tuple[FileCheck, ...] = ()
    approve: Literal["ask", "auto"] = "ask"
    effects: Effects = "free"
    """`ask`: every call that changes something outside waits for a person; `dry`: none is made, each is told of."""
    people: People = People()
    """Who is asked on behalf of the run, and what silence means."""
    notify: tuple[Channel, ...] = ()
    """Who hears of it: on start, daily, when a person is asked, when it is done or has failed."""
    at_budget: AtBudget = "go_on"
    """What happens when most of `budget.credits` is spent."""
    key: str | None = None
    """Idempotency key: a repeat with the same one is the same run."""
    title: str = ""
    labels: dict[str, str] = {}


class Request(Record):
    """A `NewRun` that can be created as it is."""

    new: NewRun
    task: Input
    lifetime: timedelta
    plan: Plan | None


def checked_request(new: NewRun) -> Request:
    """What will be created; raises `Invalid` naming field, value and rule. Nothing is written and no model is asked."""
    _choice("mode", new.mode, ("auto", "fast", "deep"), "; leave it out for 'auto'")
    _choice("approve", new.approve, ("ask", "auto"))
    _choice("effects", new.effects, get_args(Effects))
    _choice("at_budget", new.at_budget, get_args(AtBudget))
    check_people(new.people)
    check_channels(new.notify)
    plan = checked(new_id("plan"), new.steps, goal=new.goal or new.input) if new.steps else None
    _check_text(new, plan)
    _check_budget(new)
    _check_files(new.files)
    _check_deliverables(new.deliverables)
    for name, value in new.labels.items():
        if not isinstance(cast("Any", value), str) or len(name) > 100 or len(value) > 500:
            raise Invalid(f"labels.{name}", value, "must be a text of at most 500 characters, its name of at most 100")
    if len(new.labels) > MOST_LABELS:
        raise Invalid("labels", len(new.labels), f"are more than {MOST_LABELS}")
    if new.key is not None and not 1 <= len(new.key) <= LONGEST_KEY:
        raise Invalid("key", new.key, f"must have 1 to {LONGEST_KEY} characters")
    extra = {"request": fingerprint(new)} if new.key is not None else {}
    task = Input(text=new.input or new.goal or CARRY_OUT, files=tuple(_names(new.files)), extra=extra)
    return Request(new=new, task=task, lifetime=lifetime(new.max_duration), plan=plan)


def run_of(request: Request, decision: Decision, owner: str, now: datetime, own_tools: tuple[str, ...] = ()) -> Run:
    """The run as it is created, by a program with tools of its own."""
    new, mode = request.new, MODES[decision.mode]
    calls = min(new.budget.llm_calls or mode.llm_calls, mode.llm_calls)
    credits = None if new.budget.credits is None else round(new.budget.credits * 1000)
    return Run(
        id=new_id("run"),
        title=new.title.strip() or title_of(new.input or new.goal or _first_step(request.plan)),
        mode=decision.mode,
        routing=decision,
        created_at=now,
        deadline_at=now + request.lifetime,
        limits=Limits(llm_calls=calls, credits=credits),
        owner=owner,
        options=Options(
            include_thoughts=new.include_thoughts,
            auto_retry=new.auto_retry,
            deliverables=new.deliverables,
            approve=new.approve,
            effects=new.effects,
            people=new.people,
            notify=new.notify,
            at_budget=new.at_budget,
            llm_calls=new.budget.llm_calls,
        ),
        own_tools=own_tools,
        labels=new.labels,
    )


def lifetime(max_duration: str, field: str = "max_duration") -> timedelta:
    """How long a run may live; raises `Invalid` for what is no span or longer than a week."""
    span = parse(max_duration, field)
    if span > LONGEST_RUN:
        raise Invalid(field, max_duration, f"is longer than a run can live ({shown(LONGEST_RUN)}, '1w')")
    return span


def drafts(steps: Iterable[StepDraft | Mapping[str, Any]]) -> tuple[StepDraft, ...]:
    """Steps as people write them; raises `Invalid` naming the step and the field."""
    return tuple(starmap(_draft, enumerate(steps)))


def fingerprint(new: NewRun) -> str:
    """Equal for equal requests: what a repeated idempotency key is held against."""
    files = {name: _sha256(body) for name, body in new.files.items()}
    fields = {**msgspec.to_builtins(replace(new, files={})), "files": files}
    return hashlib.sha256(canonical_json(fields)).hexdigest()


# ---- pieces --------------------------------------------------------------------------------------------------


def _choice(field: str, value: Any, known: tuple[str, ...], more: str = "") -> None:
    if value not in known:
        raise Invalid(field, value, f"is none of {', '.join(map(repr, known))}{more}")


def _check_text(new: NewRun, plan: Plan | None) -> None:
    if not isinstance(cast("Any", new.input), str):
        raise Invalid("input", new.input, "must be the task as text")
    if plan is None and not new.input.strip():
        raise Invalid("input", new.input, "must say what to do")
    for field, text in (("input", new.input), ("goal", new.goal)):
        if len(text) > LONGEST_INPUT:
            raise Invalid(field, text, f"has {len(text):,} characters, more than {LONGEST_INPUT:,}: give the text as a file")
    if len(new.title) > LONGEST_TITLE:
        raise Invalid("title", new.title, f"must have at most {LONGEST_TITLE} characters")


def _check_budget(new: NewRun) -> None:
    credits, calls = new.budget.credits, new.budget.llm_calls
    if credits is not None and not 0 < credits < 1e9:
        raise Invalid("budget.credits", credits, "must be more than 0 credits and less than a billion")
    most = MODES["fast" if new.mode == "fast" else "deep"].llm_calls
    if calls is not None and not 1 <= calls <= most:
        raise Invalid("budget.llm_calls", calls, f"must be 1 to {most:,}, the most a run of this mode may make")


def _check_files(files: Mapping[str, bytes | Path]) -> None:
    total, seen = 0, set[str]()
    for name, body in files.items():
        field = f"files[{name!r}]"
        path = _path(field, name)
        if path in seen:
            raise Invalid(field, name, "is there twice")
        seen.add(path)
        if isinstance(body, Path) and not body.is_file():
            raise Invalid(field, str(body), "is not a file that can be read; what is to stand in it is given as bytes")
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        if size > FILE_BYTES:
            raise Invalid(field, size, f"is larger than a file of a run can be ({FILE_BYTES:,} bytes)")
        total += size
    if total > TREE_BYTES:
        raise Invalid("files", total, f"are together larger than the files of a run can be ({TREE_BYTES:,} bytes)")


def _check_deliverables(wanted: Iterable[FileCheck]) -> None:
    """What no run can ever hand over is refused before it has worked for it."""
    for at, check in enumerate(wanted):
        field, whom = f"deliverables[{at}]", to_be_sent(check)
        for least in (check.min_bytes, check.min_rows, check.min_pages):
            if least is not None and least < 0:
                raise Invalid(field, check.path, f"must have at least some of what is counted, not {least}")
        if whom is None:
            _path(field, check.path)
            if why := impossible(check):
                raise Invalid(field, check.path, f"is never met: {why}")
        elif check != FileCheck(path=check.path):
            raise Invalid(field, check.path, "is a message: only of a file bytes, rows, pages and text can be asked for")
        elif not whom.strip() or (check.path.startswith("mailto:") and "@" not in whom):
            raise Invalid(field, check.path, "names nobody the message is for, as 'mailto:ann@example.com' does")


def _path(field: str, name: str) -> str:
    try:
        path = cleaned(name)
    except ToolFailed as error:
        raise Invalid(field, name, f"is no name for a file: {error}") from error
    if not path or path.split("/", 1)[0] == HIDDEN:
        raise Invalid(field, name, "is no name a file can have here")
    return path


def _names(files: Mapping[str, Any]) -> list[str]:
    return [cleaned(name) for name in files]


def _first_step(plan: Plan | None) -> str:
    return plan.steps[0].description if plan else ""


def _draft(number: int, step: Any) -> StepDraft:
    try:
        return msgspec.convert(msgspec.to_builtins(step), StepDraft)
    except UnicodeEncodeError as error:
        raise no_text(error) from None
    except (msgspec.ValidationError, TypeError) as error:
        raise Invalid(f"steps[{number}]", step, f"is no step (description, depends_on, id, join, review): {error}") from error


def _sha256(body: bytes | Path) -> str:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    with body.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
