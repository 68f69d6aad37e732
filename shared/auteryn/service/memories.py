"""What an owner's runs keep for later ones, for the owner to look through."""

from __future__ import annotations

from datetime import datetime

from auteryn.errors import NotFound
from auteryn.schema.record import Record
from auteryn.service.access import Access
from auteryn.tools.memory import KIND


class Memory(Record):
    """Found by any later run of the owner that looks for it."""

    id: str
    text: str
    tags: tuple[str, ...]
    run: str
    """Who saved it; it may have been erased since then."""
    saved_at: datetime
    foreign: bool
    """The run had read text of others: a run that finds it has, too."""


async def memories(access: Access) -> list[Memory]:
    """Newest first."""
    found = await access.services.store.docs(KIND, access.owner)
    told = [
        Memory(
            id=doc.id,
            text=doc.body["text"],
            tags=tuple(doc.body["tags"]),
            run=doc.body["run"],
            saved_at=doc.at,
            foreign=doc.body.get("foreign", True),
        )
        for doc in found
    ]
    return sorted(told, key=lambda one: one.saved_at, reverse=True)


async def forget(access: Access, memory_id: str) -> None:
    """No later run finds it any more. Raises `NotFound`."""
    doc = await access.services.store.doc(KIND, memory_id)
    if doc is None or doc.scope != access.owner:
        raise NotFound(f"there is no memory {memory_id!r}: `auteryn memories` lists them")
    await access.services.store.drop(KIND, memory_id)
