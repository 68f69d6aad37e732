"""Whether only a person can move a run: then a command without a terminal ends instead of waiting for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from auteryn.ports import Store
from auteryn.schema.run import ForPerson, ForSteps, Run

SOON = timedelta(minutes=1)
"""A question that silence answers by then is a wait for time: leaving would cut off what begins meanwhile."""


async def needs_person(store: Store, root: str, now: datetime) -> bool:
    """True if the whole tree stands still, and a person's answer is among what it waits for."""
    waits = await _standing(store, await store.get(root), now + SOON)
    return waits is not None and waits > 0


async def _standing(store: Store, run: Run, soon: datetime) -> int | None:
    """How many questions this branch waits for; None if anything in it moves, or will by itself."""
    if run.terminal:
        return 0
    if run.status != "waiting" or not run.waits or await store.inbox(run.id):
        return None
    if any(not isinstance(wait, ForPerson | ForSteps) for wait in run.waits) or not all(one.over for one in run.schedules):
        return None
    if any(isinstance(wait, ForPerson) and wait.until and wait.until <= soon for wait in run.waits):
        return None
    questions = sum(isinstance(wait, ForPerson) for wait in run.waits)
    for child in run.shares:
        below = await _standing(store, await store.get(child), soon)
        if below is None:
            return None
        questions += below
    return questions
