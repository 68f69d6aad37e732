"""What thinks for a run, with how much in mind, by which code, and where its trace is: read off the journal's end."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

from auteryn.agent.prompt import ledger as ledger_text
from auteryn.policy.models import CONTEXT_WINDOW
from auteryn.schema import event as e
from auteryn.schema.record import Record
from auteryn.schema.run import Run
from auteryn.service.access import Access
from auteryn.tools.notes import ledger_notes

PAGE = 200
"""Journal entries looked through at a time."""


class RunContext(Record):
    """As of the run's newest answer and its newest slice; what there was none of yet is empty."""

    run: str
    model: str
    """Who answered last."""
    turn: int
    prompt_tokens: int
    """Of the newest turn: all that was in mind then."""
    cached_tokens: int
    """Of those, what the provider had kept."""
    window: int
    """Most prompt tokens the model takes."""
    compact_at: int
    """Prompt tokens at which what is older is summarised. Task, notes, plan, open questions and files stay word for word."""
    compacted_at: datetime | None
    """When that happened last."""
    compacted_tokens: int
    """Before it."""
    code: str
    """Version of the release that sat last."""
    host: str
    """The process it sat in."""
    trace: str
    """Id of the trace its spans belong to; empty where nothing is traced."""
    trace_url: str
    """Where the trace can be looked at, if `AUTERYN_TRACE_URL` says."""


class Ledger(Record):
    """What no summary may lose."""

    run: str
    goal: str
    """The task, word for word."""
    text: str
    """As the model is shown it in every turn: constraints, decisions, plan with statuses, schedules, open questions and
    files. Empty where there is nothing of it yet."""
    compactions: int
    """How often the conversation was summarised."""


async def context(access: Access, run: Run) -> RunContext:
    engine = access.engine
    answer, began = await _newest(access, run)
    cut = await _cut(access, run)
    trace = engine.observer.trace(run.root) if engine.observer else ""
    return RunContext(
        run=run.id,
        model=answer.model if answer else "",
        turn=answer.turn if answer else 0,
        prompt_tokens=answer.tokens.prompt if answer else 0,
        cached_tokens=answer.tokens.cached if answer else 0,
        window=CONTEXT_WINDOW,
        compact_at=engine.settings.compact_at_tokens,
        compacted_at=cut[0] if cut else None,
        compacted_tokens=cut[1].prompt_tokens if cut else 0,
        code=began.code if began else "",
        host=began.host if began else "",
        trace=trace,
        trace_url=engine.trace_url.replace("{trace}", trace) if trace else "",
    )


async def ledger(access: Access, run: Run) -> Ledger:
    """Reads the journal up to the newest summary: of a run that has none, its first entry."""
    store = access.services.store
    [first] = await store.journal(run.id, limit=1)
    notes = await ledger_notes(store, run.root)
    count, seq = 0, 1
    while seq < run.context_seq:
        entries = await store.journal(run.id, after=seq, limit=min(PAGE, run.context_seq - seq))
        count += sum(isinstance(event, e.Compacted) for event in e.facts(entries))
        seq = entries[-1].seq
    return Ledger(run=run.id, goal=e.beginning(first).input.text, text=ledger_text(run, notes), compactions=count)


async def _newest(access: Access, run: Run) -> tuple[e.ModelAnswered | None, e.SliceStarted | None]:
    answer: e.ModelAnswered | None = None
    began: e.SliceStarted | None = None
    async with aclosing(access.newest_first(run)) as facts:
        async for _, event in facts:
            match event:
                case e.ModelAnswered():
                    answer = answer or event
                case e.SliceStarted():
                    began = began or event
                case _:
                    pass
            if answer and began:
                break
    return answer, began


async def _cut(access: Access, run: Run) -> tuple[datetime, e.Compacted] | None:
    """The newest summary; a run's conversation starts from it."""
    entries = await access.services.store.journal(run.id, after=run.context_seq - 1, limit=1) if run.context_seq > 1 else ()
    found = ((entry.at, event) for entry in entries for event in entry.events if isinstance(event, e.Compacted))
    return next(found, None)
