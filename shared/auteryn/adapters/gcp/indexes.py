"""What the store's queries need of the database. Production refuses a query without its index; the emulator does not.

A query with several equalities and one order is answered by merging indexes of one equality each.
"""

from __future__ import annotations

COMPOSITE: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("runs", (("owner", "ASCENDING"), ("created_at", "DESCENDING"))),
    ("runs", (("status", "ASCENDING"), ("created_at", "DESCENDING"))),
    ("runs", (("parent", "ASCENDING"), ("created_at", "DESCENDING"))),
    ("docs", (("kind", "ASCENDING"), ("at", "ASCENDING"), ("written", "ASCENDING"))),
    ("docs", (("scope", "ASCENDING"), ("at", "ASCENDING"), ("written", "ASCENDING"))),
)
"""Collection and fields, scope COLLECTION."""

ACROSS_RUNS: tuple[tuple[str, str], ...] = (("lease", "due_at"), ("inbox", "state"))
"""Collection and field: a single-field index, ascending, of scope COLLECTION_GROUP. It exists only where it is asked for."""

UNINDEXED: tuple[tuple[str, str], ...] = (
    ("runs", "body"),
    ("journal", "body"),
    ("journal", "commit"),
    ("inbox", "bodies"),
    ("inbox", "by"),
    ("inbox", "place"),
    ("docs", "body"),
    ("docs", "by"),
    ("docs", "at"),
    ("docs", "written"),
    ("lease", "by"),
    ("lease", "holder"),
    ("lease", "number"),
    ("lease", "until"),
    ("lease", "wake_at"),
    ("lease", "ended"),
)
"""Collection and field without the index every field gets by itself: bodies because of their size, times because an index
that only ever grows at one end takes 500 writes a second, the others because nobody asks."""
