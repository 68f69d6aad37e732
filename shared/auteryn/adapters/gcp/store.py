"""The truth in Firestore (`ports.store`): every change is one batch, every right is a precondition.

    keys/{owner and key, hashed}        the run that a create with this key made
    runs/{run}                          the summary, and what runs are listed by
    runs/{run}/journal/{seq}            one entry; that it must not exist, and the one before it must, is the lock (L1)
    runs/{run}/inbox/{message}          `state` goes up only: a message that comes again changes nothing
    runs/{run}/lease/now                who writes the run, when it is due, whether it has ended
    docs/{kind and id}                  small documents

No transaction is ever held open, and nothing is incremented: a batch that is sent again after a lost reply is either
refused by its own traces or changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.api_core.exceptions import AlreadyExists, FailedPrecondition
from google.api_core.exceptions import NotFound as Missing

from auteryn.adapters.gcp.database import Database, Fields, where
from auteryn.adapters.gcp.erasing import erase
from auteryn.adapters.gcp.leases import Leases, newborn_lease, parted_lease
from auteryn.adapters.gcp.names import cursor_of, name_of, next_written, plain, position_of
from auteryn.adapters.gcp.reading import Reading
from auteryn.adapters.gcp.unread import HEARD, LATE, UNREAD, due_runs
from auteryn.adapters.gcp.writing import Aside, AtLeast, First, Writing
from auteryn.errors import Conflict, Corrupt, NotFound
from auteryn.ports.blobs import Blobs
from auteryn.ports.store import Lease, Page, Standing, too_late, unread
from auteryn.schema.change import Change, Doc, Newborn
from auteryn.schema.event import Entry
from auteryn.schema.fold import after as fold
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.record import new_id, to_json
from auteryn.schema.run import TERMINAL, Run, Status

PAST_BATCH = 400
"""Documents in one request; the service takes 500."""


class FirestoreStore:
    """Runs, journals, inboxes, leases and small documents of one Firestore database; bodies over 32 kB in `blobs`."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self.database, self._blobs = database, blobs
        self._leases, self._reading = Leases(database), Reading(database, blobs)

    @classmethod
    def open(cls, project: str, blobs: Blobs, *, database: str = "(default)", host: str | None = None) -> FirestoreStore:
        return cls(Database(project, database, host=host), blobs)

    async def close(self) -> None:
        await self.database.close()

    # ---- runs

    async def create(self, newborn: Newborn, *, key: str | None = None) -> Run:
        writing, run = self._writing(), newborn.run
        if newborn.past:
            if (made := await self._made(newborn, key)) is not None:
                return made
            await self._put_past(run.id, newborn.past)
        if key is not None:
            writing.create("keys", _key(run.owner, key), fields={"run": run.id})
        self._give_birth(writing, newborn)
        try:
            await writing.send()
        except AlreadyExists as error:
            made = await self._made(newborn, key)
            if made is None:
                raise Conflict(f"run {run.id!r} exists already") from error
            if newborn.past and made.id != run.id:
                await self.erase(run.id)
            return made
        return run

    async def erase(self, run: str) -> None:
        await erase(self.database, self._blobs, run)

    async def commit(self, change: Change) -> None:
        """One request, however much changes; one that completes the run looks into its inbox before. What a message to another
        run says is kept from its first sender."""
        while True:
            try:
                return await self._commit(change)
            except FailedPrecondition:
                if change.run.status != "completed":
                    raise
                self._leases.forget(change.run.id)  # between the look and the commit somebody spoke, or it was renewed

    async def _commit(self, change: Change) -> None:
        writing, run, entry = self._writing(), change.run, change.entry
        leaving, seen = change.leave or run.terminal, None
        if run.status == "completed":
            seen = await self._leases.seen(run.id)
            if left := await self._unread_but(run.id, change.consumed):
                await self._unless_made(run.id, entry, unread(run.id, left))
                return
        self._append(writing, run.id, entry)
        writing.require(*_journal(run.id, entry.seq - 1))
        if change.summary or leaving:
            writing.update("runs", name_of(run.id), fields=_summary(writing, run))
        for message in change.consumed:
            writing.merge(*_inbox(run.id, message), fields={"state": AtLeast(HEARD)})
        for place, send in enumerate(change.sends):
            body = First(writing.body(to_json(send.message)))
            writing.merge(*_inbox(send.run, send.message.id), fields={"state": AtLeast(UNREAD), "place": place, "bodies": body})
        for child in change.children:
            self._give_birth(writing, child)
        for doc in change.docs:
            writing.put("docs", _doc_name(doc.kind, doc.id), fields=_doc_fields(writing, doc))
        if leaving:
            writing.update(*Leases.path(run.id), fields=parted_lease(run, change.wake_at), seen=seen)
        await self._send(writing, run.id, entry)
        if leaving:
            self._leases.parted(run.id)

    async def get(self, run: str) -> Run:
        return await self._now(run, await self.database.get("runs", name_of(run)))

    async def _now(self, run: str, found: Any) -> Run:
        if not found.exists:
            raise NotFound(f"no run {run!r}")
        now = await self._reading.summary(found.to_dict(), run)
        for entry in await self.journal(run, after=now.seq):
            now = fold(now, entry)
        return now

    async def opened(self, run: str) -> tuple[Run, Sequence[Entry] | None]:
        return await self.get(run), None

    async def standing(self, run: str) -> Standing:
        refs = [self.database.ref("runs", name_of(run)), self.database.ref(*self._leases.path(run))]
        found, unread = await asyncio.gather(self.database.get_all(refs), self.inbox(run, limit=1))  # both are one instant's
        seen = {snapshot.reference.path: snapshot for snapshot in found}
        now, lease = (seen[ref.path] for ref in refs)
        return Standing(run=await self._now(run, now), lease=self._leases.of(run, lease), unread=unread[0] if unread else None)

    async def parent_of(self, run: str) -> str | None:
        found = await self.database.get("runs", name_of(run))
        return found.to_dict().get("parent") if found.exists else None

    async def journal(self, run: str, *, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        entries = self.database.client.collection("runs", name_of(run), "journal")
        query = entries.order_by("__name__").start_after({"__name__": entries.document(_seq_name(max(after, 0)))})
        found = [document async for page in self.database.pages(query, limit) for document in page]
        return await asyncio.gather(*(self._reading.entry(document, run) for document in found))

    def _newest_first(self) -> Any:
        """Of one order, so that all lists of runs need the same few indexes."""
        runs = self.database.client.collection("runs")
        return runs.order_by("created_at", direction="DESCENDING").order_by("__name__", direction="DESCENDING")

    async def count(self, *, owner: str, status: Sequence[Status], most: int) -> int:
        query = self._newest_first()
        query = where(where(where(query, "owner", "==", owner), "status", "in", list(status)), "parent", "==", None)
        found = await self.database.find(query.limit(most).count())
        return int(found[0][0].value)

    async def _summary_or_none(self, document: Any) -> Run | None:
        try:
            return await self._reading.summary(document.to_dict(), document.id)
        except Corrupt:
            return None

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
        """As of each run's last summary. A run whose summary cannot be read is passed over: `get` says why."""
        runs, query = self.database.client.collection("runs"), self._newest_first()
        if owner is not None:
            query = where(query, "owner", "==", owner)
        if status is not None:
            query = where(query, "status", "in", list(status))
        if parent is not None or roots_only:
            query = where(query, "parent", "==", parent)
        if cursor is not None:
            created_at, name = position_of(cursor)
            query = query.start_after({"created_at": created_at, "__name__": runs.document(name)})
        found = await self.database.find(query.limit(limit + 1))
        listed = await asyncio.gather(*(self._summary_or_none(document) for document in found[:limit]))
        last = found[limit - 1] if len(found) > limit else None
        return Page(
            runs=tuple(run for run in listed if run is not None),
            at={run.id: plain(document.update_time) for run, document in zip(listed, found, strict=False) if run is not None},
            next=None if last is None else cursor_of(last.get("created_at"), last.id),
        )

    # ---- inbox

    async def send(self, run: str, message: AnyMessage, *, heard: bool = False) -> bool:
        """With `heard` two documents and a look back: a run that completes after it has found the message."""
        writing, path = self._writing(), _inbox(run, message.id)
        body = First(writing.body(to_json(message)))
        if heard:
            writing.update(*Leases.path(run), fields={"spoken": new_id("by")})
        else:
            writing.require(*_journal(run, 1))
        try:
            new = await self._create_once(writing, path, {"state": UNREAD, "place": 0, "bodies": body})
        except Missing as error:
            raise NotFound(f"no run {run!r} to send message {message.id!r} to") from error
        if heard:
            await self._refuse_late(run, path)
        return new

    async def safe(self) -> None:
        """Every write is when it is back."""

    async def inbox(self, run: str, *, limit: int | None = None) -> Sequence[AnyMessage]:
        pages = self.database.pages(self._unread(run).order_by("__name__"), limit)
        found = [document async for page in pages for document in page]
        found.sort(key=lambda document: (document.create_time, document.get("place")))
        return await asyncio.gather(*(self._reading.message(document, run) for document in found))

    def _unread(self, run: str) -> Any:
        return where(self.database.client.collection("runs", name_of(run), "inbox"), "state", "==", UNREAD)

    async def _unread_but(self, run: str, consumed: Sequence[str]) -> str | None:
        """The name of a message that nobody has read and that is none of these."""
        known = {name_of(message) for message in consumed}
        found = await self.database.find(self._unread(run).select(["state"]).limit(len(known) + 1))
        return next((document.id for document in found if document.id not in known), None)

    async def _refuse_late(self, run: str, path: tuple[str, ...]) -> None:
        """The message is put away if the run had ended before it was written."""
        status = (await self.database.get("runs", name_of(run), fields=["status"])).get("status")
        if status in TERMINAL and (await self.database.get(*path, fields=["state"])).get("state") != HEARD:
            writing = self._writing()
            writing.merge(*path, fields={"state": AtLeast(LATE)})
            await writing.send()
            raise too_late(run, status)

    # ---- leases

    async def take_lease(self, run: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """None while any lease is live, the holder's own included: two slices of one process are two."""
        return await self._leases.take(run, holder=holder, now=now, until=until)

    async def renew(self, lease: Lease, *, until: datetime) -> Lease:
        return await self._leases.renew(lease, until=until)

    async def give_back(self, lease: Lease) -> None:
        await self._leases.give_back(lease)

    async def lease(self, run: str) -> Lease | None:
        return await self._leases.now(run)

    async def due(self, now: datetime, *, limit: int = 100) -> Sequence[str]:
        return await due_runs(self.database, now, limit)

    # ---- documents

    async def put(self, doc: Doc, *, if_absent: bool = False) -> bool:
        writing, path = self._writing(), ("docs", _doc_name(doc.kind, doc.id))
        fields = _doc_fields(writing, doc)
        if if_absent:
            return await self._create_once(writing, path, fields)
        writing.put(*path, fields=fields)
        await writing.send()
        return True

    async def doc(self, kind: str, doc_id: str) -> Doc | None:
        found = await self.database.get("docs", _doc_name(kind, doc_id))
        return await self._reading.doc(found.to_dict()) if found.exists else None

    async def docs(self, kind: str, scope: str, *, limit: int | None = None) -> Sequence[Doc]:
        query = where(where(self.database.client.collection("docs"), "kind", "==", kind), "scope", "==", scope)
        pages = self.database.pages(query.order_by("at").order_by("written"), limit)
        found = [document.to_dict() async for page in pages for document in page]
        return await asyncio.gather(*map(self._reading.doc, found))

    async def drop(self, kind: str, doc_id: str) -> None:
        ref = self.database.ref("docs", _doc_name(kind, doc_id))
        await self.database.commit(lambda batch: batch.delete(ref))

    # ---- writing

    async def _put_past(self, run: str, past: Sequence[Entry]) -> None:
        """Before the run itself, which is not there: nobody looks, and a repeat writes the same again."""
        for begin in range(0, len(past), PAST_BATCH):
            writing = self._writing()
            for entry in past[begin : begin + PAST_BATCH]:
                fields = {"commit": entry.commit, "body": writing.body(to_json(entry))}
                writing.put(*_journal(run, entry.seq), fields=fields)
            await writing.send()

    def _writing(self) -> Writing:
        return Writing(self.database, self._blobs)

    def _append(self, writing: Writing, run: str, entry: Entry) -> None:
        fields = {"commit": entry.commit, "body": writing.body(to_json(entry))}
        writing.create(*_journal(run, entry.seq), fields=fields)

    def _give_birth(self, writing: Writing, newborn: Newborn) -> None:
        run = newborn.run
        writing.create("runs", name_of(run.id), fields=_summary(writing, run))
        self._append(writing, run.id, newborn.entry)
        writing.create(*Leases.path(run.id), fields=newborn_lease(newborn))

    async def _send(self, writing: Writing, run: str, entry: Entry) -> None:
        """The commit is made, be it that an earlier try of ours made it."""
        try:
            await writing.send()
        except AlreadyExists as error:
            refusal = Conflict(f"a run that entry {entry.seq} of run {run!r} creates exists already")
            await self._unless_made(run, entry, refusal, error)
        except FailedPrecondition as error:
            await self._unless_made(run, entry, error)
        except Missing as error:
            raise Conflict(f"run {run!r} was erased") from error

    async def _unless_made(self, run: str, entry: Entry, refusal: Exception, cause: Exception | None = None) -> None:
        """Raises why the commit cannot be made, unless it was."""
        stored = await self._commit_at(run, entry.seq)
        if stored == entry.commit:
            return
        if stored is not None:
            raise Conflict(f"run {run!r} has an entry {entry.seq} already: another slice was first") from cause
        raise refusal from cause

    async def _made(self, newborn: Newborn, key: str | None) -> Run | None:
        """The run of an earlier request with this key, or of this very one. Raises `Conflict` for a stranger of its name."""
        run, known = newborn.run, await self._made_with(newborn.run.owner, key)
        if known is not None:
            return await self.get(known)
        stored = await self._commit_at(run.id, newborn.entry.seq)
        if stored not in (None, newborn.entry.commit):
            raise Conflict(f"run {run.id!r} exists already")
        return None if stored is None else run

    async def _commit_at(self, run: str, seq: int) -> str | None:
        found = await self.database.get(*_journal(run, seq), fields=["commit"])
        return found.get("commit") if found.exists else None

    async def _create_once(self, writing: Writing, path: tuple[str, ...], fields: Fields) -> bool:
        """Whether this very call made the document: a lost reply does not make one's own look like another's."""
        token = new_id("by")
        writing.create(*path, fields={**fields, "by": token})
        try:
            await writing.send()
        except AlreadyExists:
            found = await self.database.get(*path, fields=["by"])
            return found.exists and found.to_dict().get("by") == token
        return True

    async def _made_with(self, owner: str, key: str | None) -> str | None:
        if key is None:
            return None
        found = await self.database.get("keys", _key(owner, key))
        return found.get("run") if found.exists else None


def _summary(writing: Writing, run: Run) -> Fields:
    body = writing.body(to_json(run))
    return {
        "owner": run.owner,
        "status": run.status,
        "parent": run.parent.run if run.parent else None,
        "created_at": run.created_at,
        "body": body,
        "aside": Aside(body),
    }


def _doc_fields(writing: Writing, doc: Doc) -> Fields:
    written, body = next_written(), writing.body(to_json(doc.body))
    return {"kind": doc.kind, "id": doc.id, "scope": doc.scope, "at": doc.at, "written": written, "body": body}


def _journal(run: str, seq: int) -> tuple[str, ...]:
    return "runs", name_of(run), "journal", _seq_name(seq)


def _seq_name(seq: int) -> str:
    """Names are in order of their numbers."""
    return f"{seq:08d}"


def _inbox(run: str, message: str) -> tuple[str, ...]:
    return "runs", name_of(run), "inbox", name_of(message)


def _doc_name(kind: str, doc_id: str) -> str:
    return name_of(f"{kind}:{doc_id}")


def _key(owner: str, key: str) -> str:
    return hashlib.sha256(to_json([owner, key])).hexdigest()
