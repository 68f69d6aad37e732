"""What the owner lets every run know: a folder of documents, searched passage by passage.

The folder is the index: it is read on first use and again where a file has changed, and lives in the process.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from auteryn.errors import ToolFailed
from auteryn.policy.quotas import READ_BYTES
from auteryn.schema.record import Record
from auteryn.tools.leash import Leash, in_thread
from auteryn.tools.needs import KNOWLEDGE, no_knowledge
from auteryn.tools.search import Index, index_of, words_of
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.untrusted import cleaned, notice

PASSAGE_CHARS = 1_200
MOST_FILES = 5_000
MOST_PASSAGES = 50_000

_ASKING = frozenset(re.findall(r"\w+", "can could do does did how what when where which who why you your will would there"))
"""Words of every question, which tell nothing of what is asked for."""
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


class Passage(Record):
    """A piece of a document that can be read alone."""

    source: str
    """Path in the folder, and the heading it stands under."""
    text: str


@tool(effect="read", group="knowledge", private=True, untrusted=True, missing=no_knowledge, cost=0)
async def kb_search(
    ctx: ToolContext,
    query: Annotated[str, "The question", Meta(min_length=1)],
    limit: Annotated[int, "Most passages", Meta(ge=1, le=20)] = 5,
) -> dict[str, Any]:
    """Look into the owner's knowledge base: passages with their sources, best first. Name the source in the answer."""
    place = os.environ.get(KNOWLEDGE, "")
    base = _bases.setdefault(place, Base(Path(place)))
    found, left_out = await in_thread(lambda leash: base.search(query, limit, leash))
    told: dict[str, Any] = {
        "passages": [{"source": one.source, "text": cleaned(one.text)} for one in found],
        "note": notice("the knowledge base"),
    }
    return told | ({"left_out": left_out} if left_out else {})


class Base:
    """A folder's passages, kept as long as the process and its files do not change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = dict[str, tuple[tuple[int, int], list[Passage]]]()
        self._passages = list[Passage]()
        self._index = Index[int]({})
        self._left_out = list[str]()
        self._lock = threading.Lock()

    def search(self, query: str, limit: int, leash: Leash) -> tuple[list[Passage], list[str]]:
        """The best passages, and the files that cannot be read."""
        if not self._folder.is_dir():
            raise ToolFailed("not_configured", f"{KNOWLEDGE} names no folder")
        with self._lock:
            if self._changed(leash):
                self._passages = [one for _, some in self._read.values() for one in some][:MOST_PASSAGES]
                self._index = index_of({at: f"{one.source} {one.text}" for at, one in enumerate(self._passages)})
            asked = " ".join(word for word in query.split() if word.lower().strip("?,.!") not in _ASKING)
            return [self._passages[at] for at in self._index.best(words_of(asked))[:limit]], list(self._left_out)

    def _changed(self, leash: Leash) -> bool:
        """Bring what was read up to date; whether anything was new, changed or gone."""
        there = dict[str, tuple[int, int]]()
        for real in self._files():
            at = real.stat()
            there[str(real.relative_to(self._folder))] = (at.st_mtime_ns, at.st_size)
        if {name: state for name, (state, _) in self._read.items()} == there:
            return False
        self._left_out = []
        fresh = dict[str, tuple[tuple[int, int], list[Passage]]]()
        for name, state in there.items():
            leash.check()
            old = self._read.get(name)
            fresh[name] = old if old and old[0] == state else (state, self._passages_of(name, leash))
        self._read = fresh
        return True

    def _files(self) -> Iterator[Path]:
        count = 0
        for real in sorted(self._folder.rglob("*")):
            if real.is_file() and not real.is_symlink() and not any(part.startswith(".") for part in real.parts[-3:]):
                count += 1
                if count > MOST_FILES:
                    return
                yield real

    def _passages_of(self, name: str, leash: Leash) -> list[Passage]:
        from auteryn.tools.document_read import read_outside

        try:
            if (self._folder / name).stat().st_size > READ_BYTES:
                raise ToolFailed("too_large", f"{name!r} is larger than {READ_BYTES:,} bytes")
            text = read_outside(self._folder / name, name, leash).text
        except ToolFailed as error:
            self._left_out.append(str(error))
            return []
        return list(passages(name, text))


def passages(name: str, text: str) -> Iterator[Passage]:
    """The text in pieces that end where a heading, a paragraph or at worst a line ends."""
    heading, piece = "", ""
    for block in re.split(r"\n\s*\n|\n(?=#{1,6}\s)", text):
        found = _HEADING.match(block.strip().partition("\n")[0])
        if piece and (found or len(piece) + len(block) > PASSAGE_CHARS):
            yield _passage(name, heading, piece)
            piece = ""
        heading = found[1] if found else heading
        for line in block.splitlines():
            if piece and len(piece) + len(line) > PASSAGE_CHARS:
                yield _passage(name, heading, piece)
                piece = ""
            piece += f"{line[: 2 * PASSAGE_CHARS]}\n"
        piece += "\n" if piece else ""
    if piece.strip():
        yield _passage(name, heading, piece)


def _passage(name: str, heading: str, text: str) -> Passage:
    return Passage(source=f"{name} § {heading}" if heading else name, text=text.strip())


_bases: dict[str, Base] = {}
