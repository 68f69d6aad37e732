"""The scratchpad: what a run and its steps find out and decide, kept outside the conversation.

A note is never changed. Appending and replacing both add one, so two writers never collide, and a repeated call adds
nothing; what a section says is what was written since it was last replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import NOTE_CHARACTERS
from auteryn.ports import Store
from auteryn.schema.change import Doc
from auteryn.schema.record import derived_id
from auteryn.tools.search import rank
from auteryn.tools.tool import ToolContext, tool

KIND = "note"
LEDGER = ("constraints", "decisions")
"""Sections that stand before the model in every turn."""
FOUND = 20
_NAME = 80


@tool(effect="idempotent", group="knowledge", cost=0)
async def note_write(
    ctx: ToolContext,
    section: Annotated[
        str, "Heading; `constraints` and `decisions` are always before you", Meta(min_length=1, max_length=_NAME)
    ],
    text: Annotated[str, "What to keep", Meta(min_length=1)],
    mode: Annotated[Literal["append", "replace"], "`replace` begins the section anew"] = "append",
) -> dict[str, Any]:
    """Note down what was found, in the scratchpad. Notes are shared by all steps of the task and outlive a full context."""
    if len(text) > NOTE_CHARACTERS:
        raise ToolFailed(
            "too_large", f"text: {len(text):,} characters are more than a note holds ({NOTE_CHARACTERS:,}): use a file"
        )
    body = {"section": _named(section), "text": text, "mode": mode, "run": ctx.run.id}
    doc = Doc(kind=KIND, id=derived_id(KIND, ctx.call), scope=ctx.run.root, body=body, at=ctx.clock.now())
    await ctx.store.put(doc, if_absent=True)
    return {"section": _named(section), "characters": len(text)}


@tool(effect="read", group="knowledge", cost=0, reads_notes=True)
async def note_read(
    ctx: ToolContext,
    section: Annotated[str | None, "Heading; without one, the headings are listed"] = None,
    search: Annotated[str | None, "Words to look for in all notes"] = None,
) -> dict[str, Any]:
    """Read the scratchpad: its headings, one section, or the notes that match a search."""
    notes = folded(await ctx.store.docs(KIND, ctx.run.root))
    name = _named(section or "")
    if section is not None and name not in notes:
        raise ToolFailed("not_found", f"there is no section {name!r}; there is {', '.join(map(repr, notes)) or 'none yet'}")
    if search is not None:
        return _searched(notes if section is None else {name: notes[name]}, search)
    if section is not None:
        return {"section": name, "text": "\n".join(notes[name])}
    return {
        "sections": [{"section": name, "notes": len(said), "characters": sum(map(len, said))} for name, said in notes.items()]
    }


def _searched(notes: dict[str, list[str]], words: str) -> dict[str, Any]:
    texts = {(name, n): text for name, said in notes.items() for n, text in enumerate(said)}
    found = rank(words, texts)
    return {"found": [{"section": key[0], "text": texts[key]} for key in found[:FOUND]], "total": len(found)}


def folded(docs: Iterable[Doc]) -> dict[str, list[str]]:
    """What each section says now, in the order they were begun."""
    sections: dict[str, list[str]] = {}
    for doc in docs:
        said = sections.setdefault(doc.body["section"], [])
        if doc.body["mode"] == "replace":
            said.clear()
        said.append(doc.body["text"])
    return sections


async def ledger_notes(store: Store, root: str) -> list[tuple[str, str]]:
    """(section, text) of the notes that are never left out of sight."""
    notes = folded(await store.docs(KIND, root))
    return [(name, text) for name in LEDGER for text in notes.get(name, ())]


def _named(section: str) -> str:
    """Headings differ by more than case and space."""
    return " ".join(section.lower().split())[:_NAME]
