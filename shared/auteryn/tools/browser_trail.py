"""What is remembered of a run's browsing between two slices: where it was, what it saw there, what it typed, who it is.

The browser itself dies with its slice. This lies among the engine's own files, where no model reads or writes.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import Corrupt
from auteryn.schema.record import Record, from_json, to_json
from auteryn.tools.browser_elements import Element
from auteryn.tools.workspace import Workspace

DEFAULT = "default"


class Field(Record):
    """Something to type, choose or tick."""

    ref: Annotated[str, Meta(description="Ref in the last snapshot", min_length=2, max_length=20)]
    value: Annotated[
        str | bool | list[str],
        Meta(description="Text; true or false for a box; options of a list; paths of files; a date as 2026-01-31"),
    ] = ""
    credential: Annotated[str, Meta(description="Instead of a value: name of a credential, typed only on its own hosts")] = ""


class Trail(Record):
    url: str = ""
    """Of the page in front; empty if there is none."""
    elements: tuple[Element, ...] = ()
    """What the model was shown last."""
    filled: tuple[Field, ...] = ()
    """What was typed on this page and not sent."""
    profile: str = DEFAULT
    storage: dict[str, Any] = {}
    """Cookies and local storage, by profile."""

    def element(self, ref: str) -> Element | None:
        return next((one for one in self.elements if one.ref == ref), None)


def read_trail(files: Workspace, run: str) -> Trail:
    """What is remembered of this run; nothing, if it cannot be read."""
    raw = files.kept(_name(run))
    if raw is None:
        return Trail()
    try:
        return from_json(raw, Trail, where=_name(run))
    except Corrupt:
        return Trail()


def write_trail(files: Workspace, run: str, trail: Trail) -> None:
    files.keep(_name(run), to_json(trail))


def _name(run: str) -> str:
    return f"browser-{run}.json"
