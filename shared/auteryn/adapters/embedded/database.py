"""The one SQLite file of a home folder: one connection a process, one transaction and one fsync an event-loop tick.

The connection is used on the event loop's own thread: a commit takes less time than a hop to another thread. What other
writers of the same tick want to store joins the same transaction (group commit).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from msgspec import Struct

from auteryn.adapters.embedded.alive import Alive
from auteryn.adapters.embedded.elsewhere import Elsewhere
from auteryn.adapters.embedded.faults import from_sqlite, is_busy
from auteryn.adapters.embedded.folders import make_folder
from auteryn.adapters.embedded.tables import MIGRATIONS, PAGE_BYTES
from auteryn.errors import AuterynError, Corrupt, Unavailable
from auteryn.schema.record import no_text

T = TypeVar("T")
Row = tuple[Any, ...]
Apply = Callable[[sqlite3.Connection], T]
"""One write, run inside a transaction. It may be run again from the start, so it changes nothing but the database."""

Synchronous = Literal["full", "normal", "off"]
"""`full` survives a power cut. `normal` survives kill -9, but a power cut may take the last commits. `off` is for measuring."""

FOLD_COMMITS = 64
"""After so many commits the write-ahead log is folded into the file and begins anew: what overwrites is a fifth quicker to make
safe than what appends. Counted in commits, because each gains that much whatever its size, and folding costs three or four."""

LONGEST_LOG = 4_000_000
"""Bytes at which it is folded in any case: larger writes fewer bytes in all, and takes more room."""

CACHE_BYTES = 8_192_000
"""Most memory for pages. SQLite's 2 MB are too few for a commit of a thousand children: it then writes pages twice."""

LAZY_SECONDS = 0.05
"""Longest wait of a posted write for company."""

SAFE_SECONDS = 0.002
"""Longest wait of `safe` for a commit that waits for the disk: what was written just now may bring one about, such as a message
its run's next step."""

RETRY_SECONDS = 0.002
"""Between two looks at a lock that another process holds: a few commits' time."""


class _Pending(Struct, eq=False):
    apply: Apply[Any]
    lasting: bool
    then: Callable[[], None] | None = None
    settled: bool = False
    outcome: Any = None
    error: Exception | None = None
    later: asyncio.Future[None] | None = None
    """Where the writer waits while another process is writing."""


