"""What is remembered of a watched page beside the run's files, and what of it another run takes over."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from msgspec.structs import replace

from auteryn.schema.record import Record

KIND = "monitor"
"""Of the documents of watched pages; their scope is the tree, `<root>/<page>` their id."""


class Look(Record):
    """What a page was at one moment."""

    id: str
    at: datetime
    sha256: str
    """Of the words that count."""
    text: str
    """File with them."""
    picture: str = ""
    """File; taken when the words had changed."""


class Watched(Record):
    """One page under watch."""

    url: str
    selector: str | None = None
    ignore: list[str] = []
    dates: bool = False
    etag: str = ""
    modified: str = ""
    looks: tuple[Look, ...] = ()
    count: int = 0
    start: datetime | None = None
    """Of the grid of a watch."""
    index: int = -1
    """Grid point of the last look."""
    reported: str = ""
    """Call that was told of the change seen at `index`, if there was one."""
    changes: int = 0


def taken_over(watched: Watched, until: datetime | None) -> Watched | None:
    """The page as another run takes it over: the looks made by then (of all time without `until`), the time of a watch not yet
    begun. None if there was no look by then."""
    looks = tuple(look for look in watched.looks if until is None or look.at <= until)
    if not looks:
        return None
    later = watched.looks[len(looks) :]
    changes = sum(one.sha256 != next_one.sha256 for one, next_one in pairwise((looks[-1], *later)))
    found = replace(watched, looks=looks, count=watched.count - len(later), changes=watched.changes - changes)
    found = replace(found, start=None, index=-1, reported="")
    return replace(found, etag="", modified="") if later else found
