"""The truth in SQLite (`ports.store`). Times are stored as microseconds since 1970, records as JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

from auteryn.adapters.embedded.database import Database, Row, Synchronous, micros, moment
from auteryn.adapters.embedded.packing import packed, packed_if_small, settled, unpacked
from auteryn.errors import Conflict, Corrupt, Invalid, NotFound
from auteryn.ports.store import ENDED, Lease, Page, Standing, too_late, unread
from auteryn.schema.change import Change, Doc, Newborn
from auteryn.schema.event import Entry
from auteryn.schema.fold import after as fold
from auteryn.schema.fold import born
from auteryn.schema.inbox import AnyMessage
from auteryn.schema.record import from_json, to_json
from auteryn.schema.run import TERMINAL, Run, Status
from auteryn.schema.versions import read_entry, read_run

SEQ_BITS = 24
"""16 million entries a run; 5,000 model calls make some 20,000."""

FOLDED_AT_SIGHT = 8
"""Entries up to which a run has no summary here: reading them all costs less than a second row, and keeping it, does."""

LONGEST_NUMBER = 18
"""Digits of a run's number: what SQLite takes for one."""

NUMBERS_KEPT = 50_000
"""Run numbers remembered, so that a commit need not look up its run."""

RUNS_KEPT = 1_000
"""Runs remembered as they were last read or written here, some 2 kB each: who reads one again reads what is new in its journal,
and the first slice of a step nothing at all."""

_Kept = tuple[int, Run, tuple[Entry, ...] | None]
"""A run's number, the run, and its whole journal if that is short, was read, and was given to nobody: what an entry holds of
others' JSON can be changed."""

_Born = tuple[Row, bytes]
"""A run's row, without its number, and its first entry."""


