"""The tables, as numbered migrations: `user_version` says how many of them a file has seen."""

from __future__ import annotations

PAGE_BYTES = 1024
"""A commit rewrites whole pages. For entries of 1 to 2 kB, measured: 18 to 21 kB written a turn (24 to 25 with 2 kB pages, 24
to 40 with 4 kB pages) and 1.1 to 1.4 times the payload kept (1.1 to 1.8, 1.1 to 2.0), for the same time."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Who a run is, whether it is worked on, and when it wants to be. Small rows: this is what is scanned.
        # `n` grows with every run: newest first is `n` descending.
        """CREATE TABLE runs (
            n INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            parent TEXT,
            status TEXT NOT NULL,
            wake_at INTEGER,
            number INTEGER NOT NULL DEFAULT 0,
            holder TEXT,
            token TEXT,
            until INTEGER
        )""",
        "CREATE INDEX children ON runs (parent) WHERE parent IS NOT NULL",
        "CREATE INDEX sleepers ON runs (wake_at) WHERE wake_at IS NOT NULL",
        "CREATE INDEX held ON runs (holder) WHERE holder IS NOT NULL",
        # key = n << 24 | seq: a run's entries lie side by side, and a running run's next one is put at its end.
        "CREATE TABLE journal (key INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        # Only runs whose summary was written since their first entry, which holds it too.
        "CREATE TABLE summaries (n INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        # body NULL = consumed: the id stays, so that it is never accepted again.
        """CREATE TABLE inbox (
            n INTEGER NOT NULL,
            id TEXT NOT NULL,
            place INTEGER NOT NULL,
            body BLOB,
            PRIMARY KEY (n, id)
        ) WITHOUT ROWID""",
        "CREATE INDEX unread ON inbox (n, place) WHERE body IS NOT NULL",
        # Idempotency keys.
        """CREATE TABLE keys (
            owner TEXT NOT NULL,
            key TEXT NOT NULL,
            n INTEGER NOT NULL,
            PRIMARY KEY (owner, key)
        ) WITHOUT ROWID""",
        """CREATE TABLE docs (
            place INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            scope TEXT NOT NULL,
            at INTEGER NOT NULL,
            body BLOB NOT NULL,
            UNIQUE (kind, id)
        )""",
        "CREATE INDEX shelves ON docs (kind, scope, at)",
        # at: the earliest wake nobody has claimed yet. claimed_until: when the one under way is delivered again.
        """CREATE TABLE wakes (
            run TEXT PRIMARY KEY,
            at INTEGER,
            claimed_until INTEGER,
            token TEXT,
            claims INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
        "CREATE INDEX next_wake ON wakes (min(ifnull(at, claimed_until), ifnull(claimed_until, at)))",
    ),
)
