"""JSON bodies, made small where they will lie for long: what a run is created with and what it leaves with.

A body is either JSON, which never begins with `x`, or a zlib stream against `WORDS`, which always does. Entries in the middle
of a slice stay JSON: there the microseconds count.
"""

from __future__ import annotations

import zlib

from auteryn.adapters.embedded.tables import PAGE_BYTES
from auteryn.errors import Corrupt

WORDS = (
    b'"tool":"request_approval","wait":{"kind":"until","at":"2026-01-01T00:00:00Z"{"kind":"steps","call":"call_"}'
    b'"summary":{"schedules":[{"id":"sched_","name":"instruction":"start":"every":"PT21600S","until":"next_index":'
    b'"plan":{"id":"plan_","goal":"","steps":[{"id":1,"description":"","depends_on":[1],"status":"completed","run":"run_'
    b'","attempt":1,"result":"},{"id":2,"status":"in_progress"}]"parent":{"run":"run_","root":"run_","kind":"step","key":1,'
    b'"of":"plan_"},"artifacts":[{"id":"art_","path":"title":"sha256":"size_bytes":"media_type":"grants":['
    b'"verdicts":[{"deliverable":"ok":true}]"failure":{"reason":"message":"result":"ended_at":"2026-"labels":{'
    b'{"seq":1,"at":"2026-01-01T00:00:00Z","slice":0,"commit":"commit_","events":[{"kind":"run_created","run":{"id":"run_'
    b'","title":"Research the competitors and write a report with the prices of ","mode":"deep","routing":{"mode":"deep",'
    b'"stage":"forced","stage":"classifier","stage":"pattern","confidence":0.9,"sure":true,"reason":"asks for "},'
    b'"created_at":"2026-01-01T00:00:00Z","deadline_at":"2026-01-08T00:00:00Z","limits":{"llm_calls":5000},'
    b'"owner":"local","status":"waiting","options":{"include_thoughts":true,"deliverables":[{"path":""}],"approve":"auto"},'
    b'"started_at":"2026-01-01T00:00:00Z","waits":[{"kind":"person","ask":"ask_","call":"call_","until":"2026-"}],'
    b'"asks":[{"id":"ask_","run":"run_","message":"May I ","opened_at":"2026-01-01T00:00:00Z","call":"call_",'
    b'"kind":"gate","options":["Yes, proceed","No","Approve","Reject","Show me the records first"],"input_type":"choice",'
    b'"subject":{"tool":"args":{"sha256":"target":""},"expires_at":"2026-","on_timeout":"deny"}],'
    b'"usage":{"llm_calls":1,"tool_calls":1,"tokens":{"prompt":1000,"cached":"output":100,"thoughts":100},'
    b'"credits":{"llm":100,"tools":"storage":},"active_ms":1000},"reserved_calls":1,"seq":2,"slice":1,"turns":1},'
    b'"input":{"text":"","files":["context":"}]},{"kind":"slice_started","slice":1,"host":""},{"kind":"calls_reserved","total":'
    b'{"kind":"model_answered","turn":1,"model":"gemini-","content":{"role":"model","parts":[{"functionCall":{"name":"args":{'
    b'{"kind":"call_suspended","call":"call_","tool":"{"kind":"ask_opened","ask":{"id":"ask_'
    b'{"kind":"left","why":"handed_over","why":"waiting","active_ms":1}]}'
)
"""What such bodies are full of. Never edited: stored streams name it by its checksum. A better one is a second one."""

_STREAM = b"x"
"""How a zlib stream with a 32 kB window begins; JSON never does."""

SHORT_BYTES = 200
"""Shorter bodies stay as they are."""

SPILLS_FROM = PAGE_BYTES - 38
"""Body bytes from which SQLite moves most of a row to pages of its own (row header included, page bytes - 35 stay)."""

AWKWARD_FROM = 800
"""Measured over pairs of sizes: filled up from here on, they keep 1.1 to 1.5 times the payload; left alone up to 2.1 times."""


def packed(body: bytes) -> bytes:
    """Smaller, and readable by `unpacked` for ever; some 10 µs for a kilobyte."""
    if len(body) < SHORT_BYTES:
        return body
    stream = zlib.compressobj(3, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, WORDS)
    return stream.compress(body) + stream.flush()


def settled(body: bytes) -> bytes:
    """A body that nearly fills a page is filled up with spaces until it spills: else the row beside it has no room there, and
    two pages hold what could share one."""
    return body.ljust(SPILLS_FROM) if AWKWARD_FROM <= len(body) < SPILLS_FROM else body


def unpacked(body: bytes, *, where: str) -> bytes:
    """The JSON; raises `Corrupt` naming `where` for a broken stream."""
    if body[:1] != _STREAM:
        return body
    try:
        stream = zlib.decompressobj(zdict=WORDS)
        plain = stream.decompress(body) + stream.flush()
        if not stream.eof:
            raise zlib.error("the stream is cut off")
    except zlib.error as error:
        raise Corrupt(f"{where} cannot be read: {error}") from error
    return plain
