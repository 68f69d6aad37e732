"""What a tree's journals say next, as events of the stream."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auteryn.ports.bus import Watch
from auteryn.schema import event as e
from auteryn.schema.record import Record
from auteryn.service.branch import Branch
from auteryn.service.feed import Kind, items


class StreamEvent(Record):
    """One event of the stream."""

    id: str
    """Resume after this event with it. Deltas carry the id of the last durable event before them."""
    kind: Kind
    run: str
    """Whose it is: the run itself or one of its children."""
    data: dict[str, Any]
    at: datetime | None = None
    seq: int = 0
    """Of the entry in its run's journal."""
    delta: bool = False
    """A piece of a thought or message while it is produced; the whole follows as an event of its own."""


class Batch(list[StreamEvent]):
    """What was there at once; never empty, never changed."""

    wire: tuple[bytes, ...] = ()
    """How the door sends it, once somebody was sent it."""


MOST_AT_ONCE = 32
"""Events in a batch, or one entry's."""


async def next_batch(branch: Branch) -> Batch:
    """What has been read and comes next; empty when there is nothing more."""
    found = Batch()
    while len(found) < MOST_AT_ONCE and not branch.over and (first := await branch.first()):
        found += await _delivered(branch, *first)
    return found


async def _delivered(root: Branch, branch: Branch, entry: e.Entry) -> list[StreamEvent]:
    """The entry's events that were not delivered yet; the position moves with each."""
    run, out = branch.after(entry), list[StreamEvent]()
    found = items(run, entry)
    for index in range(branch.index, len(found)):
        kind, data = found[index]
        branch.index = index + 1
        if branch.index == len(found):
            await branch.take(entry, run)
        out.append(StreamEvent(id=root.cursor, kind=kind, run=run.id, data=data, at=entry.at, seq=entry.seq))
    if branch.seq < entry.seq:
        await branch.take(entry, run)
    return out


def deltas(branch: Branch, watch: Watch) -> Batch:
    """What is being produced right now, in this tree; joined where several pieces arrived together."""
    joined = list[tuple[str, Kind, list[str]]]()
    for run, delta in watch.deltas():
        kind: Kind = "thought" if delta.kind == "thought" else "message"
        if not branch.knows(run):
            continue
        if joined and joined[-1][:2] == (run, kind):
            joined[-1][2].append(delta.text)
        else:
            joined.append((run, kind, [delta.text]))
    cursor = branch.cursor if joined else ""
    return Batch(
        StreamEvent(id=cursor, kind=kind, run=run, data={"text": "".join(texts)}, delta=True) for run, kind, texts in joined
    )
