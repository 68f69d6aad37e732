"""Where the credits of a run and everything below it went: by step, tool, model and cause. Counted from the journals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from auteryn.agent.stuck import Outcome, circle_of, outcome_of
from auteryn.ports.store import children_of, every_entry
from auteryn.schema import event as e
from auteryn.schema.fold import OUR_FAULT
from auteryn.schema.record import Record, canonical_json
from auteryn.schema.run import ForRateLimit, Run
from auteryn.service.access import Access

Cause = Literal["useful", "retry", "loop", "platform fault"]
"""`useful` work; an attempt that was repeated (`retry`); a `loop`; made useless by the platform, so not charged."""


class CreditLine(Record):
    """What one step, tool, model or cause has cost."""

    name: str
    credits: float
    llm_calls: int
    tool_calls: int
    tokens: int


class CreditDetail(Record):
    """Each list adds up to `credits`; what the platform's faults cost is apart, among the causes."""

    credits: float
    steps: tuple[CreditLine, ...]
    tools: tuple[CreditLine, ...]
    models: tuple[CreditLine, ...]
    causes: tuple[CreditLine, ...]
    rate_limit_waits: int
    """How often the run or a step waited, without a process, for the model's provider to take requests again."""
    rate_limit_seconds: float
    """How long altogether; waits side by side are each counted."""
    waived: float
    """Not charged, because the platform's own fault made it useless. Of the lists, only the causes show it."""


class Item(Struct, frozen=True):
    """One fact that cost something."""

    step: str
    credits: int = 0
    """Thousandths."""
    llm_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    tool: str = ""
    model: str = ""
    cause: Cause = "useful"


async def detail(access: Access, run: Run) -> CreditDetail:
    readings = [await _read(access, *one) for one in await _tree(access, run)]
    items = [item for reading in readings for item in reading.items]
    waits = [wait for reading in readings for wait in reading.waits]
    charged = [item for item in items if item.cause != "platform fault"]
    return CreditDetail(
        credits=sum(item.credits for item in charged) / 1000,
        steps=_lines(charged, lambda item: item.step),
        tools=_lines(charged, lambda item: item.tool or ("the model" if item.model else "storage")),
        models=_lines(charged, lambda item: item.model or ("no model: tools" if item.tool else "no model: storage")),
        causes=_lines(items, lambda item: item.cause),
        rate_limit_waits=len(waits),
        rate_limit_seconds=sum(waits, timedelta()).total_seconds(),
        waived=sum(item.credits for item in items if item.cause == "platform fault") / 1000,
    )


def _lines(items: Iterable[Item], name_of: Callable[[Item], str]) -> tuple[CreditLine, ...]:
    found = dict[str, list[Item]]()
    for item in items:
        found.setdefault(name_of(item), []).append(item)
    return tuple(
        CreditLine(
            name=name,
            credits=sum(item.credits for item in group) / 1000,
            llm_calls=sum(item.llm_calls for item in group),
            tool_calls=sum(item.tool_calls for item in group),
            tokens=sum(item.tokens for item in group),
        )
        for name, group in found.items()
    )


async def _tree(
    access: Access, run: Run, name: str = "the run itself", superseded: bool = False
) -> list[tuple[Run, str, bool]]:
    """The run and everything below it, each with its step's name and whether a later attempt replaced it."""
    found = [(run, name, superseded)]
    for child in reversed([child async for child in children_of(access.services.store, run.id)]):
        called = _name(run, child)
        below = called if name == "the run itself" else f"{name}, {called}"
        found += await _tree(access, await access.run(child.id), below, superseded or _done_again(run, child))
    return found


def _name(run: Run, child: Run) -> str:
    assert child.parent is not None
    again = f" (attempt {child.parent.attempt})" if child.parent.attempt > 1 else ""
    return f"{run.name_of(child.parent)}{again}"


def _done_again(parent: Run, child: Run) -> bool:
    if parent.plan is None or child.parent is None or child.parent.kind != "step" or child.parent.of != parent.plan.id:
        return False
    return parent.plan.step(child.parent.key).attempt > child.parent.attempt


