"""What may be sent in: bodies and query parameters, by use case."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.plan.graph import MOST_STEPS
from auteryn.schema.human import People
from auteryn.schema.inbox import When
from auteryn.schema.plan import StepDraft
from auteryn.schema.post import EventType
from auteryn.schema.record import Moment, Record
from auteryn.schema.run import AtBudget, Channel, Effects, FileCheck, ModeName, Status
from auteryn.service.listing import Wanted
from auteryn.service.logs import Level
from auteryn.service.new import Budget, NewRun

LONGEST_WAIT_SECONDS = 60
"""One request waits no longer for a result: proxies give up at their own times. Ask again."""


class Empty(Record):
    """Nothing."""


class PlaceQuery(Record, forbid_unknown_fields=False):
    """Of a page that reads its own address: filters, a tab, a place."""


# ---- bodies --------------------------------------------------------------------------------------------------


class NewRunBody(Record):
    """A task. Everything but `input` may be left out; a run with `steps` may do without words."""

    input: str = ""
    mode: Literal["auto", "fast", "deep"] = "auto"
    steps: tuple[StepDraft, ...] = ()
    goal: str = ""
    """Of the steps; the input, if it is empty."""
    files: dict[str, bytes] = {}
    """Put into the run's files before it starts: name → content in base64."""
    include_thoughts: bool = False
    auto_retry: bool = True
    max_duration: str = "1w"
    budget: Budget = Budget()
    deliverables: tuple[str | FileCheck, ...] = ()
    """Files that must be there before the run counts as completed."""
    approve: Literal["ask", "auto"] = "ask"
    effects: Effects = "free"
    """`ask`: every call that changes something outside waits for a person; `dry`: none is made, and the run says
    what each would have done."""
    people: People = People()
    """Who is asked on behalf of the run, and what silence means."""
    notify: tuple[Channel, ...] = ()
    """Who hears of it: on start, daily, when a person is asked, when it is done or has failed."""
    at_budget: AtBudget = "go_on"
    """What happens when four fifths of `budget.credits` are spent."""
    title: str = ""
    labels: dict[str, str] = {}

    def request(self, key: str | None) -> NewRun:
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        fields["deliverables"] = tuple(FileCheck(path=one) if isinstance(one, str) else one for one in self.deliverables)
        return NewRun(**fields, key=key)


class MessageBody(Record):
    text: str
    mode: When = "steer"
    """`steer`: before the next model call; `interrupt`: at once, what is under way in it and its steps is broken off; `queue`:
    when the run would otherwise end."""


class RenameBody(Record):
    title: str


class RewordBody(Record):
    text: str
    """What an unheard message is to say."""


class StepBody(Record):
    description: str
    """What a step that has not begun is to do."""


class RetryBody(Record):
    step: int | None = None
    """Of a live run: only this failed step."""


class ForkBody(Record):
    after: str | int | None = None
    """Id of an event of the run, or number of a journal entry: what is up to it is kept. Left out: all but its last answer."""
    input: str | None = None
    """The task as it should have been."""
    message: str | None = None
    """Said to the agent before it goes on."""
    effects: Effects = "ask"
    """`ask`: calls that change something outside wait until a person allows them; `dry`: they are not made."""


class AnswerBody(Record):
    value: Any
    """An option word for word, or what the question's type asks for."""
    remember: bool = False
    """For a gate: the same answer for this tool and target for the rest of the run."""
    until: Moment | None = None
    """With `remember`: when a permission ends before the run does."""
    args: dict[str, Any] | None = None
    """For a gate that is opened: run the call with these arguments instead of those that were shown."""


class LinksBody(Record):
    by: str = ""
    """In whose name the links answer; empty: yours. Another's is for an admin to give."""


class WebhookBody(Record):
    url: str
    types: tuple[EventType, ...] = ()
    """Empty: all."""
    description: str = ""


class EstimateBody(Record):
    """A task that is not started."""

    input: str = ""
    mode: Literal["auto", "fast", "deep"] = "auto"
    steps: Annotated[int, Meta(ge=0, le=MOST_STEPS)] = 0
    """Of a plan, if it is known."""


class ProseBody(Record):
    """Texts in Markdown."""

    texts: Annotated[tuple[str, ...], Meta(max_length=100)]


class LoginBody(Record):
    key: str
    """An API key."""


# ---- queries -------------------------------------------------------------------------------------------------


class PageQuery(Record):
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None
    """`next` of the page before."""


class RunsQuery(PageQuery):
    """What is not said, is any."""

    status: tuple[Status, ...] = ()
    """May stand several times."""
    mode: ModeName | None = None
    text: str = ""
    """Somewhere in the title or the id."""
    label: tuple[Annotated[str, Meta(pattern="^[^=]+=")], ...] = ()
    """`name=value`; may stand several times, and all must fit."""
    asking: bool = False
    """Has an open question."""
    since: Moment | None = None
    """Made then or later."""
    until: Moment | None = None
    """Made before."""
    least_credits: Annotated[float, Meta(ge=0)] = 0
    """Has cost at least so much."""
    owner: Annotated[str, Meta(max_length=200)] = ""
    """Whose, for an admin; `*`: everybody's. Empty: the caller's own."""

    @property
    def wanted(self) -> Wanted:
        labels = {name: value for name, _, value in (one.partition("=") for one in self.label)}
        same = {name: getattr(self, name) for name in ("status", "mode", "text", "asking", "since", "until", "least_credits")}
        return Wanted(**same, labels=labels)


class ResultQuery(Record):
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT_SECONDS)] = 0
    """Seconds to wait for the end."""


class EventsQuery(Record):
    after: str | None = None
    """An event's id; the header `Last-Event-ID` comes first."""
    tail: Annotated[int, Meta(ge=0, le=5000)] | None = None
    """Without either: begin with the newest so many of what has happened."""
    ticket: str | None = None


class LogsQuery(Record):
    level: Level = "info"
    after: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    """Lines of journal entries after this one; with `Accept: text/event-stream`, what the header `Last-Event-ID` says."""
    limit: Annotated[int, Meta(ge=1, le=5000)] = 500
    """Journal entries' worth of lines."""


class CreditsQuery(Record):
    detail: bool = False
    """By step, tool, model and cause, too."""


class AsksQuery(Record):
    open: bool = True
    """False: answered and expired ones, too."""


class FileQuery(Record):
    inline: bool = False
    """Show it in the browser, sandboxed, instead of saving it."""


class LoginQuery(Record):
    token: str
