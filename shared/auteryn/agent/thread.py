"""The conversation of a run, kept as the model's own wire JSON and extended fact by fact, never rebuilt."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, cast

from msgspec import Struct, field

from auteryn.agent.pictures import shown_image
from auteryn.agent.stuck import Outcome, outcome_of
from auteryn.policy.limits import CHARS_PER_TOKEN
from auteryn.schema import event as e
from auteryn.schema.human import Answer
from auteryn.schema.message import Content, Image, text_of
from auteryn.schema.record import to_json
from auteryn.schema.run import ForSteps, Input, UntilTime, Wait

_PLANNING = ("plan_create", "plan_update", "agent_spawn")
"""Tools that are answered by a plan's report."""

CallState = Literal["proposed", "allowed", "started", "suspended", "answered"]


class InnerCall(Struct):
    """A call that a call made."""

    tool: str
    answer: e.CallAnswered | None = None
    """None: its intent was committed, and no answer."""


class OpenCall(Struct):
    """A call of the current turn."""

    id: str
    name: str
    args: dict[str, Any]
    wire_id: str | None
    state: CallState = "proposed"
    begun: bool = False
    """Its intent was committed: it may have taken effect (L6)."""
    wait: Wait | None = None
    allowed: str = ""
    """Hash of what a person has allowed."""
    changed: bool = False
    """A person put other arguments in the place of the model's."""
    output: Any = None
    error: str | None = None
    inner: dict[str, InnerCall] = field(default_factory=dict[str, InnerCall])
    """Calls it made itself, by id."""
    images: tuple[Image, ...] = ()


class Kept(Struct):
    """Where a turn begins, for the cut of a compaction: entry, index in `contents`, and characters before it."""

    seq: int
    content: int
    chars: int