class SqliteStore:
    """Runs, journals, inboxes, leases and small documents in `home/auteryn.db`.

    A lease ends at once when the process that took it dies (`Alive`). Listings show runs as of their last summary.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._file = str(database.file)
        self._numbers: dict[str, int] = {}
        self._kept: dict[str, _Kept] = {}

    @classmethod
    def open(cls, home: Path, *, synchronous: Synchronous = "full") -> SqliteStore:
        return cls(Database(home, synchronous=synchronous))

    @property
    def holder(self) -> str:
        """This process, as its leases name it."""
        return self.database.alive.token

    async def close(self) -> None:
        self.database.close()

    # ---- runs

    async def create(self, newborn: Newborn, *, key: str | None = None) -> Run:
        run, (row, entry) = newborn.run, _born_row(newborn)
        born_row = (row, settled(packed(entry)))
        past = [(one.seq, settled(packed(to_json(one)))) for one in newborn.past]
        summary = packed(to_json(run)) if run.seq > FOLDED_AT_SIGHT else None

        def apply(c: sqlite3.Connection) -> str | None:
            """The id of the run the key made before, if it did."""
            seen = "SELECT id FROM keys JOIN runs USING (n) WHERE keys.owner=? AND key=?"
            if key is not None and (known := c.execute(seen, (run.owner, key)).fetchone()):
                return known[0]
            known = c.execute("SELECT n FROM runs WHERE id=?", (run.id,)).fetchone()
            if known and self._is_repeat(c, known[0], run.id, newborn.entry):
                return None
            n = _insert_runs(c, [born_row])
            if past:
                c.executemany("INSERT INTO journal VALUES (?,?)", [(_key(n, seq), body) for seq, body in past])
            if summary is not None:
                c.execute("INSERT INTO summaries VALUES (?,?)", (n, summary))
            if key is not None:
                c.execute("INSERT INTO keys VALUES (?,?,?)", (run.owner, key, n))
            return None

        made_before = await self.database.write(apply)
        return await self.get(made_before) if made_before else run

    async def erase(self, run: str) -> None:
        """The bytes are overwritten, not only let go of. An empty line keeps the run's number from another run: it may be known
        to other processes."""

        def apply(c: sqlite3.Connection) -> None:
            c.execute("PRAGMA secure_delete = ON")
            found = c.execute("SELECT n FROM runs WHERE id=?", (run,)).fetchone()
            if found is not None:
                c.execute("DELETE FROM journal WHERE key>=? AND key<?", (_key(found[0], 0), _key(found[0] + 1, 0)))
                c.execute("INSERT INTO journal VALUES (?,?)", (_key(found[0], 0), b""))
                for table in ("summaries", "inbox", "keys", "runs"):
                    c.execute(f"DELETE FROM {table} WHERE n=?", found)
            c.execute("DELETE FROM docs WHERE scope=?", (run,))
            c.execute("DELETE FROM wakes WHERE run=?", (run,))

        await self.database.write(apply)
        self._numbers.pop(run, None)
        self._kept.pop(run, None)

    async def commit(self, change: Change) -> None:
        entry, run, n = change.entry, change.run, self._number(change.run.id)
        parked = change.leave and not run.terminal  # what may lie for days is kept small
        body = settled(packed(to_json(entry)) if parked else packed_if_small(to_json(entry)))
        summary = packed(to_json(run)) if change.summary and run.seq > FOLDED_AT_SIGHT else None
        wake_at = None if change.wake_at is None or run.terminal else micros(change.wake_at)
        children = [_born_row(child) for child in change.children]
        sends = [(send.run, send.message.id, to_json(send.message)) for send in change.sends]
        docs = [_doc_row(doc) for doc in change.docs]

        def apply(c: sqlite3.Connection) -> int:
            """The number of the first child, if there are any."""
            if not self._append(c, n, run.id, entry, body):
                return 0
            if summary is not None:
                c.execute("INSERT INTO summaries VALUES (?,?) ON CONFLICT DO UPDATE SET body=excluded.body", (n, summary))
            if change.leave:
                c.execute(_LEAVE, (run.status, wake_at, n))
            elif change.summary or run.terminal:
                c.execute(_STATUS, (run.status, run.terminal, n, run.status))
            if change.consumed:
                c.executemany("UPDATE inbox SET body=NULL WHERE n=? AND id=?", [(n, message) for message in change.consumed])
            if run.status == "completed" and (left := c.execute(_LEFT, (n,)).fetchone()):
                raise unread(run.id, left[0])
            first_child = _insert_runs(c, children) if children else 0
            for to, message, said in sends:
                _deliver(c, to, message, said)
            if docs:
                c.executemany(_PUT, docs)
            return first_child

        first_child = await self.database.write(apply, lasting=change.lasting)
        if run.terminal:
            self._kept.pop(run.id, None)
        else:
            self._keep(run.id, (n, run, None))
        for number, child in enumerate(change.children, first_child) if first_child else ():
            self._numbers[child.run.id] = number
            self._keep(child.run.id, (number, child.run, (child.entry,)))

    async def get(self, run: str) -> Run:
        kept = self._current(run)
        self._keep(run, kept)
        return kept[1]

    async def opened(self, run: str) -> tuple[Run, Sequence[Entry] | None]:
        n, now, whole = self._current(run)
        self._kept.pop(run, None)  # what cannot be read is not known any more
        if whole is None and now.seq <= FOLDED_AT_SIGHT:
            whole = tuple(self._entries(run, n, after=0))
        self._keep(run, (n, now, None))
        return now, whole

    async def standing(self, run: str) -> Standing:
        found = self.database.row(_STANDING, (run,))
        if found is None:
            raise NotFound(f"no run {run!r}")
        message, body, *held = found
        return Standing(
            lease=self._lease(run, held),
            run=await self.get(run),
            unread=None if body is None else self._message(run, message, body),
        )

    async def parent_of(self, run: str) -> str | None:
        found = self.database.row("SELECT parent FROM runs WHERE id=?", (run,))
        return found[0] if found else None

    async def journal(self, run: str, *, after: int = 0, limit: int | None = None) -> Sequence[Entry]:
        try:
            return self._entries(run, self._number(run), after=after, limit=limit)
        except NotFound:
            return []

    async def count(self, *, owner: str, status: Sequence[Status], most: int) -> int:
        found = self.database.rows(_COUNT.format(",".join("?" * len(status))), [owner, *status, most])
        return int(found[0][0])

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
        """As of each run's last summary, short runs as they are. What cannot be read is passed over: `get` says why."""
        where: list[tuple[str, Sequence[Any]]] = []
        if owner is not None:
            where.append(("owner=?", [owner]))
        if status is not None:
            where.append((f"status IN ({','.join('?' * len(status))})", status))
        if parent is not None:
            where.append(("parent=?", [parent]))
        elif roots_only:
            where.append(("parent IS NULL", []))
        if cursor is not None:
            where.append(("n<?", [_cursor(cursor)]))
        condition = " AND ".join(sql for sql, _ in where) or "1"
        args = [arg for _, args in where for arg in args]
        found = self.database.rows(
            f"SELECT n, id, body FROM runs LEFT JOIN summaries USING (n) WHERE {condition} ORDER BY n DESC LIMIT ?",
            [*args, limit + 1],
        )
        runs = {n: run for n, run_id, body in found[:limit] if (run := self._listed(run_id, n, body))}
        return Page(
            runs=tuple(runs.values()),
            at={run.id: at for n, run in runs.items() if (at := self._written_at(n, run))},
            next=str(found[limit - 1][0]) if len(found) > limit else None,
        )

    # ---- inbox

    async def send(self, run: str, message: AnyMessage, *, heard: bool = False) -> bool:
        said = to_json(message)
        return await self.database.write(lambda c: _deliver(c, run, message.id, said, heard=heard), lasting=False)

    async def safe(self) -> None:
        await self.database.safe()

    async def inbox(self, run: str, *, limit: int | None = None) -> Sequence[AnyMessage]:
        found = self.database.rows(_INBOX, (run, -1 if limit is None else limit))
        return [self._message(run, message, body) for message, body in found]

    # ---- leases

    async def take_lease(self, run: str, *, holder: str, now: datetime, until: datetime) -> Lease | None:
        """None while any lease is live, the holder's own included: two slices of one process are two."""
        n, ours = self._number(run), (holder, self.holder, micros(until))

        def apply(c: sqlite3.Connection) -> Lease | None:
            taken = c.execute(_TAKE_FREE, (*ours, n, micros(now))).fetchone()
            if taken is None:
                token = c.execute("SELECT token FROM runs WHERE n=?", (n,)).fetchone()[0]
                if self._lives(token):
                    return None
                taken = c.execute(_TAKE, (*ours, n)).fetchone()
            return Lease(run=run, holder=holder, number=taken[0], until=until)

        return await self.database.write(apply, lasting=False)  # what is committed under it makes it last; its holder dies too

    async def renew(self, lease: Lease, *, until: datetime) -> Lease:
        row = (micros(until), self.holder, lease.run, lease.holder, lease.number)
        sql = "UPDATE runs SET until=?, token=? WHERE id=? AND holder=? AND number=?"
        if not await self.database.write(lambda c: c.execute(sql, row).rowcount, lasting=False):
            raise Conflict(f"lease {lease.number} of run {lease.run!r} is lost: another slice has it, or it was given back")
        return Lease(run=lease.run, holder=lease.holder, number=lease.number, until=until)

    async def give_back(self, lease: Lease) -> None:
        row = (lease.run, lease.holder, lease.number)
        sql = f"UPDATE runs SET {_NOBODY} WHERE id=? AND holder=? AND number=?"
        await self.database.write(lambda c: c.execute(sql, row).rowcount, lasting=False)

    async def lease(self, run: str) -> Lease | None:
        found = self.database.row("SELECT holder, number, token, until FROM runs WHERE id=?", (run,))
        return self._lease(run, found) if found else None

    async def due(self, now: datetime, *, limit: int = 100) -> Sequence[str]:
        at, due, live = micros(now), dict[str, None](), set[str]()
        alive = {token: self._lives(token) for (token,) in self.database.rows(_TOKENS)}
        for run, token, until in self.database.rows(_HELD):
            if until > at and alive.get(token):
                live.add(run)
            else:
                due[run] = None
        for sql, args in ((_SLEEPERS, (at,)), (_UNREAD, ())):
            found = self.database.rows(sql, (*args, limit + len(live)))
            due.update((run, None) for (run,) in found if run not in live)
        return list(due)[:limit]

    # ---- documents

    async def put(self, doc: Doc, *, if_absent: bool = False) -> bool:
        sql, row = _PUT_IF_ABSENT if if_absent else _PUT, _doc_row(doc)
        return await self.database.write(lambda c: c.execute(sql, row).rowcount > 0)

    async def doc(self, kind: str, doc_id: str) -> Doc | None:
        found = self.database.row(f"SELECT {_DOC} FROM docs WHERE kind=? AND id=?", (kind, doc_id))
        return self._doc(found) if found else None

    async def docs(self, kind: str, scope: str, *, limit: int | None = None) -> Sequence[Doc]:
        sql = f"SELECT {_DOC} FROM docs WHERE kind=? AND scope=? ORDER BY at, place LIMIT ?"
        return [self._doc(row) for row in self.database.rows(sql, (kind, scope, -1 if limit is None else limit))]

    async def drop(self, kind: str, doc_id: str) -> None:
        await self.database.write(lambda c: c.execute("DELETE FROM docs WHERE kind=? AND id=?", (kind, doc_id)).rowcount)

    # ---- reading

    def _lease(self, run: str, held: Sequence[Any]) -> Lease | None:
        """A dead process's lease is `ENDED` with its holder."""
        holder, number, token, until = held
        if holder is None:
            return None
        return Lease(run=run, holder=holder, number=number, until=moment(until) if self._lives(token) else ENDED)

    def _message(self, run: str, message: str, body: bytes) -> AnyMessage:
        return self._read(body, AnyMessage, f"message {message!r} of run {run!r}")

    def _lives(self, token: str) -> bool:
        return self.database.alive.lives(token)

    def _number(self, run: str) -> int:
        """The run's number here; never called inside a write, whose runs may still come to nothing."""
        number = self._kept[run][0] if run in self._kept else self._numbers.get(run)
        if number is None:
            found = self.database.row("SELECT n FROM runs WHERE id=?", (run,))
            if found is None:
                raise NotFound(f"no run {run!r}")
            if len(self._numbers) >= NUMBERS_KEPT:
                self._numbers.clear()
            number = self._numbers[run] = found[0]
        return number

    def _entries(self, run: str, n: int, *, after: int, limit: int | None = None) -> list[Entry]:
        found = self.database.rows(
            "SELECT key, body FROM journal WHERE key>? AND key<? ORDER BY key LIMIT ?",
            (_key(n, max(after, 0)), _key(n + 1, 0), -1 if limit is None else limit),
        )
        return [self._entry(run, key, body) for key, body in found]

    def _entry(self, run: str, key: int, body: bytes) -> Entry:
        where = self._where(f"journal entry {key & MAX_SEQ} of run {run!r}")
        return read_entry(unpacked(body, where=where), where=where)

    def _current(self, run: str) -> _Kept:
        """The run as of its last entry: what was kept, if that is still this run, and what is new since; else all of it."""
        if kept := self._kept.get(run):
            n, now, whole = kept
            found = self.database.rows(_SINCE, (now.seq, run))
            if found and found[0][0] == n:
                new = tuple(self._entry(run, key, body) for _, key, body in found if key is not None)
                return n, reduce(fold, new, now), whole and whole + new
        row = self.database.row("SELECT n, body FROM runs LEFT JOIN summaries USING (n) WHERE id=?", (run,))
        if row is None:
            raise NotFound(f"no run {run!r}")
        n, summary = row
        now, entries = self._folded(run, n, summary)
        return n, now, tuple(entries) if summary is None else None

    def _keep(self, run: str, kept: _Kept) -> None:
        self._kept.pop(run, None)
        if len(self._kept) >= RUNS_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[run] = kept

    def _folded(self, run: str, n: int, summary: bytes | None) -> tuple[Run, list[Entry]]:
        """The run as of its last entry, and the entries that were folded: what its summary lacks, or all there is."""
        now = None if summary is None else self._summary(run, summary)
        entries = self._entries(run, n, after=now.seq if now else 0)
        if now is None and not entries:
            raise Corrupt(f"{self._where(f'run {run!r}')} has no first entry")
        for entry in entries:
            now = fold(now, entry) if now else born(entry)
        assert now
        return now, entries

    def _summary(self, run: str, body: bytes) -> Run:
        where = self._where(f"the summary of run {run!r}")
        return read_run(unpacked(body, where=where), where=where)

    def _listed(self, run: str, n: int, body: bytes | None) -> Run | None:
        try:
            return self._folded(run, n, None)[0] if body is None else self._summary(run, body)
        except Corrupt:
            return None

    def _written_at(self, n: int, run: Run) -> datetime | None:
        """When the newest entry was; None if it cannot be read."""
        newest = self.database.rows(_NEWEST, (_key(n, 0), _key(n + 1, 0)))
        try:
            return self._entry(run.id, *newest[0]).at
        except (Corrupt, IndexError):
            return None

    def _doc(self, row: Row) -> Doc:
        kind, doc_id, scope, at, body = row
        read = self._read(body, Any, f"document {doc_id!r} of kind {kind!r}")
        return Doc(kind=kind, id=doc_id, scope=scope, at=moment(at), body=read)

    def _read(self, body: bytes, shape: Any, what: str) -> Any:
        return from_json(body, shape, where=self._where(what))

    def _where(self, what: str) -> str:
        return f"{what} in {self._file!r}"

    # ---- writing, inside a transaction

    def _append(self, c: sqlite3.Connection, n: int, run: str, entry: Entry, body: bytes) -> bool:
        """The entry is the journal's; False if it was already. The unique key is the lock (L1)."""
        try:
            appended = c.execute(_APPEND, (_key(n, entry.seq), body, n)).rowcount
        except sqlite3.IntegrityError as error:
            if self._is_repeat(c, n, run, entry):
                return False
            raise Conflict(f"run {run!r} has an entry {entry.seq} already: another slice was first") from error
        if not appended:
            raise Conflict(f"run {run!r} was erased")
        return True

    def _is_repeat(self, c: sqlite3.Connection, n: int, run: str, entry: Entry) -> bool:
        key = _key(n, entry.seq)
        found = c.execute("SELECT body FROM journal WHERE key=?", (key,)).fetchone()
        return found is not None and self._entry(run, key, found[0]).commit == entry.commit


