"""Names of documents, cursors of listings, and times as everybody else writes them."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import msgspec

from auteryn.errors import Invalid

LONGEST_NAME = 1_400
"""Bytes; Firestore takes 1,500."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def name_of(text: str) -> str:
    """A document's name for any text: the text itself if it may be one, which ids made by `new_id` may."""
    name = quote(text, safe="@:+=,")
    return name if _is_name(name) else f"~{hashlib.sha256(text.encode()).hexdigest()}"


def _is_name(text: str) -> bool:
    reserved = text in ("", ".", "..") or text.startswith("__") or "/" in text
    return text.isascii() and not reserved and len(text) <= LONGEST_NAME


def plain(moment: datetime) -> datetime:
    """Without the nanoseconds that Firestore's own kind of time carries."""
    return _EPOCH + (moment - _EPOCH)


def cursor_of(created_at: datetime, name: str) -> str:
    """Where a page of runs ends, as an opaque word."""
    place = msgspec.json.encode([(created_at - _EPOCH) // timedelta(microseconds=1), name])
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def position_of(cursor: str) -> tuple[datetime, str]:
    """What `cursor_of` was given; raises `Invalid`."""
    try:
        micros, name = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=tuple[int, str])
        moment = _EPOCH + timedelta(microseconds=micros)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise Invalid("cursor", cursor, "must be the `next` of an earlier page") from error
    if not _is_name(name):
        raise Invalid("cursor", cursor, "must be the `next` of an earlier page")
    return moment, name


_last_written = 0


def next_written() -> int:
    """Greater than the last one of this process, and by the clock of other processes' earlier ones."""
    global _last_written
    _last_written = max(_last_written + 1, time.time_ns())
    return _last_written
