"""The truth: runs, journals, inboxes, leases, small documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from auteryn.errors import Unread, WrongState
from auteryn.schema.change import Change, Doc, Newborn
from auteryn.schema.event import Entry
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.record import Record
from auteryn.schema.run import ENDINGS, Run, Status

PAGE_RUNS, PAGE_ENTRIES = 500, 500
"""Summaries, and entries of a journal, read at a time where all of them are wanted."""
ENDED = datetime.fromtimestamp(0, UTC)
"""`Lease.until`, where the holder is known to be dead."""


class Lease(Record):
    """The right to write a run until `until`. `number` is the slice's number and grows with every take."""

    run: str
    holder: str
    number: int
    until: datetime


class Standing(Record):
    """What decides whether a run wants a slice."""

    run: Run
    lease: Lease | None
    """As it stands, live or not. Not newer than the run: who held it and has left since is seen to have left."""
    unread: AnyMessage | None
    """Any one of what is in its inbox."""


class Page(Record):
    """Runs, newest first, and where the next page begins."""

    runs: tuple[Run, ...]
    next: str | None = None
    at: dict[str, datetime] = {}
    """By run: when it was written last. Of a run at work it may be a few commits ago."""


def unread(run: str, message: str) -> Unread:
    """What a commit that completes its run over a message is refused with (S14)."""
    return Unread(f"run {run!r} cannot complete: it has not read message {message!r}")


def too_late(run: str, status: str) -> WrongState:
    """What a message that comes too late is refused with (S15)."""
    return WrongState(f"run {run!r} has {ENDINGS[status]}: nothing that is said to it is heard any more")


class Store(Protocol):
    """S1  A commit whose `entry.seq` exists already raises `Conflict` and writes nothing: the journal is the lock.
    S2  A commit is atomic: entry, summary, consumed messages, sends, children, documents and the lease's end, or none.
    S3  A commit repeated with the same `entry.commit` after a lost reply succeeds and is applied once.
    S4  A message id is accepted once for the life of a run, also after it was consumed; `send` says whether it was new.
    S5  `inbox` lists what is not consumed, in order of arrival.
    S6  One holder at a time: `take_lease` gives None while another's is live. A lease ends at `until`, by `leave`, by
        `give_back`, or when its holder is known to be dead. `renew` of a lost lease raises `Conflict`.
    S7  `due` names every non-terminal run without a live lease that has its `wake_at` behind `now`, an unread message, or a
        lease that ended by itself.
    S8  `create` with a key it has seen for this owner returns the first run and writes nothing.
    S9  `get` equals the fold of the whole journal, whichever commits wrote a summary.
    S10 `put` with `if_absent` keeps the first body; `docs` lists a scope in order of `at`, then of writing.
    S11 `create` stores a run with its whole past, or nothing of it is ever seen. Entries of two runs have two commit ids: so
        no bytes are both's, and either can be erased.
    S12 After `erase` nothing of the run is left: journal, summary, inbox, lease, keys, documents listed under its id. Its id
        may be used again. Erasing what is not there is a no-op. A commit to a run that was erased meanwhile raises `Conflict`.
    S13 What cannot be read raises `Corrupt` naming the place; other runs are not affected.
    S14 A commit that completes its run raises `Unread` and writes nothing, if a message is in the inbox that it does not
        consume (but for one sent at this very moment without `heard`). An end of any other kind ends what lies there.
    S15 `send` with `heard` raises `WrongState` for a run that has ended, and the message is in no inbox; unless the run has
        consumed it. So, with S14, whoever is told that his message was accepted is heard, or the run fails or is cancelled.
    """

    async def create(self, newborn: Newborn, *, key: str | None = None) -> Run:
        """Store a new run (sends nothing, wakes nobody); returns it, or the one `key` made before."""
        ...

    async def erase(self, run: str) -> None:
        """For ever. Not its children, and not its blobs."""
        ...

    async def commit(self, change: Change) -> None: ...

    async def get(self, run: str) -> Run:
        """The run as of its last entry; raises `NotFound`."""
        ...

    async def opened(self, run: str) -> tuple[Run, Sequence[Entry] | None]:
        """`get`, and the whole journal if that had to be read for it anyway; else None."""
        ...

    async def standing(self, run: str) -> Standing:
        """The run, its lease and a message it has not read, together; raises `NotFound`."""
        ...

    async def parent_of(self, run: str) -> str | None:
        """Whose step or tick it is, also where the run itself cannot be read; None for a root and for an unknown run."""
        ...

    async def journal(self, run: str, *, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Entries with `seq > after`, in order."""
        ...

    async def count(self, *, owner: str, status: Sequence[Status], most: int) -> int:
        """How many root runs the owner has in these states; not more than `most` are counted."""
        ...

    async def runs(
        self,
        *,
        owner: str | None = None,
        status: Sequence[Status] | None = None,
        parent: str | None = None,
        roots_only: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Newest first. With `parent`, that run's children."""
        ...

    async def send(self, run: str, message: AnyMessage, *, heard: bool = False) -> bool:
        """Put it into the inbox; False if its id was there before (S4). Raises `NotFound`.

        `heard`: the sender is promised, as people are, that the run hears it; so a run that has ended refuses it (S15). What
        runs and timers send goes without the promise: it may come too late, and then nothing comes of it.

        A crash takes nothing of it. Before anybody outside is told that it was taken, wait for `safe`.
        """
        ...

    async def safe(self) -> None:
        """Back when a power cut takes nothing any more of what was written here before."""
        ...

    async def inbox(self, run: str, *, limit: int | None = None) -> Sequence[AnyMessage]:
        """What is not consumed, in order of arrival; with `limit`, any that many of it."""
        ...

    async def take_lease(self, run: str, *, holder: str, now: datetime, until: datetime) -> Lease | None: ...

    async def renew(self, lease: Lease, *, until: datetime) -> Lease: ...

    async def give_back(self, lease: Lease) -> None:
        """End the lease without a commit; a no-op if it is no longer ours."""
        ...

    async def lease(self, run: str) -> Lease | None:
        """The lease as it stands, live or not; None if the run has none."""
        ...

    async def due(self, now: datetime, *, limit: int = 100) -> Sequence[str]: ...

    async def put(self, doc: Doc, *, if_absent: bool = False) -> bool: ...

    async def doc(self, kind: str, doc_id: str) -> Doc | None: ...

    async def docs(self, kind: str, scope: str, *, limit: int | None = None) -> Sequence[Doc]: ...

    async def drop(self, kind: str, doc_id: str) -> None: ...

    async def close(self) -> None: ...


async def every_run(
    store: Store,
    *,
    owner: str | None = None,
    status: Sequence[Status] | None = None,
    parent: str | None = None,
    roots_only: bool = True,
) -> AsyncGenerator[Run]:
    """All runs that `Store.runs` finds, newest first, however many pages that takes."""
    cursor: str | None = None
    while True:
        page = await store.runs(
            owner=owner, status=status, parent=parent, roots_only=roots_only, limit=PAGE_RUNS, cursor=cursor
        )
        for run in page.runs:
            yield run
        cursor = page.next
        if cursor is None:
            return


def children_of(store: Store, run: str) -> AsyncGenerator[Run]:
    """The runs of its steps and ticks, newest first."""
    return every_run(store, parent=run, roots_only=False)


async def every_entry(store: Store, run: str) -> AsyncGenerator[Entry]:
    """The whole journal of a run, in order, however many pages that takes."""
    seq = 0
    while entries := await store.journal(run, after=seq, limit=PAGE_ENTRIES):
        for entry in entries:
            yield entry
        seq = entries[-1].seq
