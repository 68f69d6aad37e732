"""Has what was to be sent gone out? Read off the ledger of the run and its children, not off what the model says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from auteryn.agent.mind import Mind
from auteryn.ports.store import children_of
from auteryn.schema import event as e
from auteryn.schema.run import FileCheck, Verdict

KINDS = ("mailto:", "slack:")
"""How a deliverable begins that is a message and no file: `mailto:ann@corp.test`, `slack:#prices`."""


def to_be_sent(check: FileCheck) -> str | None:
    """Whom a message is to reach; None for a file."""
    kind = next((kind for kind in KINDS if check.path.startswith(kind)), None)
    return None if kind is None else check.path.removeprefix(kind).lower()


async def sent(mind: Mind, checks: Sequence[FileCheck]) -> tuple[Verdict, ...]:
    """One verdict a check: a call that sends to this recipient was made and answered without a failure. A call whose outcome is
    unknown has not been confirmed."""
    reached = dict[str, str]()
    if not checks:
        return ()
    async for run, journal in _tree(mind):
        for tool, recipients in _done(mind, run, journal):
            reached |= {one.lower(): tool for one in recipients}
    done = "would be sent (dry run)" if mind.run.options.effects == "dry" else "sent"
    return tuple(
        Verdict(deliverable=check.path, ok=True, detail=f"{done} by {reached[whom]}")
        if (whom := to_be_sent(check) or "") in reached
        else Verdict(deliverable=check.path, ok=False, detail="no message to it was sent and confirmed")
        for check in checks
    )


def _done(mind: Mind, run: str, journal: Sequence[e.Entry]) -> list[tuple[str, Sequence[str]]]:
    """Tool and recipients of every call that ended well; what a person changed before allowing it counts."""
    asked = dict[str, dict[str, Any]]()
    done = list[tuple[str, Sequence[str]]]()
    for event in e.facts(journal):
        match event:
            case e.ModelAnswered():
                asked |= {call_id: call.args for call_id, call in e.calls_of(run, event).items()}
            case e.CallAllowed(args=dict() as args):
                asked[event.call] = args
            case e.CallAnswered(error=None, within=None) if event.call in asked:
                known = mind.registry.get(event.tool) if event.tool in mind.registry else None
                addressed = known.recipients(asked[event.call]) if known and known.recipients else ()
                done.append((event.tool, event.reached or addressed))
            case e.CallAnswered(error=None):
                done.append((event.tool, event.reached))
            case _:
                pass
    return done


async def _tree(mind: Mind) -> AsyncIterator[tuple[str, Sequence[e.Entry]]]:
    """The run and everything below it, with their journals; and the steps and ticks it took over from a run before it."""
    store, seen = mind.services.store, set[str]()
    left = [mind.run.id, *(step.run for step in (mind.run.plan.steps if mind.run.plan else ()) if step.run)]
    while left:
        if (run := left.pop()) in seen:
            continue
        seen.add(run)
        yield run, (journal := await store.journal(run))
        left += [event.end.run for event in e.facts(journal) if isinstance(event, e.TickEnded)]
        if mind.run.plan or mind.run.schedules:
            left += [child.id async for child in children_of(store, run)]
