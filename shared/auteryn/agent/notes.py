"""The two sections of the scratchpad that are shown to the model in every request."""

from __future__ import annotations

from auteryn.ports import Store

SHOWN = ("constraints", "decisions")


async def ledger_notes(store: Store, root: str) -> list[tuple[str, str]]:
    """(section, text) of every note under `constraints` and `decisions`, in the order they were written."""
    docs = await store.docs("note", root)
    return [(doc.body["section"], doc.body["text"]) for doc in docs if doc.body.get("section") in SHOWN]
