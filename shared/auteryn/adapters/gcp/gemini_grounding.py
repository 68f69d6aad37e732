"""What an answer from the web rests on: `groundingMetadata`, which comes with the last chunk of a stream, or in several.

Whatever of it is not as recorded traffic has it counts as not there: the answer stands without it.
"""

from __future__ import annotations

from typing import Any, cast

from auteryn.schema.message import Source


class Grounding:
    """Grows with the chunks of one answer."""

    def __init__(self) -> None:
        self.searched: dict[str, None] = {}
        """What was looked for, in its order."""
        self._found: dict[str, tuple[str, dict[str, None]]] = {}
        """Address → title, and the pieces of the answer that the page bears out."""

    def add(self, metadata: Any) -> None:
        """Take in what one chunk says."""
        self.searched |= {one: None for one in _listed(metadata, "webSearchQueries") if isinstance(one, str) and one.strip()}
        pages = [_fields(chunk, "web") for chunk in _listed(metadata, "groundingChunks")]
        urls = [str(page.get("uri") or "") for page in pages]
        for url, page in zip(urls, pages, strict=True):
            if url:
                self._found.setdefault(url, (str(page.get("title") or page.get("domain") or ""), {}))
        for support in _listed(metadata, "groundingSupports"):
            said = _fields(support, "segment").get("text")
            for at in _listed(support, "groundingChunkIndices"):
                if isinstance(said, str) and isinstance(at, int) and 0 <= at < len(urls) and urls[at]:
                    self._found[urls[at]][1][said] = None

    @property
    def count(self) -> int:
        """Searches that are billed: every different one. An answer with sources made at least one."""
        return max(len(self.searched), 1 if self._found else 0)

    def sources(self) -> tuple[Source, ...]:
        return tuple(Source(url=url, title=title, says=tuple(says)) for url, (title, says) in self._found.items())


def _fields(of: Any, name: str) -> dict[str, Any]:
    found = cast("dict[str, Any]", of).get(name) if isinstance(of, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _listed(of: Any, name: str) -> list[Any]:
    found = cast("dict[str, Any]", of).get(name) if isinstance(of, dict) else None
    return cast("list[Any]", found) if isinstance(found, list) else []
