"""What must be true of a home folder whatever happened in it, and the final state two histories are compared by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from auteryn.ports import Services, Store
from auteryn.ports.store import every_run
from auteryn.schema import event as e
from auteryn.schema.fold import OUR_FAULT, add_tokens, after, born
from auteryn.schema.message import Tokens
from auteryn.schema.run import Credits, Run
from auteryn.testing.scenarios import MAILS, outside
from auteryn.testing.world import World
from auteryn.tools.notes import folded

FAR = timedelta(days=3_650)
ENDS = (e.RunCompleted, e.RunFailed, e.RunCancelled)


async def state_of(world: World, root: str) -> dict[str, Any]:
    """What a tree has come to. Counters and times that honestly differ after a crash are left out."""
    notes = folded(await world.services.store.docs("note", root))
    return {
        "runs": {run.id: _came_to(run) for run in await world.tree(root)},
        "notes": {k: sorted(v) for k, v in notes.items()},
    }


def _came_to(run: Run) -> dict[str, Any]:
    return {
        "status": run.status,
        "result": run.result,
        "failure": run.failure.reason if run.failure else None,
        "plan": [(step.id, step.status, step.result) for step in run.plan.steps] if run.plan else None,
        "schedules": [(s.next_index, s.ended, s.failed, s.skipped, s.last_result) for s in run.schedules],
        "artifacts": sorted((artifact.path, artifact.sha256) for artifact in run.artifacts),
        "limits": None if run.parent else (run.limits.llm_calls, run.limits.credits),
        "open": (len(run.asks), len(run.waits), len(run.shares)),
    }


async def broken_laws(world: World, root: str) -> list[str]:
    """Every law a finished tree breaks, as sentences; empty when all hold."""
    out = list[str]()
    runs = await world.tree(root)
    for run in runs:
        entries = await world.journal(run.id)
        out += [f"{run.id}: {what}" for what in (*_journal(run, entries), *_usage(run, entries, runs), *_asks(entries))]
        out += [
            f"{run.id}: {ask} is open, though the run has ended" for ask in await _left_open(world.services.store, run, entries)
        ]
    done = [line.split()[1] for line in mails(world.home) if line.split()[0] in {run.id for run in runs}]
    out += _effects([event for run in runs for event in _its_own(await world.events(run.id))], Counter(done))
    out += await stranded(world.services)
    return out


def _journal(run: Run, entries: Sequence[e.Entry]) -> list[str]:
    out = list[str]()
    if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
        out.append(f"the journal has a gap: {[entry.seq for entry in entries]}")
    if run.terminal and sum(isinstance(event, ENDS) for event in e.facts(entries)) != 1:
        out.append("it does not end exactly once")
    folded_run = born(entries[0])
    for entry in entries[1:]:
        folded_run = after(folded_run, entry)
    if folded_run != run:
        out.append("the summary is not the fold of the journal")
    return out


def _usage(run: Run, entries: Sequence[e.Entry], runs: Sequence[Run]) -> list[str]:
    """Counted again, without the fold: its own events, and what its children say of themselves. What a run has cost that
    ended by the platform's own fault is waived, all of it."""
    calls = tool_calls = llm = tools = storage = waived = 0
    tokens = Tokens()
    for event in e.facts(entries):
        match event:
            case e.Forked():  # what is before it was paid by another run
                calls = tool_calls = llm = tools = storage = 0
                tokens = Tokens()
            case e.ModelAsked():
                calls += event.attempts
            case e.ModelAnswered() | e.Compacted() | e.ModelConsulted() | e.ModelFailed():
                calls, llm, tokens = calls + event.attempts, llm + event.credits, add_tokens(tokens, event.tokens)
            case e.CallAnswered():
                tool_calls, tools = tool_calls + 1, tools + event.credits
            case e.ArtifactPublished():
                storage += event.credits
            case _:
                pass
    ended = _ended_children(entries)
    for child in (child for child in runs if child.id in ended):
        calls, tool_calls = calls + child.usage.llm_calls, tool_calls + child.usage.tool_calls
        llm, tools = llm + child.usage.credits.llm, tools + child.usage.credits.tools
        storage, waived = storage + child.usage.credits.storage, waived + child.usage.waived
        tokens = add_tokens(tokens, child.usage.tokens)
    if run.failure and run.failure.reason in OUR_FAULT:
        llm, tools, storage, waived = 0, 0, 0, waived + llm + tools + storage
    counted = (calls, tool_calls, Credits(llm=llm, tools=tools, storage=storage), waived, tokens)
    said = (run.usage.llm_calls, run.usage.tool_calls, run.usage.credits, run.usage.waived, run.usage.tokens)
    return [] if counted == said else [f"its usage is {said}, the journal's sum {counted}"]


