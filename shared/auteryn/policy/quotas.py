"""How much a run may leave behind: files, notes, memories, schedules; and what keeping artifacts costs."""

from __future__ import annotations

from datetime import timedelta

MB = 1 << 20

FILE_BYTES = 256 * MB
"""Largest file of a run: what a job with 1 GiB of memory can hash, zip and upload without strain."""
TREE_BYTES = 4 << 30
"""All files of a run and its steps. Cloud Run's disk is memory or a few GiB; a laptop should not fill up unseen."""
READ_BYTES = 64 * MB
"""Largest file that is read into memory as a whole."""
WRITE_CHARACTERS = 2_000_000
"""Longest text one call may write: no model writes more than 64k tokens at once."""

UNPACKED_BYTES = 512 * MB
"""All members of one archive together (a 300 MB bomb fits into 306 kB)."""
UNPACKED_RATIO = 200
"""Most bytes out per byte in, once `RATIO_FREE` bytes came out: text compresses 3 to 20 times."""
RATIO_FREE = 16 * MB
MEMBERS = 10_000

AUTO_DELETES = 20
"""Files deleted in one call without asking a person."""

NOTE_CHARACTERS = 20_000
NOTES = 5_000
"""Of a run and its steps: 700 a day for a week."""
MEMORY_CHARACTERS = 4_000
MEMORIES = 2_000
"""Of an owner; all are ranked in memory at each search."""

SHORTEST_EVERY = timedelta(minutes=1)
SCHEDULES = 10
"""Under way in one run."""
AUTO_TICKS_PER_DAY = 48
"""A schedule that ticks oftener is asked of a person: each tick is a run and pays for model calls."""

STORAGE_CREDITS_PER_MB = 50
"""Thousandths of a credit for keeping an artifact (cloud storage 30 days: 0.00008 US cent a MB and month; rounded up so that
small files are not free for ever)."""
LEAST_STORAGE_CREDITS = 10


def storage_credits(size_bytes: int) -> int:
    """Thousandths of a credit for one published artifact."""
    return max(LEAST_STORAGE_CREDITS, -(-size_bytes * STORAGE_CREDITS_PER_MB // MB))
