"""What a program may say when it starts a run, asks a person or lists runs; plain dicts, paths and words will do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar, cast

import msgspec
from msgspec import Struct, field

from auteryn.errors import Invalid
from auteryn.policy.durations import parse
from auteryn.schema.human import OnTimeout, People
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import no_text
from auteryn.schema.refused import refused
from auteryn.schema.run import AtBudget, Channel, Effects, FileCheck, Status
from auteryn.service.channels import Written, channels
from auteryn.service.new import Budget, NewRun, drafts
from auteryn.tools.tool import Tool

T = TypeVar("T")
ModeWord = Literal["auto", "fast", "deep"]
Notify = Written | Sequence[Written]


class TaskOptions(TypedDict, total=False):
    """What may be said about a run besides its task; what is left out is as `configure` left it."""

    goal: str
    files: Mapping[str, bytes | str | Path] | Sequence[str | Path]
    """Name → content (bytes) or a file to copy (a path); or just paths."""
    include_thoughts: bool
    auto_retry: bool
    max_duration: str
    budget: Budget | Mapping[str, float]
    """Such as `{"credits": 500}` or `{"llm_calls": 200}`."""
    deliverables: Sequence[str | FileCheck | Mapping[str, Any]]
    """Files that must be there before the run counts as completed."""
    approve: Literal["ask", "auto"]
    effects: Effects
    """`dry`: no call that changes something outside is made, each is told of; `ask`: each is asked of a person first."""
    people: People | Mapping[str, Any]
    """Who is asked on behalf of the run: approvers, quorum, timeout ("24h"), on_timeout, escalate_to, remind_every."""
    notify: Notify
    """Who hears of it: `"mailto:ann@example.com"`, `"slack:#alerts"`, `"webhook:NAME"`, `"https://…"`, several of them, or
    `{"address": …, "on": ["daily", "done"]}`; on are start, daily, waiting, news, done, failed."""
    at_budget: AtBudget
    """When four fifths of the credits are spent: go_on, ask, fast (go on with the FAST model) or stop."""
    key: str
    """Idempotency key: the same key is the same run."""
    title: str
    labels: dict[str, str]


class AskOptions(TypedDict, total=False):
    """What may be said about a question besides its text."""

    timeout: str | None
    """Such as `24h`; left out, the question is open for a week."""
    on_timeout: OnTimeout
    default: str | None
    approvers: Sequence[str]
    """Who may answer: names or addresses, `*` for any part of one."""
    escalate_to: Sequence[str]
    """Whose turn comes next, one after the other, each time that `timeout` has passed."""
    quorum: int
    """How many different people must say the same."""
    notify: Notify
    max_duration: str


class Filter(TypedDict, total=False):
    """Which runs to list; a field that is left out filters nothing."""

    status: Sequence[Status]
    """Any of the engine's words: pending, running, waiting, paused, completed, failed, cancelled."""
    mode: Literal["fast", "deep"]
    text: str
    """Somewhere in the title or the id, whatever its case."""
    labels: dict[str, str]
    asking: bool
    """Has an open question."""
    since: datetime
    """Made then or later."""
    until: datetime
    """Made before."""
    least_credits: float
    """Has cost at least so much."""


class RunOptions(TaskOptions, total=False):
    """The same, and the steps of a plan that is given."""

    steps: Sequence[StepDraft | Mapping[str, Any]]


class Defaults(Struct, frozen=True):
    """What `Agent.configure` sets for later runs."""

    mode: ModeWord = "auto"
    include_thoughts: bool = False
    max_duration: str = "1w"
    auto_retry: bool = True
    people: People = field(default_factory=People)
    notify: tuple[Channel, ...] = ()
    at_budget: AtBudget = "go_on"


def new_run(input: str, mode: ModeWord | None, options: RunOptions, defaults: Defaults) -> NewRun:
    """What `options` leave open is as `defaults` have it. Raises `Invalid` for an option nobody knows."""
    given = cast("dict[str, Any]", dict(options))
    if unknown := set(given) - set(RunOptions.__annotations__):
        raise Invalid("option", min(unknown), f"is not known; {', '.join(RunOptions.__annotations__)} are")
    given.setdefault("include_thoughts", defaults.include_thoughts)
    given.setdefault("auto_retry", defaults.auto_retry)
    given.setdefault("max_duration", defaults.max_duration)
    given.setdefault("at_budget", defaults.at_budget)
    given["people"] = people_of(given["people"]) if "people" in given else defaults.people
    given["notify"] = channels(given["notify"]) if "notify" in given else defaults.notify
    given["steps"] = drafts(several("steps", given.get("steps", ())))
    given["files"] = _files(given.get("files", {}))
    given["budget"] = converted(given.get("budget", {}), Budget, "budget")
    given["deliverables"] = tuple(map(_deliverable, several("deliverables", given.get("deliverables", ()))))
    return NewRun(input=input, mode=defaults.mode if mode is None else mode, **given)


def several(field: str, given: Iterable[T]) -> tuple[T, ...]:
    """All of them. Raises `Invalid` for one text, which Python would take for its letters."""
    if isinstance(given, str | bytes) or not isinstance(cast("Any", given), Iterable):
        raise Invalid(field, given, "must be a list, be it of one")
    return tuple(given)


def own_tools(given: Iterable[Tool]) -> tuple[Tool, ...]:
    """Raises `Invalid` for a function that is no tool yet."""
    found = several("tools", given)
    for number, one in enumerate(found):
        if not isinstance(cast("Any", one), Tool):
            raise Invalid(f"tools[{number}]", one, "is no tool: put @auteryn.tool above the function")
    return found


def people_of(given: People | Mapping[str, Any]) -> People:
    """Spans may be words: `{"timeout": "24h"}`. Raises `Invalid`."""
    if isinstance(given, People):
        return converted(given, People, "people")
    spans = {
        name: parse(given[name], f"people.{name}") for name in ("timeout", "remind_every") if isinstance(given.get(name), str)
    }
    return converted({**given, **spans}, People, "people")


def converted(given: Any, shape: type[T], field: str) -> T:
    """Plain values, or such a record that nobody has checked, as a record; raises `Invalid` naming the field."""
    try:
        return msgspec.convert(msgspec.to_builtins(given, builtin_types=(datetime, timedelta)), shape)
    except UnicodeEncodeError as error:
        raise no_text(error) from None
    except msgspec.ValidationError as error:
        raise refused(error, given, shape, field) from error
    except TypeError as error:
        raise Invalid(field, given, f"cannot be read: {error}") from error


def _files(given: Mapping[str, bytes | str | Path] | Sequence[str | Path]) -> dict[str, bytes | Path]:
    if isinstance(given, Mapping):
        return {name: body if isinstance(body, bytes) else Path(body) for name, body in given.items()}
    paths = [Path(path) for path in several("files", given)]
    for path in paths:
        if sum(other.name == path.name for other in paths) > 1:
            raise Invalid("files", path.name, "is the name of two files: give them as {name: path}")
    return {path.name: path for path in paths}


def _deliverable(given: str | FileCheck | Mapping[str, Any]) -> FileCheck:
    return converted({"path": given} if isinstance(given, str) else given, FileCheck, "deliverables")
