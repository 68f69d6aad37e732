"""Questions to people and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from auteryn.schema.record import Record

InputType = Literal["text", "number", "date", "email", "url", "choice", "json"]
OnTimeout = Literal["wait", "default", "deny", "halt"]


class Subject(Record):
    """What exactly an approval allows: the hash binds the answer to these arguments and no others (L14)."""

    tool: str
    args: dict[str, Any]
    sha256: str
    """Of the canonical JSON of tool and args."""
    target: str = ""
    """Who or what is touched (a recipient, a host, a path): grants for the rest of the run cover one target."""


class Ask(Record):
    """An open question. Several may be open at once; each is answered once, in any order."""

    id: str
    run: str
    message: str
    opened_at: datetime
    call: str | None = None
    """The call that waits for the answer; None when the engine itself asks."""
    kind: Literal["approval", "input", "gate", "stuck"] = "approval"
    """`approval` and `input` come from the model, `gate` stands before a tool call, `stuck` is the progress governor."""
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


class Answer(Record):
    """What came of an ask: exactly one per ask."""

    ask: str
    value: Any
    """The option, the text or the typed value; None when nobody answered."""
    by: str
    at: datetime
    how: Literal["answered", "expired", "withdrawn"] = "answered"
    remember: bool = False
    """For a gate: allow the same tool and target for the rest of this run."""
