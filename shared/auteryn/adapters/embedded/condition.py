"""How a home folder is: for `auteryn doctor`."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from auteryn.adapters.embedded.store import SqliteStore
from auteryn.errors import Corrupt
from auteryn.schema.record import Record


class Condition(Record):
    """What a look at the whole home found."""

    sqlite: str
    journal_mode: str
    runs: int
    size_bytes: int
    """Of the database with its journal."""
    due: int
    """Runs that want a slice and have none: work that goes on when a process opens the home."""
    unreadable: tuple[str, ...]
    """One message a run that cannot be read."""


async def condition(store: SqliteStore, now: datetime) -> Condition:
    """Read every run once; what cannot be read is named, nothing is changed."""
    database, unreadable = store.database, list[str]()
    names = [row[0] for row in database.rows("SELECT id FROM runs ORDER BY n")]
    for name in names:
        try:
            await store.get(name)
        except Corrupt as error:
            unreadable.append(str(error))
    return Condition(
        sqlite=sqlite3.sqlite_version,
        journal_mode=database.rows("PRAGMA journal_mode")[0][0],
        runs=len(names),
        size_bytes=sum(_size(database.file.with_name(database.file.name + tail)) for tail in ("", "-wal")),
        due=len(await store.due(now, limit=10_000)),
        unreadable=tuple(unreadable),
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
