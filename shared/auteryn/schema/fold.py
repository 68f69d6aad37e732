"""`after(run, entry)`: how a fact changes the run. Pure; the only place where a `Run` is made from a `Run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from auteryn.errors import Corrupt, WrongState
from auteryn.schema import event as e
from auteryn.schema.human import Answer, Ask
from auteryn.schema.message import Tokens
from auteryn.schema.plan import DROPPED, RESULT_SHOWN, Plan
from auteryn.schema.run import (
    SKIPS_KEPT,
    Credits,
    Failure,
    ForBudget,
    ForPerson,
    ForRateLimit,
    ForSteps,
    Queued,
    Run,
    Schedule,
    Share,
    Skip,
    UntilTime,
    Usage,
    Wait,
)


def after(run: Run, entry: e.Entry) -> Run:
    """The run once `entry` is true; raises `WrongState` for a fact after the end (L10), `Corrupt` for a hole in the journal."""
    if entry.seq != run.seq + 1:
        raise Corrupt(f"journal of {run.id!r}: entry {entry.seq} does not follow {run.seq}")
    draft = _Draft(run, entry)
    for event in entry.events:
        draft.take(event)
    draft.fields["seq"] = entry.seq
    return replace(run, **draft.fields)


def and_then(run: Run, entry: e.Entry, event: e.AnyEvent) -> Run:
    """The result of `after(…, entry)`, with one more event of the same entry."""
    draft = _Draft(run, entry)
    draft.take(event)
    return replace(run, **draft.fields)


def born(entry: e.Entry) -> Run:
    """The run its first entry creates."""
    run = e.beginning(entry).run
    draft = _Draft(run, entry)
    for event in entry.events[1:]:
        draft.take(event)
    return replace(run, **draft.fields, seq=1)


def add_tokens(a: Tokens, b: Tokens) -> Tokens:
    return Tokens(
        prompt=a.prompt + b.prompt,
        cached=a.cached + b.cached,
        output=a.output + b.output,
        thoughts=a.thoughts + b.thoughts,
        tool_use=a.tool_use + b.tool_use,
        searches=a.searches + b.searches,
    )


def add_usage(a: Usage, b: Usage) -> Usage:
    """Both together; time in slices adds up too, since slices bill side by side."""
    return Usage(
        llm_calls=a.llm_calls + b.llm_calls,
        tool_calls=a.tool_calls + b.tool_calls,
        tokens=add_tokens(a.tokens, b.tokens),
        credits=Credits(
            llm=a.credits.llm + b.credits.llm,
            tools=a.credits.tools + b.credits.tools,
            storage=a.credits.storage + b.credits.storage,
        ),
        active_ms=a.active_ms + b.active_ms,
        waived=a.waived + b.waived,
    )


OUR_FAULT = frozenset({"poison", "corrupt"})
"""Reasons of failing that are the platform's, not the task's: what such a run has cost is not charged."""

REFUSED = "Deny"
"""How every answer to a gate that refuses the call begins."""


def waived(usage: Usage) -> Usage:
    return replace(usage, credits=Credits(), waived=usage.waived + usage.credits.total)


class _Draft(Struct):
    """The changed fields of one run while one entry is taken in."""

    run: Run
    entry: e.Entry
    fields: dict[str, Any] = {}

    def now(self, name: str) -> Any:
        return self.fields[name] if name in self.fields else getattr(self.run, name)

    def take(self, event: e.AnyEvent) -> None:  # one line a fact: the table of the product's facts
        if self.now("status") in ("completed", "failed", "cancelled"):
            raise WrongState(f"run {self.run.id!r} has ended ({self.now('status')}): {type(event).__name__} cannot follow")
        put = self.fields
        if not _only_begins(event):
            put["stalls"] = 0
        match event:  # what every turn has comes first
            case e.ModelAnswered():
                put["turns"] = event.turn
                self.used(llm_calls=event.attempts, tokens=event.tokens, llm=event.credits)
            case e.CallAnswered():
                self.used(tool_calls=1, tools=event.credits)
                self.learned((event.tool, *event.labels))
                self.waits(lambda wait: wait.call != event.call)
            case e.RunCreated():
                raise Corrupt(f"run {self.run.id!r} is created twice")
            case e.Forked():
                self.forked()
            case e.SliceStarted():
                put["anchor_at"] = self.anchor()
                put["slice"], put["stalls"] = event.slice, self.now("stalls") + 1
                put["status"] = "paused" if self.now("status") == "paused" else "running"
                put["started_at"] = self.now("started_at") or self.entry.at
                self.waits(lambda wait: bool(wait.call))
            case e.CallsReserved():
                put["reserved_calls"] = event.total
            case e.Left():
                self.used(active_ms=event.active_ms)
                put["anchor_at"] = None
                put["waits"] = (*self.now("waits"), *event.waits)
                put["status"] = {"waiting": "waiting", "handed_over": "pending", "paused": "paused"}[event.why]
                if event.why != "paused":  # what the slice reserved and did not use comes back: it ended in order
                    put["reserved_calls"] = min(self.now("reserved_calls"), self.now("usage").llm_calls)
            case e.ModeRaised():
                put["mode"], put["limits"] = "deep", replace(self.now("limits"), llm_calls=event.llm_calls)
            case e.Paused():
                put["status"] = "paused"
            case e.Unpaused():
                put["status"] = "running"
            case e.Renamed():
                put["title"] = event.title
            case e.RunCompleted():
                self.end("completed", event.active_ms)
                put["result"], put["verdicts"] = event.result, event.verdicts
            case e.RunFailed():
                self.end("failed", event.active_ms)
                put["failure"] = Failure(reason=event.reason, message=event.message)
                if event.reason in OUR_FAULT:
                    put["usage"] = waived(self.now("usage"))
                put["result"], put["verdicts"] = event.partial, event.verdicts
            case e.RunCancelled():
                self.end("cancelled", event.active_ms)
                put["result"] = event.partial
            case e.ModelAsked():
                self.used(llm_calls=event.attempts)
            case e.ModelFailed() | e.ModelConsulted():
                self.used(llm_calls=event.attempts, tokens=event.tokens, llm=event.credits)
            case e.Compacted():
                put["context_seq"] = self.entry.seq
                self.used(llm_calls=event.attempts, tokens=event.tokens, llm=event.credits)
            case e.CallSuspended():
                put["waits"] = (*self.now("waits"), event.wait)
            case e.CallAllowed() | e.CallWoken():
                self.waits(lambda wait: wait.call != event.call)
            case e.AskOpened():
                put["asks"] = (*self.now("asks"), event.ask)
            case e.AskAnswered():
                self.answered(event)
            case e.AskVoted():
                self.ask(event.answer.ask, lambda ask: replace(ask, votes=(*ask.votes, event.answer)))
            case e.AskEscalated():
                self.escalated(event)
            case e.AskReminded():
                self.ask(event.ask, lambda ask: replace(ask, reminded=event.count))
            case e.Digested():
                put["digests"] = event.day
            case e.BudgetReached():
                put["budget_near"] = True
            case e.BudgetDecided():
                put["thrifty"] = self.now("thrifty") or event.how == "fast"
                if event.how == "stop":
                    put["concluding"] = f"most of the budget is spent, and it was decided to stop ({event.by})"
            case e.PlanCreated() | e.PlanRevised():
                put["plan"] = event.plan
            case e.StepsStarted():
                self.steps({start.step: _started(start) for start in event.steps})
                self.shares({start.run: start.share for start in event.steps})
            case e.StepsEnded():
                self.steps({end.step: _ended(end) for end in event.steps})
                self.children_ended(event.steps)
            case e.StepRetried():
                self.retried(event.step)
            case e.PlanReviewed():
                plan = self.now("plan")
                put["plan"] = replace(plan, reviewed=tuple(sorted({*plan.reviewed, *event.steps})))
            case e.ScheduleCreated():
                put["schedules"] = (*self.now("schedules"), event.schedule)
            case e.TicksStarted():
                self.tick_started(event)
            case e.TickEnded():
                self.tick_ended(event)
            case e.ScheduleEnded():
                self.schedule(event.schedule, lambda s: replace(s, next_index=s.ticks))
            case e.ShareChanged():
                self.share_changed(event)
            case e.ArtifactPublished():
                kept = tuple(a for a in self.now("artifacts") if a.path != event.artifact.path)
                put["artifacts"] = (*kept, event.artifact)
                self.used(storage=event.credits)
            case e.MessageQueued():
                put["queued"] = (*self.now("queued"), event.message)
            case e.MessageChanged():
                self.reworded(event)
            case e.Told():
                put["queued"] = tuple(said for said in self.now("queued") if said.id != event.message)
                put["over_time"] = self.now("over_time") or event.why == "deadline"
            case e.CallStarted() | e.Notified() | e.BudgetAsked() | e.Logged():
                pass
            case _:
                assert_never(event)

    # ---- pieces

    def reworded(self, event: e.MessageChanged) -> None:
        """A message that was taken back leaves the queue; one that was changed keeps its place."""
        now: tuple[Queued, ...] = self.now("queued")
        put = (replace(said, text=event.text) if said.id == event.message and event.text is not None else said for said in now)
        self.fields["queued"] = tuple(said for said in put if said.id != event.message or event.text is not None)

    def forked(self) -> None:
        """Figures, permissions and children belong to the run this was forked from: here they begin empty."""
        plan: Plan | None = self.now("plan")
        begun = {s.id: dict(_ANEW) for s in plan.steps if s.status == "in_progress"} if plan else {}
        if begun:
            self.steps(begun)
        self.fields["schedules"] = tuple(
            replace(one, running=(), next_index=one.next_index - len(one.running)) for one in self.now("schedules")
        )
        self.waits(lambda wait: isinstance(wait, UntilTime | ForSteps) and bool(wait.call))
        self.fields.update(status="pending", started_at=None, anchor_at=None, over_time=False, slice=0, shares={})
        self.fields.update(usage=Usage(), reserved_calls=0, asks=(), grants=(), refusals=(), grant_ends={})
        self.fields.update(digests=0, budget_near=False, thrifty=False, concluding="")

    def anchor(self) -> datetime:
        """Where the run's rhythm stands: the timer that has just rung; after a crash, what the lost slice had; else now, or the
        run's creation."""
        rang = [wait.at for wait in self.now("waits") if isinstance(wait, UntilTime) and wait.at <= self.entry.at]
        return max(rang, default=self.now("anchor_at") or (self.entry.at if self.now("slice") else self.run.created_at))

    def used(
        self,
        *,
        llm_calls: int = 0,
        tool_calls: int = 0,
        tokens: Tokens | None = None,
        llm: int = 0,
        tools: int = 0,
        storage: int = 0,
        active_ms: int = 0,
    ) -> None:
        usage: Usage = self.now("usage")
        credits = usage.credits
        if llm or tools or storage:
            credits = Credits(llm=credits.llm + llm, tools=credits.tools + tools, storage=credits.storage + storage)
        self.fields["usage"] = Usage(
            llm_calls=usage.llm_calls + llm_calls,
            tool_calls=usage.tool_calls + tool_calls,
            tokens=add_tokens(usage.tokens, tokens) if tokens else usage.tokens,
            credits=credits,
            active_ms=usage.active_ms + active_ms,
            waived=usage.waived,
        )

    def end(self, status: str, active_ms: int) -> None:
        self.used(active_ms=active_ms)
        self.fields.update(status=status, ended_at=self.entry.at, waits=(), asks=())

    def waits(self, keep: Callable[[Wait], bool]) -> None:
        self.fields["waits"] = tuple(wait for wait in self.now("waits") if keep(wait))

    def answered(self, event: e.AskAnswered) -> None:
        ask = next((a for a in self.now("asks") if a.id == event.answer.ask), None)
        self.fields["asks"] = tuple(a for a in self.now("asks") if a.id != event.answer.ask)
        self.waits(lambda wait: not (isinstance(wait, ForPerson) and wait.ask == event.answer.ask))
        if ask and ask.subject and event.answer.remember and event.answer.how == "answered":
            self.remembered(f"{ask.subject.tool} {ask.subject.target}", event.answer)

    def remembered(self, pair: str, answer: Answer) -> None:
        """From now on the same answer holds for this tool and target; the newest counts."""
        refused = str(answer.value).startswith(REFUSED)
        self.fields["grants"] = tuple(p for p in self.now("grants") if p != pair) + (() if refused else (pair,))
        self.fields["refusals"] = tuple(p for p in self.now("refusals") if p != pair) + ((pair,) if refused else ())
        ends = {p: at for p, at in self.now("grant_ends").items() if p != pair}
        self.fields["grant_ends"] = {**ends, pair: answer.until} if answer.until and not refused else ends

    def ask(self, ask_id: str, change: Callable[[Ask], Ask]) -> None:
        self.fields["asks"] = tuple(change(ask) if ask.id == ask_id else ask for ask in self.now("asks"))

    def escalated(self, event: e.AskEscalated) -> None:
        def change(ask: Ask) -> Ask:
            rest = ask.escalate_to[1:]
            return replace(ask, approvers=event.approvers, escalate_to=rest, expires_at=event.expires_at, votes=())

        self.ask(event.ask, change)
        self.fields["waits"] = tuple(
            replace(wait, until=event.expires_at) if isinstance(wait, ForPerson) and wait.ask == event.ask else wait
            for wait in self.now("waits")
        )

    def steps(self, changes: dict[int, dict[str, Any]]) -> None:
        plan: Plan = self.now("plan")
        steps = list(plan.steps)
        for step_id, change in changes.items():
            steps[step_id - 1] = replace(steps[step_id - 1], **change)
        self.fields["plan"] = replace(plan, steps=tuple(steps))

    def shares(self, more: dict[str, Share]) -> None:
        self.fields["shares"] = {**self.now("shares"), **more}

    def learned(self, tools: tuple[str, ...]) -> None:
        known: tuple[str, ...] = self.now("used_tools")
        if more := tuple(tool for tool in tools if tool not in known):
            self.fields["used_tools"] = (*known, *more)

    def children_ended(self, ends: Sequence[e.StepEnd]) -> None:
        """The children's use becomes ours; their shares end, so what they did not use is free again."""
        over = {end.run for end in ends}
        self.fields["shares"] = {run: share for run, share in self.now("shares").items() if run not in over}
        used = reduce(add_usage, (end.usage for end in ends), Usage())
        self.fields["usage"] = add_usage(self.now("usage"), used)
        self.fields["reserved_calls"] = self.now("reserved_calls") + used.llm_calls
        self.learned(tuple(dict.fromkeys(tool for end in ends for tool in end.used_tools)))
        if fresh := {a.path: a for end in ends for a in end.artifacts}:
            self.fields["artifacts"] = (*(a for a in self.now("artifacts") if a.path not in fresh), *fresh.values())

    def retried(self, step_id: int) -> None:
        plan: Plan = self.now("plan")
        changes: dict[int, dict[str, Any]] = {step_id: dict(_ANEW)}
        for step in plan.steps:
            if step.status == "skipped" and step.error != DROPPED:
                changes[step.id] = {"status": "pending", "error": None}
        self.steps(changes)
        anew = tuple(seen for seen in plan.reviewed if seen != step_id)  # its next result has not been looked at
        self.fields["plan"] = replace(self.now("plan"), reviewed=anew)

    def schedule(self, schedule_id: str, change: Callable[[Schedule], Schedule]) -> None:
        self.fields["schedules"] = tuple(change(s) if s.id == schedule_id else s for s in self.now("schedules"))

    def tick_started(self, event: e.TicksStarted) -> None:
        def change(s: Schedule) -> Schedule:
            running = (*s.running, event.run) if event.run else s.running
            started_at = self.entry.at if event.run else s.started_at
            skip = (Skip(at=self.entry.at, ticks=event.skipped, reason=event.reason),) if event.skipped else ()
            return replace(
                s,
                next_index=event.index + 1,
                running=running,
                skipped=s.skipped + event.skipped,
                skips=(*skip, *s.skips)[:SKIPS_KEPT],
                started_at=started_at,
            )

        self.schedule(event.schedule, change)
        if event.run and event.share:
            self.shares({event.run: event.share})

    def tick_ended(self, event: e.TickEnded) -> None:
        end = event.end

        def change(s: Schedule) -> Schedule:
            return replace(
                s,
                running=tuple(r for r in s.running if r != end.run),
                ended=s.ended + 1,
                failed=s.failed + (end.status != "completed"),
                last_result=(end.result or end.error or "")[:RESULT_SHOWN],
            )

        self.schedule(event.schedule, change)
        self.children_ended((end,))

    def share_changed(self, event: e.ShareChanged) -> None:
        if event.run == self.run.id:
            limits = self.now("limits")
            self.fields["limits"] = replace(limits, llm_calls=event.llm_calls, credits=event.credits)
            self.waits(lambda wait: not isinstance(wait, ForBudget))
        else:
            self.shares({event.run: Share(llm_calls=event.llm_calls, credits=event.credits)})


def _only_begins(event: e.AnyEvent) -> bool:
    """Whether the slice has done nothing yet: if slices keep ending here, what they meet next kills them."""
    return isinstance(event, e.SliceStarted | e.CallsReserved | e.ModelAsked) or (
        isinstance(event, e.ModelFailed) and event.reason in ("cut_off", "no_answer")
    )


_ANEW = {"status": "pending", "run": None, "result": None, "error": None}


def _started(start: e.StepStart) -> dict[str, Any]:
    return {"status": "in_progress", "run": start.run, "attempt": start.attempt}


def _ended(end: e.StepEnd) -> dict[str, Any]:
    result = end.result[:RESULT_SHOWN] if end.result is not None else None
    return {"status": end.status, "result": result, "error": end.error}


def time_of(wait: Wait) -> datetime | None:
    """When the wait ends by itself; None if it does not."""
    match wait:
        case ForPerson():
            return wait.until
        case UntilTime() | ForRateLimit() | ForBudget():
            return wait.at
        case ForSteps():
            return None
        case _:
            assert_never(wait)