async def _read(access: Access, run: Run, step: str, superseded: bool) -> _Reading:
    """What the run's own journal says it has cost; its children's journals say the rest."""
    reading = _Reading(run, step)
    async for entry in every_entry(access.services.store, run.id):
        for event in entry.events:
            reading.take(event)
            reading.watch(event, entry.at)
    reading.watched(access.now())
    if run.failure and run.failure.reason in OUR_FAULT:
        reading.items = [replace(item, cause="platform fault") for item in reading.items]
    elif superseded:
        reading.items = [replace(item, cause="retry") if item.cause == "useful" else item for item in reading.items]
    return reading


class _Reading(Struct):
    run: Run
    step: str
    items: list[Item] = field(default_factory=list[Item])
    model: str = ""
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the open turn's calls."""
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    turns: list[int] = field(default_factory=list[int])
    """Where the items of each turn begin."""
    waits: list[timedelta] = field(default_factory=list[timedelta])
    """For the model's provider."""
    waiting_since: datetime | None = None

    def watch(self, event: e.AnyEvent, at: datetime) -> None:
        """A wait for the provider lasts from the end of one slice to the next."""
        match event:
            case e.Left() if any(isinstance(wait, ForRateLimit) for wait in event.waits):
                self.waiting_since = at
            case e.CallSuspended(wait=ForRateLimit()):
                self.waiting_since = at
            case e.SliceStarted() | e.RunCompleted() | e.RunFailed() | e.RunCancelled():
                self.watched(at)
            case _:
                pass

    def watched(self, at: datetime) -> None:
        if self.waiting_since is not None:
            self.waits.append(at - self.waiting_since)
            self.waiting_since = None

    def take(self, event: e.AnyEvent) -> None:
        match event:
            case e.Forked():  # what is before it was paid by another run
                self.items, self.turns, self.outcomes, self.waits, self.waiting_since = [], [], [], [], None
            case e.ModelAnswered():
                self._turn(event)
            case e.ModelAsked():
                self._add(llm_calls=event.attempts, model=self.model or "the model")
            case e.ModelConsulted():
                self.model = event.model
                self._add(credits=event.credits, llm_calls=event.attempts, tokens=event.tokens.total, model=event.model)
            case e.Compacted() if event.attempts:
                model = self.model or "the model"
                self._add(credits=event.credits, llm_calls=event.attempts, tokens=event.tokens.total, model=model)
            case e.ModelFailed():
                ours = event.reason in ("no_answer", "unavailable", "rate_limited")
                self._add(
                    credits=event.credits,
                    llm_calls=event.attempts,
                    tokens=event.tokens.total,
                    model=event.model or self.model or "the model",
                    cause="platform fault" if ours else "retry",
                )
            case e.CallAnswered():
                self._add(credits=event.credits, tool_calls=1, tool=event.tool)
                outcome = outcome_of(event.tool, _hash(self.args.get(event.call)), event)
                self.outcomes.append(outcome._replace(came=_hash(outcome.came)))
            case e.ArtifactPublished():
                self._add(credits=event.credits)
            case e.Told() if event.why == "nudge":
                self._circled()
            case e.AskOpened() if event.ask.kind == "stuck":
                self._circled()
            case e.RunFailed() if event.reason == "stuck":
                self._circled()
            case _:
                pass

    def _turn(self, event: e.ModelAnswered) -> None:
        self.model = event.model
        self.turns.append(len(self.items))
        self.args = {call_id: call.args for call_id, call in e.calls_of(self.run.id, event).items()}
        if event.attempts > 1:
            self._add(llm_calls=event.attempts - 1, model=event.model, cause="platform fault")
        self._add(credits=event.credits, llm_calls=1, tokens=event.tokens.total, model=event.model)

    def _add(self, **fields: Any) -> None:
        self.items.append(Item(step=self.step, **fields))

    def _circled(self) -> None:
        """Mark what brought nothing new as a loop."""
        if circle := circle_of(self.outcomes):
            repeats = circle.calls - circle.new
            begin = self.turns[-repeats] if repeats <= len(self.turns) else 0
            self.items[begin:] = [
                replace(item, cause="loop") if item.cause == "useful" else item for item in self.items[begin:]
            ]
        self.outcomes.clear()


def _hash(value: Any) -> str:
    return hashlib.blake2b(canonical_json(value), digest_size=8).hexdigest()
