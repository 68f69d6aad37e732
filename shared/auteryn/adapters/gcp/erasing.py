"""A run is taken out of the database, with the bodies that were put aside for it (S12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auteryn.adapters.gcp.database import PAGE, Database, where
from auteryn.adapters.gcp.names import name_of
from auteryn.adapters.gcp.writing import blobs_of
from auteryn.ports.blobs import Blobs


async def erase(database: Database, blobs: Blobs, run: str) -> None:
    """The run's own document goes last: until then a repeat finds what is left. The journal goes first, until nothing is found:
    what a slice at work commits meanwhile is met by the next look, and the commit after it finds no place."""
    root, client = database.ref("runs", name_of(run)), database.client
    docs, keys = client.collection("docs"), client.collection("keys")
    below = [root.collection(name) for name in ("journal", "inbox", "lease")]
    for query in (*below, where(docs, "scope", "==", run), where(keys, "run", "==", run)):
        while page := await database.find(query.order_by("__name__").limit(PAGE)):
            await _delete(database, blobs, page)
    own = await database.get("runs", name_of(run))
    if own.exists:
        await _delete(database, blobs, [own])


async def _delete(database: Database, blobs: Blobs, documents: Sequence[Any]) -> None:
    """These documents, and the bodies that were put aside for them."""
    await database.commit(lambda batch: [batch.delete(document.reference) for document in documents])
    for fields in (document.to_dict() for document in documents):
        for sha256 in blobs_of(fields):
            if "kind" not in fields or not await _named(database, fields["kind"], sha256):
                await blobs.delete(sha256)


async def _named(database: Database, kind: str, sha256: str) -> bool:
    """Whether a document lies in this blob. Entries and messages have ids in them, so no two share one; documents may."""
    query = where(database.client.collection("docs"), "kind", "==", kind).order_by("__name__")
    async for page in database.pages(query):
        if any(sha256 in blobs_of(document.to_dict()) for document in page):
            return True
    return False
