"""The wire's answer, read: bytes cut anywhere in, typed chunks out, every part exactly as it was sent.

The SDK's own response objects are not used: they turn a part of an unknown kind into an empty one and drop unknown
fields, and what a model said must go back to it verbatim (L9).
"""

from __future__ import annotations

import json
from typing import Any

import msgspec


class Wire(msgspec.Struct, rename="camel"):
    """Base of what is read; unknown fields are ignored here and kept inside parts."""


class WireCall(Wire):
    """Of a part that calls a function: what of it is taken out of the part."""

    name: str | None = None
    args: dict[str, Any] | None = None
    id: str | None = None


class WireContent(Wire):
    parts: list[dict[str, Any]] | None = None


class WireCandidate(Wire):
    content: WireContent | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    safety_ratings: list[dict[str, Any]] | None = None
    grounding_metadata: Any = None
    """Where an answer from the web comes from; read leniently, because an answer is one without it, too."""


class WireFeedback(Wire):
    block_reason: str | None = None
    block_reason_message: str | None = None


class WireUsage(Wire):
    """A running total; a field that is absent counts as nothing."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class Chunk(Wire):
    """One `GenerateContentResponse`, or the error that ended the stream."""

    candidates: list[WireCandidate] | None = None
    prompt_feedback: WireFeedback | None = None
    usage_metadata: WireUsage | None = None
    model_version: str | None = None
    error: dict[str, Any] | None = None


class BrokenAnswer(Exception):
    """A 200 whose body is not what the API sends: cut short, or somebody else's page."""


_decoder: msgspec.json.Decoder[Chunk | list[Chunk]] = msgspec.json.Decoder(Chunk | list[Chunk], strict=False)
_IGNORED = (b":", b"event:", b"id:", b"retry:")


class Events:
    """Server-sent events out of pieces of any size; a body that is plain JSON (an object or an array) is read at its end."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._event: list[bytes] = []
        self._bare: list[bytes] = []

    def feed(self, piece: bytes) -> list[Chunk]:
        """The chunks that `piece` completes; raises `BrokenAnswer`."""
        *lines, rest = piece.split(b"\n")
        if not lines:
            self._rest += rest
            return []
        lines[0] = bytes(self._rest) + lines[0]
        self._rest = bytearray(rest)
        return [chunk for line in lines for chunk in self._line(line.rstrip(b"\r"))]

    def end(self) -> list[Chunk]:
        """What an answer without a last blank line still holds."""
        chunks = self._line(bytes(self._rest).rstrip(b"\r")) + self._line(b"")
        return chunks + (_decoded(b"\n".join(self._bare)) if any(self._bare) else [])

    def _line(self, line: bytes) -> list[Chunk]:
        if line.startswith(b"data:"):
            self._event.append(line[5:].strip())
        elif not line:
            event, self._event = b"\n".join(self._event), []
            return _decoded(event) if event and event != b"[DONE]" else []
        elif not line.startswith(_IGNORED):
            self._bare.append(line)
        return []


def _decoded(raw: bytes) -> list[Chunk]:
    try:
        found = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            found = _decoder.decode(_in_whole_signs(raw))
        except ValueError:
            raise BrokenAnswer(f"the answer is not Gemini's JSON ({error}): {raw[:120]!r}") from error
    return found if isinstance(found, list) else [found]


def _in_whole_signs(raw: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair: a model writes one at times, and would again if asked again.
    Raises `ValueError` for what is no JSON."""
    text = json.dumps(json.loads(raw.decode()), ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
