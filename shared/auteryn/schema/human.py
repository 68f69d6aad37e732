"""Questions to people and their answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from auteryn.schema.record import Record

InputType = Literal["text", "number", "date", "email", "url", "choice", "json"]
OnTimeout = Literal["wait", "default", "deny", "halt", "escalate"]
"""What silence means: nothing; the default option; no; the end of the run; the next approver's turn."""


class Subject(Record):
    """What exactly an approval allows: the hash binds the answer to these arguments and no others (L14)."""

    tool: str
    args: dict[str, Any]
    sha256: str
    """Of the canonical JSON of tool, args and preview."""
    target: str = ""
    """Who or what is touched (a recipient, a host, a path): grants for the rest of the run cover one target."""
    preview: str = ""
    """What the call would do, as the tool foresees it; worked out anew before it runs, and it must be the same."""


class Ask(Record):
    """An open question. Several may be open at once; each is answered once, in any order."""

    id: str
    run: str
    message: str
    opened_at: datetime
    call: str | None = None
    """The call that waits for the answer; None when the engine itself asks."""
    kind: Literal["approval", "input", "gate", "stuck", "budget"] = "approval"
    """`approval` and `input` come from the model, `gate` stands before a tool call, `stuck` is the progress governor,
    `budget` asks whether to go on when most of the budget is spent."""
    options: tuple[str, ...] = ()
    input_type: InputType = "text"
    validation: str | None = None
    """`email`, `url`, `number`, `date`, or `regex:PATTERN`."""
    json_schema: dict[str, Any] | None = None
    context: str = ""
    subject: Subject | None = None
    expires_at: datetime | None = None
    on_timeout: OnTimeout = "wait"
    default: str | None = None
    approvers: tuple[str, ...] = ()
    """Who may answer now: names or addresses, `*` for any part; empty: whoever may steer the run."""
    escalate_to: tuple[str, ...] = ()
    """Whose turn comes next, one after the other, each time that `timeout` has passed in silence."""
    timeout: timedelta | None = None
    """How long each of them has."""
    quorum: int = 1
    """How many different people must say the same. One who refuses a call is enough to refuse it."""
    votes: tuple[Answer, ...] = ()
    """What has been said towards the quorum."""
    reminded: int = 0
    """How often people were told again that it is open."""


class People(Record):
    """How people are asked on behalf of a run: before gated calls, when it is stuck, and when the agent asks."""

    approvers: tuple[str, ...] = ()
    """Who may answer; empty: whoever may steer the run."""
    quorum: int = 1
    """For gated calls."""
    timeout: timedelta | None = None
    """For what the engine itself asks; None: as long as the run lives."""
    on_timeout: OnTimeout = "wait"
    escalate_to: tuple[str, ...] = ()
    remind_every: timedelta = timedelta(days=1)
    """Between two reminders to those who are notified."""


class Answer(Record):
    """What came of an ask: exactly one per ask."""

    ask: str
    value: Any
    """The option, the text or the typed value; None when nobody answered."""
    by: str
    at: datetime
    how: Literal["answered", "expired", "withdrawn"] = "answered"
    remember: bool = False
    """For a gate: the same answer for this tool and target for the rest of this run."""
    until: datetime | None = None
    """With `remember`: when a permission ends before the run does."""
    args: dict[str, Any] | None = None
    """For a gate that is opened: run the call with these arguments instead of those that were shown."""
