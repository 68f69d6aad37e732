"""HTTP for clients that run for days: requests that were cut off are repeated, refusals become typed errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from auteryn import errors
from auteryn.api.problems import Problem, TooLarge, Unauthenticated
from auteryn.errors import AuterynError, Corrupt, Invalid, RateLimited, Refused, Retryable, Unavailable
from auteryn.policy.retry import backoff
from auteryn.schema.record import from_json, no_text

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response, ServerSentEvent

T = TypeVar("T")

PATIENCE = timedelta(minutes=1)
"""How long a request is repeated while nobody answers."""
LONG_PATIENCE = timedelta(minutes=15)
"""The same for callers who wait for days anyway: a server that is replaced is back by then."""
MOST_EVENT_BYTES = 10_000_000
SILENCE_SECONDS = 45
"""Three heartbeats of a stream: after that the line is dead, whatever TCP believes."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(milliseconds=100), timedelta(seconds=15)
"""Before a request is repeated. A server that stops disconnects everybody at once, before the next one is there."""
PASSING = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed: from our servers, and from proxies in between."""

_TYPES: dict[str, type[AuterynError]] = {
    one.code: one
    for one in (
        errors.Conflict, errors.DiskFull, errors.NotAllowed, errors.NotFound, errors.WrongState,
        RateLimited, errors.SpendLimited, TooLarge, Unauthenticated, Unavailable,
    )
}  # fmt: skip


@dataclass(slots=True)
class Trouble:
    """How often in a row requests have failed, and since when."""

    patience: timedelta
    since: float | None = None
    tries: int = 0

    def over(self) -> None:
        self.since, self.tries = None, 0

    async def again(self, why: AuterynError, after: timedelta | None = None) -> None:
        """Wait until it is time to try again; raises `why` once patience is used up."""
        now = asyncio.get_running_loop().time()
        self.since, self.tries = self.since or now, self.tries + 1
        pause = after or backoff(self.tries, first=FIRST_PAUSE, most=LONGEST_PAUSE)
        if now + pause.total_seconds() - self.since >= self.patience.total_seconds():
            raise why
        await asyncio.sleep(pause.total_seconds())


@dataclass(slots=True)
class Wire:
    """One server and the key that opens it."""

    endpoint: str
    api_key: str = field(repr=False, default="")
    _client: AsyncClient | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        key: str | None = None,
        files: Any = None,
        file: bytes | None = None,
        repeat: bool = False,
        wait: timedelta = timedelta(),
        patience: timedelta = PATIENCE,
    ) -> Response:
        """The answer if it is a good one; else raises the typed error it stands for.

        A request that never arrived is sent again. One that may have arrived is sent again where a repeat does no harm: it only
        reads, it carries an idempotency key, or the caller says so (`repeat`). `wait`: how long the server itself may take on
        purpose.
        """
        from httpx2 import ConnectError, ConnectTimeout, TransportError

        trouble, harmless = Trouble(patience), repeat or key is not None or method == "GET"
        headers = {"Idempotency-Key": key} if key is not None else {}
        more: dict[str, Any] = {}
        if body is not None and files is None:
            headers, more = {**headers, "Content-Type": "application/json"}, {"content": _json(body)}
        more |= {"files": files} if files is not None else {}
        if file is not None:
            headers, more = {**headers, "Content-Type": "application/zip"}, {"content": file}
        while True:
            try:
                response = await self.client.request(
                    method, path, params=_query(query), headers=headers, timeout=30 + wait.total_seconds(), **more
                )
            except TransportError as error:
                gone = self._gone(error)
                if not harmless and not isinstance(error, ConnectError | ConnectTimeout):
                    raise gone from error
                await trouble.again(gone)
                continue
            if response.is_success or response.status_code == 304:
                return response
            refused = refusal(response)
            if response.status_code not in PASSING or not (harmless or response.status_code == 429):
                raise refused
            await trouble.again(refused, refused.retry_after if isinstance(refused, Retryable) else None)

    async def read(self, shape: type[T], method: str, path: str, **how: Any) -> T:
        """The JSON of the answer."""
        return from_json((await self.ask(method, path, **how)).content, shape, where=f"the answer of {self.endpoint}{path}")

    async def frames(self, path: str, query: Mapping[str, Any]) -> AsyncGenerator[ServerSentEvent | None]:
        """Every frame, over as many connections as it takes. Yields None where a stream has ended in order, before the next one
        goes on from there: a reader who has seen the end stops then. Ends by itself when the server has nothing more to
        send."""
        from httpx2 import TransportError

        trouble, last = Trouble(LONG_PATIENCE), None
        while True:
            try:
                async with self._stream(path, query, last) as frames:
                    if frames is None:
                        return
                    async for one in frames:
                        trouble.over()
                        last = one.id or last
                        if one.data:
                            yield one
            except TransportError as error:
                await trouble.again(self._gone(error))
                continue
            except Retryable as error:
                await trouble.again(error, error.retry_after)
                continue
            yield None
            await asyncio.sleep(FIRST_PAUSE.total_seconds())

    @asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, Any], last: str | None
    ) -> AsyncGenerator[AsyncIterator[ServerSentEvent] | None]:
        from httpx2 import EventSource

        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        async with self.client.stream("GET", path, params=_query(query), headers=headers, timeout=SILENCE_SECONDS) as response:
            if response.status_code == 204:
                yield None
                return
            if not response.is_success:
                await response.aread()
                raise refusal(response)
            yield aiter(EventSource(response, MOST_EVENT_BYTES))

    @property
    def client(self) -> AsyncClient:
        """Made on the first request: its connections belong to the loop that asks."""
        if self._client is None:
            from httpx2 import AsyncClient

            self._client = AsyncClient(
                base_url=self.endpoint, headers={"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _gone(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self.endpoint} does not answer ({type(error).__name__}{f': {error}' if str(error) else ''})")


def refusal(response: Response) -> AuterynError:
    """The error a problem document was made from."""
    try:
        found = from_json(response.content, Problem)
    except Corrupt:
        return _of_a_stranger(response)
    after = None if found.retry_after is None else timedelta(seconds=found.retry_after)
    if found.code == Invalid.code and found.field is not None:
        return Invalid(found.field, found.value, found.rule or found.detail)
    kind = _TYPES.get(found.code) or (Refused if found.status < 500 else AuterynError)
    return kind(found.detail, retry_after=after) if issubclass(kind, Retryable) else kind(found.detail)


def _of_a_stranger(response: Response) -> AuterynError:
    """The error for an answer that is not from a server of ours, or from something in between."""
    said = f"{response.request.url} answers {response.status_code}, and not in Auteryn's words"
    if response.status_code in PASSING:
        return Unavailable(said)
    return Refused(f"{said}: is the endpoint right?")


def _json(body: Any) -> bytes:
    """Raises `Invalid` for what has no JSON: half of a surrogate pair, a number that is none."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise no_text(error) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid("body", body, f"has no JSON form: {error}") from None


def _query(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return {name: msgspec.to_builtins(value) for name, value in given.items()} or None
