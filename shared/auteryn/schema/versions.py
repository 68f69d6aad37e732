"""Stored shapes through time (L13). One line a version; what is older is brought up to date when it is read.

1  the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from auteryn.errors import Corrupt
from auteryn.schema.event import Entry
from auteryn.schema.record import from_json
from auteryn.schema.run import VERSION, Run

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

RUN_UPGRADES: dict[int, Upgrade] = {}
"""From a version to the next, on plain JSON."""


def read_run(raw: bytes, *, where: str = "a run") -> Run:
    """The run as today's shape; raises `Corrupt` for what is unreadable or newer than this code."""
    if not RUN_UPGRADES and b'"v":' not in raw:  # version 1 is the default and left out
        return from_json(raw, Run, where=where)
    try:
        body: dict[str, Any] = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise Corrupt(f"{where} cannot be read: {error}") from error
    version = body.get("v", 1)
    if version > VERSION:
        raise Corrupt(
            f"{where} was written by a newer release (shape {version}, this one reads up to {VERSION}): upgrade first"
        )
    while version < VERSION:
        body = RUN_UPGRADES[version](body)
        version += 1
        body["v"] = version
    try:
        return msgspec.convert(body, Run)
    except msgspec.ValidationError as error:
        raise Corrupt(f"{where} cannot be read: {error}") from error


def read_entry(raw: bytes, *, where: str = "a journal entry") -> Entry:
    """The entry as today's shape."""
    return from_json(raw, Entry, where=where)
