"""Milestones of long journals: the whole run as it was after every so many entries. So any point of a journal can be reached by
reading a few hundred entries instead of everything before it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from auteryn.ports import Store
from auteryn.schema.change import Doc
from auteryn.schema.record import to_json
from auteryn.schema.run import Run
from auteryn.schema.versions import read_run

MARK = "mark"
"""Kind of the documents; their scope is the run."""
EVERY = 500
"""Entries."""


def mark(run: Run, at: datetime) -> tuple[Doc, ...]:
    """The milestone this commit sets, if it sets one. A fork sets none in the part of its journal that is another run's
    past."""
    if run.seq % EVERY or run.terminal or "fork_of" in run.labels:
        return ()
    return (Doc(kind=MARK, id=f"{run.id}.{run.seq}", scope=run.id, body=msgspec.to_builtins(run), at=at),)


async def marked(store: Store, run: str, seq: int) -> Run | None:
    """The run at its last milestone up to entry `seq`; None where there is none."""
    if seq < EVERY:
        return None
    doc = await store.doc(MARK, f"{run}.{seq - seq % EVERY}")
    return read_run(to_json(doc.body), where=f"the mark {doc.id!r}") if doc else None