MAX_SEQ = (1 << SEQ_BITS) - 1

_ENDED = "status IN ('completed', 'failed', 'cancelled')"
_NOBODY = "holder=NULL, token=NULL, until=NULL"
_APPEND = "INSERT INTO journal SELECT ?, ? WHERE EXISTS (SELECT 1 FROM runs WHERE n=?)"
_LEAVE = f"UPDATE runs SET status=?, wake_at=?, {_NOBODY} WHERE n=?"
_STATUS = "UPDATE runs SET status=?, wake_at=iif(?, NULL, wake_at) WHERE n=? AND status<>?"

_TOKENS = "SELECT DISTINCT token FROM runs WHERE holder IS NOT NULL"
_HELD = f"SELECT id, token, until FROM runs WHERE holder IS NOT NULL AND NOT {_ENDED}"
_SLEEPERS = f"SELECT id FROM runs WHERE wake_at<=? AND NOT {_ENDED} ORDER BY wake_at LIMIT ?"
_UNREAD = f"""SELECT id FROM runs WHERE NOT {_ENDED} AND n IN (SELECT n FROM inbox WHERE body IS NOT NULL) LIMIT ?"""

_TAKE = "UPDATE runs SET number=number+1, holder=?, token=?, until=? WHERE n=? RETURNING number"
_TAKE_FREE = f"{_TAKE.replace(' RETURNING', ' AND (token IS NULL OR until<=?) RETURNING')}"

