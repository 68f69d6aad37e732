"""Whether only a person can move a run: then a command without a terminal ends instead of waiting for ever."""

from __future__ import annotations

from auteryn.ports import Store
from auteryn.schema.run import ForPerson, ForSteps, Run


async def needs_person(store: Store, root: str) -> bool:
    """True if the whole tree stands still, and a person's answer is among what it waits for."""
    waits = await _standing(store, await store.get(root))
    return waits is not None and waits > 0


async def _standing(store: Store, run: Run) -> int | None:
    """How many questions this branch waits for; None if anything in it moves, or will by itself."""
    if run.terminal:
        return 0
    if run.status != "waiting" or not run.waits or await store.inbox(run.id):
        return None
    if any(not isinstance(wait, ForPerson | ForSteps) for wait in run.waits) or not all(one.over for one in run.schedules):
        return None
    questions = sum(isinstance(wait, ForPerson) for wait in run.waits)
    for child in run.shares:
        below = await _standing(store, await store.get(child))
        if below is None:
            return None
        questions += below
    return questions