class Database:
    """This process's hold on a home folder: `auteryn.db`, opened and at today's schema, its sign of life, and its ear."""

    def __init__(self, home: Path, *, synchronous: Synchronous = "full", patience: timedelta = timedelta(seconds=10)) -> None:
        self.home, self.file = home, home / "auteryn.db"
        self._patience_s = patience.total_seconds()
        self._pending: list[_Pending] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lazy: asyncio.TimerHandle | None = None
        """Flushes what was posted, if nobody writes before."""
        self._unsafe: list[_Pending] = []
        """Who waits for the next commit that waits for the disk."""
        self._held_up = False
        """Another process is writing: what is pending is tried again in a moment."""
        self._give_up_at: float | None = None
        self._synchronous, self._lasting = synchronous, True
        self._commits = 0
        """Since the log was last told to be folded."""
        self.connection = self._open(synchronous)
        self.alive = Alive(home)
        self.elsewhere = Elsewhere(home, self.alive.token, self._version)

    async def write(self, apply: Apply[T], *, lasting: bool = True) -> T:
        """Run `apply` in the next flush; back when it is safe. What it raises is raised here and harms no other write.
        Whoever is cancelled meanwhile is not told, and it is written all the same.

        Not `lasting`: a power cut may take it, unless something that lasts was written after it. kill -9 takes nothing.
        """
        pending = self._enlist(_Pending(apply, lasting))
        try:
            await asyncio.sleep(0)  # whoever writes in this tick joins, and the first to go on writes for all of them
        finally:  # cancelled, too
            if not pending.settled and not self._held_up:
                self._flush()
        if not pending.settled:  # held up: the next try settles it
            pending.later = self._loop_now().create_future()
            await pending.later
        if pending.error is not None:
            raise pending.error
        return pending.outcome

    def post(self, apply: Apply[Any], *, then: Callable[[], None] | None = None) -> None:
        """Run `apply` with whoever writes next, at most `LAZY_SECONDS` later, and `then` once it is stored.

        For what may be lost: nobody waits for it.
        """
        self._enlist(_Pending(apply, False, then))
        if self._lazy is None:
            self._lazy = self._loop_now().call_later(LAZY_SECONDS, self._flush)

    async def safe(self) -> None:
        """Back when a power cut takes nothing any more of what was written before: the next commit that waits for the disk
        covers it; if there is none for `SAFE_SECONDS`, one is made."""
        if self._synchronous != "full":
            return
        loop = self._loop_now()
        if not self._unsafe:
            loop.call_later(SAFE_SECONDS, self._make_safe)
        covered = loop.create_future()
        pending = _Pending(_touch, True, later=covered)
        self._unsafe.append(pending)
        await covered
        if pending.error is not None:
            raise pending.error

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """What a query finds; sees every confirmed write of every process."""
        give_up_at = 0.0
        while True:
            try:
                return self.connection.execute(sql, args).fetchall()
            except UnicodeEncodeError as error:
                raise no_text(error) from None
            except sqlite3.Error as error:
                give_up_at = give_up_at or time.monotonic() + self._patience_s
                if not is_busy(error) or time.monotonic() > give_up_at:
                    raise self._fault(error) from error
                time.sleep(RETRY_SECONDS)  # readers wait for one thing only: a first opener who replays the log, milliseconds

    def row(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        """The first row of `rows`."""
        found = self.rows(sql, args)
        return found[0] if found else None

    def close(self) -> None:
        """Store what is pending and let go of the folder; whatever this process held is free at once."""
        if self._loop and not self._loop.is_closed():
            self._make_safe()
        for pending in self._pending:
            self._settle(pending, error=Unavailable(f"{str(self.file)!r} was closed"))
        self._pending = []
        self.elsewhere.close()
        self.connection.close()
        self.alive.close()

    def abandon(self) -> None:
        """Let go of the folder the way a killed process does: what is pending is lost, what was confirmed stays."""
        self._pending, self._unsafe = [], []
        self.close()

    # ---- the flush

    def _enlist(self, pending: _Pending) -> _Pending:
        self._loop_now()
        self._pending.append(pending)
        return pending

    def _loop_now(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # nobody waits any more for what an ended loop left behind
            self._loop, self._lazy, self._held_up, self._pending, self._unsafe = loop, None, False, [], []
        return loop

    def _try_again(self) -> None:
        self._held_up = False
        self._flush()

    def _flush(self) -> None:
        """Everything pending becomes true together, or fails together, except for writes that fail by themselves."""
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        if not self._pending:  # whoever waited to be safe was let go with another's commit
            return
        outcomes = None
        while self._pending and outcomes is None:
            batch, self._pending = self._pending, []
            lasting = any(pending.lasting for pending in batch)
            if lasting:
                batch, self._unsafe = [*batch, *self._unsafe], []
            try:
                self._sync(lasting)
                if not self._begin(batch):
                    return
                outcomes = self._apply(batch)
                if outcomes is not None:
                    self.connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback()
                for pending in batch:
                    self._settle(pending, error=self._fault(error), cause=error)
                return
        for pending, outcome in outcomes or ():
            self._settle(pending, outcome)
        self._commits += 1
        if self._commits >= FOLD_COMMITS and self._loop:
            self._commits = 0
            self._loop.call_soon(self._fold)  # whoever waits for this commit goes on first

    def _make_safe(self) -> None:
        self._pending, self._unsafe = [*self._pending, *self._unsafe], []
        self._flush()

    def _fold(self) -> None:
        """Copy the log into the file, as far as other processes' readers allow, so that the next commit begins it anew."""
        with contextlib.suppress(sqlite3.Error):  # nothing is lost by it; if the disk is ill, the next commit says so
            self.connection.execute("PRAGMA wal_checkpoint")

    def _sync(self, lasting: bool) -> None:
        """Whether the next COMMIT waits for the disk. The log is written in order: what it waits for covers all before it."""
        if self._lasting != lasting and self._synchronous == "full":
            self.connection.execute(f"PRAGMA synchronous = {'full' if lasting else 'normal'}")
        self._lasting = lasting

    def _begin(self, batch: list[_Pending]) -> bool:
        """False: another process is writing; the batch is pending again and the loop is free meanwhile."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            now = time.monotonic()
            self._give_up_at = self._give_up_at or now + self._patience_s
            if not is_busy(error) or now > self._give_up_at:
                self._give_up_at = None
                raise
            self._pending = batch
            if not self._held_up and self._loop:
                self._held_up = True
                self._loop.call_later(RETRY_SECONDS, self._try_again)
            return False
        self._give_up_at = None
        return True

    def _apply(self, batch: list[_Pending]) -> list[tuple[_Pending, Any]] | None:
        """What each write returned, the refused ones left out. None: one stopped half way, and the rest is pending again."""
        outcomes: list[tuple[_Pending, Any]] = []
        for index, pending in enumerate(batch):
            before = self.connection.total_changes
            try:
                outcomes.append((pending, pending.apply(self.connection)))
            except sqlite3.OperationalError:
                raise  # the disk, the lock: no other write would do better
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this write is told to its writer alone
                if isinstance(error, sqlite3.Error):
                    self._settle(pending, error=self._fault(error), cause=error)
                else:
                    self._settle(pending, error=error, cause=error.__cause__)
                if self.connection.total_changes != before:
                    self._rollback()
                    self._pending = [*(kept for kept, _ in outcomes), *batch[index + 1 :]]
                    return None
        return outcomes

    def _rollback(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # closed, or beyond help: the next BEGIN says so
            if self.connection.in_transaction:  # SQLite itself may have rolled back already
                self.connection.execute("ROLLBACK")

    def _settle(
        self, pending: _Pending, outcome: Any = None, *, error: Exception | None = None, cause: BaseException | None = None
    ) -> None:
        if pending.settled:
            return
        if error is not None:
            error.__cause__ = cause
        pending.settled, pending.outcome, pending.error = True, outcome, error
        if pending.later is not None and not pending.later.done():
            pending.later.set_result(None)
        if pending.then is not None and error is None and self._loop is not None:
            self._loop.call_soon(pending.then)

    def _fault(self, error: sqlite3.Error) -> AuterynError:
        return from_sqlite(error, self.file)

    def _version(self) -> int:
        """Differs from last time when another connection has committed since."""
        return self.rows("PRAGMA data_version")[0][0]

    # ---- opening

    def _open(self, synchronous: Synchronous) -> sqlite3.Connection:
        make_folder(self.home)
        give_up_at = time.monotonic() + self._patience_s
        while True:
            connection = None
            try:
                connection = sqlite3.connect(self.file, timeout=self._patience_s, isolation_level=None, check_same_thread=False)
                self._prepare(connection, synchronous)
                return connection
            except BaseException as error:
                if connection:
                    connection.close()
                if not isinstance(error, sqlite3.Error):
                    raise
                if not is_busy(error) or time.monotonic() > give_up_at:
                    raise self._fault(error) from error
            time.sleep(RETRY_SECONDS)  # two first openers: the change to WAL is refused at once, whatever the timeout says

    def _prepare(self, connection: sqlite3.Connection, synchronous: Synchronous) -> None:
        for pragma in (
            f"page_size = {PAGE_BYTES}",
            "journal_mode = WAL",
            f"synchronous = {synchronous}",
            "fullfsync = on",  # on macOS a plain fsync leaves the data in the drive's own cache; elsewhere it means nothing
            f"wal_autocheckpoint = {LONGEST_LOG // PAGE_BYTES}",
            f"journal_size_limit = {2 * LONGEST_LOG}",
            f"cache_size = -{CACHE_BYTES // 1024}",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if _user_version(connection) != len(MIGRATIONS):
            self._migrate(connection)
        connection.execute("PRAGMA busy_timeout = 0")  # from here on waiting is the event loop's business

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        version = _user_version(connection)
        if version > len(MIGRATIONS):
            raise Corrupt(
                f"{str(self.file)!r} was written by a newer release (tables {version}, this one knows {len(MIGRATIONS)}):"
                f" upgrade auteryn first"
            )
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")


def _touch(connection: sqlite3.Connection) -> None:
    """Write something that says nothing: a transaction without any write does not wait for the disk."""
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _user_version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(micros_since_1970: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros_since_1970)
