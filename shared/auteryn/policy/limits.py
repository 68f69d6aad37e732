"""Numbers that bound a run, each with its reason."""

from __future__ import annotations

from datetime import datetime, timedelta

from auteryn.schema.run import Run

OUTPUT_CAP = 8_000
"""Characters of a tool's output the model sees; the whole goes to a file (big results fill the context)."""
OUTPUT_HEAD = 5_000
OUTPUT_TAIL = 2_000

COMPACT_AT_TOKENS = 160_000
"""Before 200,000 prompt tokens, where every model's price doubles, with room for one large turn."""
KEEP_TOKENS = 40_000
"""What stays verbatim at the end of a compacted conversation."""
PICTURES = 16
"""Shown to the model in one request, the newest; each costs about 1,000 tokens."""
PICTURE_BYTES = 12 << 20
"""Of all pictures in one request: base64 adds a third, and a request with its pictures may have 20 MB."""

CHARS_PER_TOKEN = 4

REQUESTS_PER_ANSWER = 5
"""The first and its repeats."""
RESERVE_CHUNK = 16
"""Model calls reserved in one commit; the one that uses up the last of them reserves again."""

LEASE = timedelta(seconds=60)
HEARTBEAT = timedelta(seconds=20)
"""A third of the lease: two beats may be lost."""
INBOX_LOOK = timedelta(seconds=2)
"""Between two unprompted looks into the inbox: a cancel is seen well inside its 5 s."""

LAST_CALLS = timedelta(seconds=6)
"""For the calls under way when the process is told to stop: Cloud Run kills 10 s after SIGTERM, and a commit must fit in."""

MOST_STARTS_WITHOUT_PROGRESS = 10
"""Slices in a row that began and committed nothing, before a run counts as poison. Three in a row happen to healthy runs, too:
somebody uses `kill -9`, a host restarts in a loop, a machine is out of memory."""

CONCLUDE = timedelta(minutes=15)
"""After the deadline a run may still conclude this long; then it is ended with what it has."""

TOOL_RETRIES = 3
UNREADABLE_ANSWERS = 4
"""Malformed or empty answers in a row before the run ends."""
REFUSED_SIGNATURES = 5
"""Answers in a row whose signatures the model refuses one request later, before the run ends: they are lost on the way."""
CUT_OFFS = 20
"""Answers in a row that ended at the output limit, before the text so far counts as the answer."""

OUTAGE_WAITS = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=10))
"""How long a run sleeps after the n-th time in a row that the model could not be reached."""

LEAST_OUTPUT, MOST_OUTPUT = 256, 20_000
"""Tokens of the last answer within a budget: fewer would say nothing, and no thinking and text need more."""

DELIVERABLE_REMINDERS = 2
CHILDREN_PER_COMMIT = 250
NOTIFICATIONS_PER_HOUR = 120
"""Of one run to its owner: two a minute is news, more is a loop."""
KEPT_FOR_CONCLUSION = 2
"""Model calls a run never gives away to its steps."""


def conclude_window(lifetime: timedelta) -> timedelta:
    """How long a run of this `max_duration` may conclude after its deadline."""
    return min(CONCLUDE, lifetime / 10)


def last_moment(run: Run) -> datetime:
    """From this moment on the run only ends, whatever it waits for."""
    return run.deadline_at + conclude_window(run.deadline_at - run.created_at)
