"""What the built-in tools are, written down beforehand: they are shown to the model before the module of any is imported.

Importing them costs a cold start 40 ms and reading their signatures another 25, reading `catalogue.json` one.
`python -m auteryn.tools.catalogue` writes it anew; a test says when it must be.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from auteryn.schema.record import Record, from_json, to_json

if TYPE_CHECKING:
    from auteryn.tools.tool import Tool

FILE = Path(__file__).with_name("catalogue.json")
_OURS = "auteryn.tools."


class Listed(Record):
    """A built-in tool as the model sees it. Fields that a `Tool` has, too, mean the same there."""

    name: str
    module: str
    """In `auteryn.tools`; the tool is its attribute `name`."""
    description: str
    parameters: dict[str, Any]
    takes_context: bool
    signature: int
    """Checksum of the annotations and defaults `parameters` were built from: after a change they are built anew."""
    modes: tuple[str, ...] = ()
    needs: str = ""
    """Which function of `tools.needs` says why it cannot work here."""

    @property
    def missing(self) -> Callable[[], str | None] | None:
        return getattr(import_module(_OURS + "needs"), self.needs) if self.needs else None

    def tool(self) -> Tool:
        """The tool itself, imported."""
        return replace(getattr(import_module(_OURS + self.module), self.name), modes=self.modes, missing=self.missing)


def listed(*, model_searches: bool = False) -> list[Listed]:
    """All of them, in the order the model sees them. `model_searches`: the model can search the web where nothing else does."""
    return [replace(one, needs="") if model_searches and one.name == "web_search" else one for one in _all().values()]


def shipped(fn: Callable[..., Any]) -> Listed | None:
    """What the package knows of a built-in tool's function; None for all others, and if it has changed since."""
    if not fn.__module__.startswith(_OURS):
        return None
    known = _all().get(fn.__name__)
    return known if known and known.module == _module(fn) and known.signature == _checksum(fn) else None


def built() -> bytes:
    """The file as it should be."""
    from auteryn.tools.builtin import builtin_tools
    from auteryn.tools.signature import shape_of

    entries = list[Listed]()
    for one in builtin_tools():
        shape = shape_of(one.fn)
        entries.append(
            Listed(
                name=one.name,
                module=_module(one.fn),
                description=one.description,
                parameters=shape.schema,
                takes_context=shape.takes_context,
                signature=_checksum(one.fn),
                modes=one.modes,
                needs=getattr(one.missing, "__name__", ""),
            )
        )
    return b"[\n" + b",\n".join(map(to_json, entries)) + b"\n]\n"


@cache
def _all() -> dict[str, Listed]:
    found = from_json(FILE.read_bytes(), list[Listed], where=str(FILE)) if FILE.exists() else []
    return {one.name: one for one in found}


def _module(fn: Callable[..., Any]) -> str:
    return fn.__module__.removeprefix(_OURS)


def _checksum(fn: Callable[..., Any]) -> int:
    return zlib.crc32(repr((fn.__annotations__, fn.__defaults__, fn.__kwdefaults__)).encode())


if __name__ == "__main__":
    FILE.write_bytes(built())
