"""The conversation of a run, read from its journal: the task, the last compaction, and what came after it (L8)."""

from __future__ import annotations

from collections.abc import Sequence

from auteryn.agent.thread import Thread
from auteryn.errors import Corrupt
from auteryn.ports.store import Lease, Store
from auteryn.runtime.counting import poison
from auteryn.schema import event as e
from auteryn.schema.run import Run


async def recalled(store: Store, run: Run, lease: Lease, whole: Sequence[e.Entry] | None) -> tuple[Thread, e.RunFailed | None]:
    """What a slice begins with; and the end of the run, where it cannot be read or kills every slice."""
    try:
        return await remembered(store, run, whole), poison(run, lease)
    except Corrupt as error:
        return Thread(run=run.id), e.RunFailed(reason="corrupt", message=str(error))


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