class Thread(Struct):
    """What the model is shown, and what is open in it. `add` takes entries in the journal's order."""

    run: str
    task: Input = field(default_factory=lambda: Input(text=""))
    contents: list[Content] = field(default_factory=list[Content])
    calls: dict[str, OpenCall] = field(default_factory=dict[str, OpenCall])
    """Calls of the current turn in the model's order, the answered ones too; empty between turns, as soon as none is open."""
    final: str | None = None
    """The model's last text, if its last turn had no calls and nobody spoke since."""
    last_text: str = ""
    """The newest text the model wrote: a partial result, if it comes to that."""
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    """Answers to asks, by ask id, until their call took them."""
    found: list[str] = field(default_factory=list[str])
    """Tools found by search, in order."""
    turns: list[Kept] = field(default_factory=list[Kept])
    outcomes: deque[Outcome] = field(default_factory=lambda: deque[Outcome](maxlen=40))
    """Of the last calls, for the stuck detector."""
    nudges: int = 0
    cut_offs: int = 0
    """Answers in a row that ended at the output limit."""
    unfinished: str = ""
    """The text of those answers: the next one goes on from there."""
    unreadable: int = 0
    """Answers in a row that could not be used."""
    outages: int = 0
    """Times in a row that the model could not be reached."""
    reminders: int = 0
    """How often missing deliverables were pointed out."""
    reported: set[str] = field(default_factory=set[str])
    """Ids of ended plans the model was told of; `*` when it was told of everything that has ended."""
    review_shown: bool = False
    """The planner has been shown the results it wanted to see and has not answered yet."""
    gates: dict[str, str] = field(default_factory=dict[str, str])
    """Open gates: ask id → hash of what was shown."""
    stuck_ask: str | None = None
    """The question whether to go on, while it is open."""
    share_refused: bool = False
    refused: int = 0
    """Answers in a row whose signatures the model refused one request later."""
    too_long: bool = False
    """The model refused the last request for its length."""
    raised: bool = False
    """The run went on with another model, and its conversation is still the old one's."""
    chars: int = 0
    """Of `contents`."""
    pictures: bool = False
    """Whether `contents` may hold a picture."""
    owner_said: list[str] = field(default_factory=list[str])
    """The task and what people said since, in their own words; after a compaction what names recipients and addresses."""
    compacted: bool = False
    late: list[str] = field(default_factory=list[str])
    """Texts told while calls were open; they follow the answers."""
    prompt_tokens: int = 0
    """Of the last request and its answer; `prompt_chars` is what `chars` was then."""
    prompt_chars: int = 0

    # ---- reading

    @property
    def open_calls(self) -> list[OpenCall]:
        return [call for call in self.calls.values() if call.state != "answered"]

    @property
    def started(self) -> bool:
        """The model has spoken."""
        return self.compacted or bool(self.turns)

    def tokens(self) -> int:
        """What the next prompt will about hold: the last count plus what was added since."""
        return self.prompt_tokens + max(0, self.chars - self.prompt_chars) // CHARS_PER_TOKEN

    # ---- writing

    def extend(self, entries: Iterable[e.Entry]) -> Thread:
        for entry in entries:
            self.add(entry)
        return self

    def add(self, entry: e.Entry) -> None:
        for event in entry.events:
            self._take(event, entry.seq)

    def _take(self, event: e.AnyEvent, seq: int) -> None:
        match event:  # what every turn has comes first
            case e.ModelAnswered():
                self._answered(event, seq)
            case e.CallAnswered(within=None):
                self._call_answered(event)
            case e.RunCreated():
                self.task = event.input
                self.owner_said.append(event.input.text)
                self._say(task_parts(event.input))
            case e.CallAllowed():
                self._allowed(event)
            case e.CallStarted(within=str(outer)):
                self.calls[outer].inner[event.call] = InnerCall(event.tool)
            case e.CallAnswered(within=str(outer)):
                self.calls[outer].inner[event.call] = InnerCall(event.tool, event)
            case e.CallWoken():
                call = self.calls[event.call]  # it ended by waiting: nothing of it is unknown
                call.state, call.begun, call.wait = "started", False, None
            case e.CallStarted():
                self.calls[event.call].begun, self.calls[event.call].state = True, "started"
            case e.CallSuspended():
                self.calls[event.call].state, self.calls[event.call].wait = "suspended", event.wait
            case e.AskAnswered():
                self.answers[event.answer.ask] = event.answer
            case e.Told():
                self._told(event)
            case e.Compacted():
                self._compacted(event, seq)
            case e.ModelFailed():
                self._failed(event)
            case e.AskOpened():
                if event.ask.kind == "gate" and event.ask.subject:
                    self.gates[event.ask.id] = event.ask.subject.sha256
                elif event.ask.kind == "stuck":
                    self.stuck_ask = event.ask.id
                    self.outcomes.clear()
            case e.PlanCreated() | e.PlanRevised() | e.ScheduleCreated() | e.StepRetried():
                self.reported.clear()
            case e.PlanReviewed():
                self.review_shown = False
            case e.ModeRaised():
                self.raised = True
            case e.Forked():
                self._forked()
            case e.BudgetDecided():
                self.raised = self.raised or (event.how == "fast" and self.started)
            case e.ShareChanged():
                self.share_refused = event.refused
            case _:
                pass

    def _say(self, parts: list[dict[str, Any]]) -> None:
        """The user's side speaks; two user turns in a row become one, as the protocol wants it."""
        self.chars += sum(len(part.get("text", "")) for part in parts)
        if self.contents and self.contents[-1]["role"] == "user":
            self.contents[-1] = {"role": "user", "parts": [*self.contents[-1]["parts"], *parts]}
        else:
            self.contents.append({"role": "user", "parts": parts})

    def _answered(self, event: e.ModelAnswered, seq: int) -> None:
        size = len(to_json(event.content))
        self.turns.append(Kept(seq, len(self.contents), self.chars))
        self.contents.append(event.content)
        self.chars += size
        self.prompt_tokens, self.prompt_chars = event.tokens.prompt + event.tokens.output, self.chars
        self.unreadable = self.outages = 0
        self.refused = self.refused if len(self.turns) == 1 else 0
        self.cut_offs = self.cut_offs + 1 if event.finish in ("max_tokens", "continuation") else 0
        whole = self.unfinished + text_of(event.content)
        self.last_text = whole.strip() or self.last_text
        calls = e.calls_of(self.run, event)
        self.calls = {call_id: OpenCall(call_id, one.name, one.args, one.wire_id) for call_id, one in calls.items()}
        self.final = None if calls else whole
        self.unfinished = whole if self.cut_offs and not calls else ""

    def _allowed(self, event: e.CallAllowed) -> None:
        call = self.calls[event.call]
        call.state, call.wait, call.allowed = "allowed", None, event.sha256
        if event.args is not None:
            call.args, call.changed = event.args, True

    def _call_answered(self, event: e.CallAnswered) -> None:
        call = self.calls[event.call]
        call.state, call.output, call.error, call.wait = "answered", event.output, event.error, None
        call.images = event.images
        self.outcomes.append(outcome_of(call.name, call.args, event))
        if isinstance(event.output, dict):
            self._learned(event.tool, cast("dict[str, Any]", event.output))
        if not self.open_calls:
            self._close_turn()

    def _learned(self, tool: str, output: dict[str, Any]) -> None:
        """What the engine itself takes from the answers of some tools."""
        if tool in _PLANNING:
            self.review_shown |= output.get("status") == "needs_you"
        if tool in _PLANNING and output.get("status") == "over":
            self.reported.add(output["plan_id"])
        if tool == "tool_search":
            self.found += [one["name"] for one in output.get("tools", []) if one["name"] not in self.found]

    def _close_turn(self) -> None:
        """All calls have their answers: they go back in one content, in the order of the calls."""
        parts = [_response(call) for call in self.calls.values()]
        parts += [part for call in self.calls.values() for image in call.images for part in shown_image(image)]
        self.pictures = self.pictures or any(call.images for call in self.calls.values())
        self.chars += sum(len(to_json(part)) for part in parts)
        self.contents.append({"role": "user", "parts": parts})
        self.calls = {}
        if self.late:
            self._say([{"text": text} for text in self.late])
            self.late = []

    def _told(self, event: e.Told) -> None:
        self.final = self.stuck_ask = None
        if event.why != "format":
            self.unfinished = ""
        if event.why == "report":
            self.reported.add("*")
        self.review_shown |= event.why == "review"
        if event.why == "nudge":
            self.nudges += 1
            self.outcomes.clear()
        self.reminders += event.why == "deliverables"
        if event.why == "message":
            self.owner_said.append(event.text)
            self.nudges = 0
            self.outcomes.clear()
        if self.calls:
            self.late.append(event.text)
        else:
            self._say([{"text": event.text}])

    def _forked(self) -> None:
        """Calls that another run had begun, or had asked a person about, are proposed anew. Waits for a plan or a time stay."""
        for call in self.open_calls:
            if not isinstance(call.wait, UntilTime | ForSteps):
                call.state, call.begun, call.wait = "proposed", False, None
                call.inner = {inner: one for inner, one in call.inner.items() if one.answer}
        self.answers.clear()
        self.gates.clear()
        self.stuck_ask = None

    def _failed(self, event: e.ModelFailed) -> None:
        self.outages += event.reason in ("unavailable", "rate_limited", "no_key")
        self.too_long = event.reason == "too_long"
        self.unreadable += event.reason in ("malformed_call", "empty", "max_tokens", "continuation", "other", "stop")

    def _compacted(self, event: e.Compacted, seq: int) -> None:
        """Task, summary, then the kept turns as they were. What the fact does not say is forgotten here too: a slice has in
        mind what the next one would read."""
        kept = next((i for i, turn in enumerate(self.turns) if turn.seq >= event.keep_from), len(self.turns))
        tail = self.contents[self.turns[kept].content :] if kept < len(self.turns) else []
        moved = self.turns[kept:]
        self.contents, self.chars, self.turns, self.compacted, self.raised = [], 0, [], True, False
        shown = [part for image in event.images for part in shown_image(image)]
        self._say([*task_parts(self.task), {"text": f"What has happened so far, in short:\n\n{event.summary}"}, *shown])
        self.pictures = self.pictures or bool(shown)
        base = len(self.contents) - (moved[0].content if moved else 0)
        for turn in moved:
            self.turns.append(Kept(turn.seq, turn.content + base, 0))
        self.contents += tail
        self.chars += sum(len(to_json(content)) for content in tail)
        self.found = list(dict.fromkeys([*event.found, *self.found]))
        self.reported = self.reported if event.reported is None else set(event.reported)
        self.reminders = self.reminders if event.reminders is None else event.reminders
        self.share_refused, self.too_long = self.share_refused or event.share_refused, False
        self.refused = event.refused
        self.last_text, self.unfinished = event.last_text or self.last_text, event.unfinished or self.unfinished
        if event.said is not None:
            self.owner_said = [self.task.text, *event.said]
        self.prompt_tokens, self.prompt_chars = self.chars // CHARS_PER_TOKEN, self.chars
        self.nudges = self.cut_offs = self.unreadable = self.outages = 0
        self.review_shown = False
        for known in (self.outcomes, self.answers, self.gates):
            known.clear()


def task_parts(task: Input) -> list[dict[str, Any]]:
    """The first user turn: the task verbatim, then what it comes with."""
    parts = [{"text": task.text}]
    if task.context:
        parts.append({"text": task.context})
    if task.files:
        parts.append({"text": "Files given with the task: " + ", ".join(task.files)})
    return parts


def _response(call: OpenCall) -> dict[str, Any]:
    body = {"error": call.output} if call.error else {"output": call.output}
    if call.changed:
        body["note"] = f"before allowing it, a person changed the arguments to {to_json(call.args).decode()}"
    response: dict[str, Any] = {"name": call.name, "response": body}
    if call.wire_id is not None:
        response["id"] = call.wire_id
    return {"functionResponse": response}