_INBOX = """SELECT i.id, i.body FROM inbox i JOIN runs r USING (n) WHERE r.id=? AND i.body IS NOT NULL
    ORDER BY i.place LIMIT ?"""
_STANDING = """SELECT i.id, i.body, holder, number, token, until FROM runs r
    LEFT JOIN inbox i ON i.n=r.n AND i.body IS NOT NULL WHERE r.id=? LIMIT 1"""
_LEFT = "SELECT id FROM inbox WHERE n=? AND body IS NOT NULL LIMIT 1"
_NEWEST = "SELECT key, body FROM journal WHERE key>? AND key<? ORDER BY key DESC LIMIT 1"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE owner=? AND parent IS NULL AND status IN ({}) LIMIT ?)"
_PLACE = "1 + ifnull((SELECT max(place) FROM inbox i WHERE i.n=runs.n AND body IS NOT NULL), 0)"
_DELIVER = f"INSERT INTO inbox SELECT n, ?, {_PLACE}, ? FROM runs WHERE id=? AND NOT (? AND {_ENDED}) ON CONFLICT DO NOTHING"
_CONSUMED = "SELECT 1 FROM inbox WHERE n=? AND id=? AND body IS NULL"

_SINCE = f"""SELECT r.n, j.key, j.body FROM runs r
    LEFT JOIN journal j ON j.key > (r.n << {SEQ_BITS} | ?) AND j.key < (r.n + 1 << {SEQ_BITS}) WHERE r.id=? ORDER BY j.key"""