def _ended_children(entries: Sequence[e.Entry]) -> set[str]:
    out = set[str]()
    for event in e.facts(entries):
        if isinstance(event, e.StepsEnded):
            out.update(end.run for end in event.steps)
        elif isinstance(event, e.TickEnded):
            out.add(event.end.run)
    return out


def _asks(entries: Sequence[e.Entry]) -> list[str]:
    answered = Counter(event.answer.ask for event in e.facts(entries) if isinstance(event, e.AskAnswered))
    twice = [ask for ask, count in answered.items() if count > 1]
    calls = Counter(event.call for event in e.facts(entries) if isinstance(event, e.CallAnswered))
    again = [call for call, count in calls.items() if count > 1]
    return [f"{what} was answered twice" for what in (*twice, *again)]


async def _left_open(store: Store, run: Run, entries: Sequence[e.Entry]) -> list[str]:
    """Questions of an ended run that people are still shown."""
    asked = (
        [event.ask.id for event in _its_own(list(e.facts(entries))) if isinstance(event, e.AskOpened)] if run.terminal else []
    )
    return [ask for ask in asked if not (doc := await store.doc("ask", ask)) or doc.body["open"]]


def _effects(events: Sequence[e.AnyEvent], done: Counter[str]) -> list[str]:
    """`done`: how often each call took effect. At most once; one that may or may not have happened was said to be unknown; none
    without its intent."""
    begun = {event.call: event.tool for event in events if isinstance(event, e.CallStarted)}
    answers = {event.call: event for event in events if isinstance(event, e.CallAnswered)}
    out = [f"call {call} took effect {count} times" for call, count in done.items() if count > 1]
    out += [f"call {call} took effect without its intent being written" for call in done if call not in begun]
    for call, tool in begun.items():
        answer = answers.get(call)
        if tool in ("mail", "delete") and answer and answer.error is None and done[call] != 1:
            out.append(f"call {call} is said to be done and took effect {done[call]} times")
        if tool in ("mail", "delete") and answer and answer.error not in (None, "ambiguous"):
            out.append(f"call {call} ended with {answer.error!r}")
    return out


def _its_own(events: list[e.AnyEvent]) -> list[e.AnyEvent]:
    """Without what another run has done before it was forked."""
    forked = [at for at, event in enumerate(events) if isinstance(event, e.Forked)]
    return events[forked[-1] :] if forked else events


def mails(home: Path) -> list[str]:
    """What left the house: run, call, and what it was."""
    box = outside(home) / MAILS
    return box.read_text().splitlines() if box.exists() else []


def unknowns(events: Sequence[e.AnyEvent]) -> int:
    """How many calls were said to have an unknown outcome."""
    return sum(isinstance(event, e.CallAnswered) and event.error == "ambiguous" for event in events)


async def stranded(services: Services) -> list[str]:
    """Runs that nobody works on and nobody would ever come back to (L4)."""
    store, now = services.store, services.clock.now()
    coming = set(await store.due(now + FAR, limit=1_000_000))
    return [
        f"{run} is stranded" for run in await _unfinished(store) if run not in coming and not await _is_held(store, run, now)
    ]


async def _is_held(store: Store, run: str, now: Any) -> bool:
    lease = await store.lease(run)
    return lease is not None and lease.until > now


async def _unfinished(store: Store) -> list[str]:
    alive = every_run(store, status=("pending", "running", "waiting", "paused"), roots_only=False)
    return [run.id async for run in alive]
