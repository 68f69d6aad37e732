"""Think: one request, one whole answer, deltas on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal, Protocol

from auteryn.schema.message import Content, Delta, Reply
from auteryn.schema.record import Record

Role = Literal["fast", "deep", "classifier"]
"""Which alias of the model table answers; the adapter resolves it to a model id with fallbacks."""
Spend = Callable[[int, str], Awaitable[None]]
"""Counts so many requests, which are sent when it returns; and why the one before brought nothing, if there was one."""


class Declaration(Record):
    """A tool as the model sees it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of an object, `$ref`s inlined."""


class ModelRequest(Record):
    """Everything one call needs. Two equal requests have equal bytes, so they can be recorded and replayed."""

    role: Role
    system: str
    contents: tuple[Content, ...] | list[Content]
    """Wire JSON; the last one has the role `user`."""
    tools: tuple[Declaration, ...] = ()
    tool_mode: Literal["auto", "none"] = "auto"
    """`none`: tools stay declared (the prefix stays cached) and none may be called."""
    thinking_tokens: int = 0
    """The mode's figure (1,024 or 16,384); the adapter maps it to a budget or a level, never both."""
    include_thoughts: bool = False
    google_search: bool = False
    """Let the model search the web by itself: `Reply.sources` says what the answer rests on. Not together with `tools`."""
    json_schema: dict[str, Any] | None = None
    """Ask for a structured answer; `Reply.text` is then JSON."""
    max_output_tokens: int | None = None
    silence: timedelta = timedelta(seconds=120)
    """Longest pause between two chunks before the call counts as broken."""
    patience: timedelta = timedelta(seconds=20)
    """Longest wait that is sat out in place between tries; a longer one is raised with its `retry_after`."""
    attempts: int = 5
    """Most requests sent for this one answer; 1 = no retry."""


class Model(Protocol):
    """A language model behind one method.

    M1  `Reply.content` sent back as it is never provokes a 400: signatures, ids and part order survive.
    M2  Deltas arrive in order and join up to `Reply.thoughts` and `Reply.text`; a broken try's deltas are followed by
        `spend(1, why)` before the next try's.
    M3  Transient failures (429 within `patience`, 5xx, cut streams, silence, malformed or empty answers once) are repeated
        here and nowhere else; `Reply.attempts` counts every request sent. `spend(1, why)` is awaited before each request,
        `why` saying why the one before brought nothing: it may raise, `Exhausted` for one, and then nothing is sent.
    M4  What cannot be repeated here is raised: `RateLimited` (with `retry_after`, `per_day`), `Unavailable`, `ModelRefused`.
    M5  Cancelling the awaiting task closes the connection at once.
    M6  Thoughts appear nowhere unless `include_thoughts`.
    M7  Where `searches` is true, a request with `google_search` may be answered from the web; `Reply.sources` then names every
        page it rests on, and `Reply.tokens.searches` counts what is billed.
    """

    @property
    def searches(self) -> bool:
        """Whether it can answer from the web."""
        ...

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply: ...

    def model_id(self, role: Role) -> str:
        """The model id that answers for this role now."""
        ...

    async def close(self) -> None: ...
