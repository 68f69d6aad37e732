"""The built-in tools' schemas, built beforehand: reading 65 signatures costs a cold start 25 ms, reading this file one.

`python -m auteryn.tools.schemas` writes `schemas.json` anew; a test says when it must be.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from auteryn.schema.record import Record, from_json, to_json

FILE = Path(__file__).with_name("schemas.json")
_OURS = "auteryn.tools."


class Shipped(Record):
    signature: int
    """Checksum of the annotations and defaults it was built from: after a change the entry is passed over."""
    takes_context: bool
    schema: dict[str, Any]


def shipped(fn: Callable[..., Any]) -> Shipped | None:
    """What the package knows of a built-in tool's function; None for all others."""
    if not fn.__module__.startswith(_OURS):
        return None
    known = _all().get(_name(fn))
    return known if known and known.signature == _checksum(fn) else None


def built() -> bytes:
    """The file as it should be."""
    from auteryn.tools.builtin import builtin_tools
    from auteryn.tools.signature import shape_of

    entries = dict[str, Shipped]()
    for fn in sorted((one.fn for one in builtin_tools()), key=_name):
        shape = shape_of(fn)
        entries[_name(fn)] = Shipped(signature=_checksum(fn), takes_context=shape.takes_context, schema=shape.schema)
    return b"{\n" + b",\n".join(to_json(name) + b":" + to_json(entry) for name, entry in entries.items()) + b"\n}\n"


@cache
def _all() -> dict[str, Shipped]:
    return from_json(FILE.read_bytes(), dict[str, Shipped], where=str(FILE)) if FILE.exists() else {}


def _name(fn: Callable[..., Any]) -> str:
    return f"{fn.__module__.removeprefix(_OURS)}.{fn.__qualname__}"


def _checksum(fn: Callable[..., Any]) -> int:
    return zlib.crc32(repr((fn.__annotations__, fn.__defaults__, fn.__kwdefaults__)).encode())


if __name__ == "__main__":
    FILE.write_bytes(built())