_DOC = "kind, id, scope, at, body"
_PUT_IF_ABSENT = f"INSERT INTO docs ({_DOC}) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"
_PUT = f"""INSERT INTO docs ({_DOC}) VALUES (?,?,?,?,?)
    ON CONFLICT DO UPDATE SET scope=excluded.scope, at=excluded.at, body=excluded.body"""


def _key(n: int, seq: int) -> int:
    return n << SEQ_BITS | min(seq, MAX_SEQ)


def _born_row(newborn: Newborn) -> _Born:
    run = newborn.run
    wake_at = None if newborn.wake_at is None or run.terminal else micros(newborn.wake_at)
    parent = run.parent.run if run.parent else None
    return (run.id, run.owner, parent, run.status, wake_at), settled(to_json(newborn.entry))


def _insert_runs(c: sqlite3.Connection, newborn: Sequence[_Born]) -> int:
    """The runs exist, with their first entries; the first one's number."""
    first = ((c.execute("SELECT max(key) FROM journal").fetchone()[0] or 0) >> SEQ_BITS) + 1
    try:
        c.executemany(
            "INSERT INTO runs (n, id, owner, parent, status, wake_at) VALUES (?,?,?,?,?,?)",
            [(n, *row) for n, (row, _) in enumerate(newborn, first)],
        )
    except sqlite3.IntegrityError as error:
        raise Conflict(f"one of the runs {', '.join(row[0] for row, _ in newborn)} exists already") from error
    c.executemany("INSERT INTO journal VALUES (?,?)", [(_key(n, 1), entry) for n, (_, entry) in enumerate(newborn, first)])
    return first


def _deliver(c: sqlite3.Connection, run: str, message: str, said: bytes, *, heard: bool = False) -> bool:
    """The message is in the run's inbox; False if its id was there before, consumed or not. `heard` as in `send`."""
    if c.execute(_DELIVER, (message, said, run, heard)).rowcount > 0:
        return True
    found = c.execute("SELECT n, status FROM runs WHERE id=?", (run,)).fetchone()
    if found is None:
        raise NotFound(f"no run {run!r} to send message {message!r} to")
    n, status = found
    if heard and status in TERMINAL and not c.execute(_CONSUMED, (n, message)).fetchone():
        raise too_late(run, status)
    return False


def _doc_row(doc: Doc) -> Row:
    return (doc.kind, doc.id, doc.scope, micros(doc.at), to_json(doc.body))


def _cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= LONGEST_NUMBER):
        raise Invalid("cursor", cursor, "must be the `next` of an earlier page")
    return int(cursor)
