"""What is said to a model and what comes back, in the Gemini wire's own JSON.

`Content` is the wire's object (`{"role": "user" | "model", "parts": [...]}`) kept as plain JSON: thought signatures,
ids and unknown fields survive storage and return verbatim (L9).
"""

from __future__ import annotations

from typing import Any, Literal

from auteryn.schema.record import Record

Content = dict[str, Any]
"""One turn on the wire: `{"role": ..., "parts": [...]}`, camelCase keys, never edited after it was received."""


class Image(Record):
    """A picture a tool shows to the model. Its bytes lie in the blobs; a request carries them."""

    sha256: str
    media_type: str
    """`image/png`, `image/jpeg` or `image/webp`."""
    name: str
    """What it shows: a file, a page."""


class Tokens(Record):
    """What one model call used, from the last chunk's running total."""

    prompt: int = 0
    """Includes `cached`."""
    cached: int = 0
    output: int = 0
    """Without thoughts."""
    thoughts: int = 0
    """Billed as output."""
    tool_use: int = 0
    searches: int = 0
    """Searches of the web that the model made by itself; billed one by one, and no tokens."""

    @property
    def total(self) -> int:
        return self.prompt + self.output + self.thoughts + self.tool_use


class Call(Record):
    """A function call found in a model's content."""

    name: str
    args: dict[str, Any]
    wire_id: str | None = None
    """The model's own id; only this one is ever sent back."""


class Source(Record):
    """A page that an answer rests on."""

    url: str
    """As the model's search names it, often a redirect of its own."""
    title: str = ""
    says: tuple[str, ...] = ()
    """The pieces of the answer that it bears out."""


FinishReason = Literal["stop", "max_tokens", "safety", "malformed_call", "unexpected_call", "empty", "continuation", "other"]
"""`stop` also covers a turn of calls. `safety` covers every content block; `malformed_call` every answer that broke the
model's own format; `empty` a turn without text and calls."""


class Reply(Record):
    """One whole answer of a model."""

    model: str
    """The concrete model id that answered."""
    content: Content
    """As received, thoughts left out: what goes back to the model on the next call."""
    finish: FinishReason
    finish_detail: str = ""
    """The vendor's own word and message, for people."""
    text: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    tokens: Tokens = Tokens()
    wasted: Tokens = Tokens()
    """Of an answer before it that broke the model's format and was asked for again: paid for, and nowhere else to be seen."""
    searched: tuple[str, ...] = ()
    """What the model looked for on the web."""
    sources: tuple[Source, ...] = ()
    attempts: int = 1
    """Requests that were sent for this answer, the failed ones included: each counts as a model call."""


class Delta(Record):
    """A piece of an answer while it is produced. Streamed, never stored."""

    kind: Literal["thought", "text"]
    text: str


def text_of(content: Content) -> str:
    """What an answer says, without its thoughts."""
    parts: list[dict[str, Any]] = content["parts"]
    return "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))


def calls_in(content: Content) -> list[Call]:
    """The calls of an answer, in the model's order."""
    parts: list[dict[str, Any]] = content["parts"]
    asked = [part["functionCall"] for part in parts if "functionCall" in part]
    return [Call(name=one["name"], args=one.get("args") or {}, wire_id=one.get("id")) for one in asked]
