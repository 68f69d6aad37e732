"""The conversation of a run, read from its journal: the task, the last compaction, and what came after it (L8)."""

from __future__ import annotations

from collections.abc import Sequence

from auteryn.agent.thread import Thread
from auteryn.ports.store import Store
from auteryn.schema import event as e
from auteryn.schema.run import Run


async def remembered(store: Store, run: Run, whole: Sequence[e.Entry] | None = None) -> Thread:
    """What the model is shown and what is open in it; however long the run is, the entries read are bounded.

    `whole`: its journal, where that has been read already.
    """
    if run.context_seq <= 1:
        return Thread(run=run.id).extend(await store.journal(run.id) if whole is None else whole)
    first = await store.journal(run.id, limit=1)
    cut = (await store.journal(run.id, after=run.context_seq - 1, limit=1))[0]
    keep = next(event.keep_from for event in cut.events if isinstance(event, e.Compacted))
    return Thread(run=run.id).extend([*first, *await store.journal(run.id, after=min(keep, run.context_seq) - 1)])
