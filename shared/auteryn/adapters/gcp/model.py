"""Think, with Gemini: one request, one whole answer, repeated here and nowhere else.

    model = GeminiModel(api_key="…", base_url=None)         # or GeminiModel.from_environment()
    reply = await model.generate(ModelRequest(role="fast", system="", contents=[{"role": "user", "parts": [{"text": "Hi"}]}]))

Without a table of models (`resolve`, `thinking`; `policy.models` is ours) every role asks `DEFAULT_MODEL` with that model's
own thinking.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from auteryn.adapters.gcp.gemini_answer import Answer
from auteryn.adapters.gcp.gemini_client import Access, Clients
from auteryn.adapters.gcp.gemini_errors import meaning, wire_errors
from auteryn.adapters.gcp.gemini_events import BrokenAnswer
from auteryn.adapters.gcp.gemini_request import encoded, estimated_tokens, wire_body
from auteryn.errors import ModelRefused, RateLimited, Retryable, Unavailable
from auteryn.ports.clock import Clock
from auteryn.ports.model import ModelRequest, Role, Spend
from auteryn.schema.message import Delta, Reply, Tokens

DEFAULT_MODEL = "gemini-3-flash-preview"
FIRST_BACKOFF = timedelta(seconds=1)
"""Doubles with each try; up to a fifth more by chance, so that parallel steps do not come back together."""

Resolve = Callable[[Role], Sequence[str]]
"""The model ids for a role: the first that exists answers."""
Thinking = Callable[[str, int], dict[str, Any] | None]
"""The wire's `thinkingConfig` for (model id, tokens): a budget or a level; `None` where the model cannot think."""


class GeminiModel:
    """`ports.model.Model` over google-genai: the Developer API with a key, or Vertex AI with a project."""

    def __init__(
        self,
        api_key: str = "",
        base_url: str | None = None,
        *,
        access: Access | None = None,
        resolve: Resolve = lambda role: (DEFAULT_MODEL,),
        thinking: Thinking = lambda model, tokens: {},
        clock: Clock | None = None,
    ) -> None:
        self._clients = Clients(access or Access(api_key=api_key.strip(), base_url=base_url))
        self._resolve, self._thinking, self._clock = resolve, thinking, clock or _LoopClock()
        self._gone: set[str] = set()
        """Models that answered 404: passed over from then on."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ, **options: Any) -> Self:
        """With the key or project that `Access.from_environment` finds; `options` as for the class."""
        return cls(access=Access.from_environment(env), **options)

    @property
    def searches(self) -> bool:
        return self._clients.access.opens

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply:
        await self._clients.here()
        tries = _Tries(request, on_delta or _unheard)
        while True:
            if spend:
                await spend(1, tries.why)
            tries.sent += 1
            model = self.model_id(request.role)
            try:
                reply = await self._answer(model, tries)
            except (Retryable, ModelRefused) as failure:
                tries.why = str(failure)
                await self._clock.sleep(self._pause(failure, model, tries))
                continue
            if not tries.worth_repeating(reply):
                return replace(reply, wasted=tries.wasted) if tries.repeated else reply

    def model_id(self, role: Role) -> str:
        chain = self._resolve(role)
        return next((model for model in chain if model not in self._gone), chain[0])

    async def close(self) -> None:
        await self._clients.close()

    async def _answer(self, model: str, tries: _Tries) -> Reply:
        """One request and its whole answer; every failure is one of our own errors."""
        request = tries.request
        body = wire_body(request, model, self._thinking(model, request.thinking_tokens))
        answer = Answer(include_thoughts=request.include_thoughts)
        try:
            async with aclosing(self._clients.chunks(model, encoded(body), request.silence)) as chunks:
                async for chunk in chunks:
                    if chunk.error is not None:
                        raise _error_event(chunk.error)
                    for delta in answer.add(chunk):
                        tries.on_delta(delta)
            if answer.reason is None:
                raise BrokenAnswer("the answer ended before it said why it ended")
        except wire_errors() as error:
            failure = meaning(error, model, request.silence, lambda: estimated_tokens(body))
            raise failure from error
        if answer.reason == "MISSING_THOUGHT_SIGNATURE":
            raise ModelRefused("signature", f"{model!r} stopped with MISSING_THOUGHT_SIGNATURE: the history lost a signature")
        return answer.reply(model, tries.sent)

    def _pause(self, failure: Retryable | ModelRefused, model: str, tries: _Tries) -> timedelta:
        """How long to wait before the next request; raises `failure` where there is none."""
        if isinstance(failure, Retryable):
            return tries.pause(failure)
        if failure.reason != "no_model":
            raise failure
        self._gone.add(model)
        chain = self._resolve(tries.request.role)
        if self._gone.issuperset(chain):
            self._gone.difference_update(chain)  # a wrong base URL says 404 to everything: the next call tries again
            raise failure
        if tries.left == 0:
            raise Unavailable(f"{failure}; the next call asks {self.model_id(tries.request.role)!r}") from failure
        return timedelta()


class _Tries(Struct):
    """The requests sent for one answer."""

    request: ModelRequest
    on_delta: Callable[[Delta], None]
    sent: int = 0
    repeated: bool = False
    """An answer that broke the model's own format, or said nothing, is asked for once more."""
    wasted: Tokens = Tokens()
    why: str = ""
    """Why the last request brought nothing."""

    @property
    def left(self) -> int:
        return self.request.attempts - self.sent

    def worth_repeating(self, reply: Reply) -> bool:
        said_nothing = reply.finish == "other" and not reply.text and not reply.calls
        if self.repeated or self.left <= 0 or not (said_nothing or reply.finish in ("malformed_call", "empty")):
            return False
        self.repeated, self.wasted, self.why = True, reply.tokens, f"the answer was {reply.finish_detail or reply.finish}"
        return True

    def pause(self, failure: Retryable) -> timedelta:
        """The longer of our own backoff and what the other side asked for; raises `failure` if that is past patience."""
        asked = failure.retry_after or timedelta()
        if self.left <= 0 or asked > self.request.patience or (isinstance(failure, RateLimited) and failure.per_day):
            raise failure
        own = FIRST_BACKOFF * 2 ** (self.sent - 1) * random.uniform(1.0, 1.2)
        return max(min(own, self.request.patience), asked)


def _unheard(delta: Delta) -> None:
    """Nobody listens."""


def _error_event(error: dict[str, Any]) -> Exception:
    """An error that came inside a stream, as the SDK would have raised it for a status."""
    from google.genai.errors import APIError

    code = error.get("code")
    return APIError(code if isinstance(code, int) else 500, {"error": error})


class _LoopClock:
    """Real time, for a model that was given no clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())

    async def sleep_until(self, moment: datetime) -> None:
        await self.sleep(moment - self.now())
