"""Server-sent events as a client reads them: only whole frames count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    id: str
    kind: str
    raw: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.raw)


def frames(raw: bytes) -> list[Frame]:
    """Every event in what has arrived so far; beats, `retry` and an unfinished end are none."""
    whole, _, _ = raw.rpartition(b"\n\n")
    found = list[Frame]()
    for block in whole.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append(Frame(fields["id"], fields["event"], fields["data"]))
    return found


def durable(found: list[Frame]) -> list[Frame]:
    """Without the deltas, which are seen only by whoever looks at that moment."""
    return [one for one in found if not one.data["delta"]]
