"""HTTP/1.1 over connections that the guard has judged: no proxy of the environment, no cookies, no silent decoding."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast

import httpcore2

from auteryn.errors import ToolFailed
from auteryn.schema.release import RELEASE
from auteryn.tools.egress import AnswerLost

if TYPE_CHECKING:
    from httpx2 import URL

    from auteryn.tools.egress import Egress

CONNECT_SECONDS = 10.0
MOST_ADDRESSES = 4
_PIECE = 1 << 16
_TIMES = {"connect": CONNECT_SECONDS, "read": 30.0, "write": 30.0, "pool": CONNECT_SECONDS}


class Client:
    """One request and its redirects."""

    def __init__(self, guard: Egress, most_bytes: int) -> None:
        self._pinned = _Pinned(guard)
        self._most_bytes = most_bytes
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=guard.tls or _trusted(), network_backend=self._pinned)

    @property
    def connected(self) -> bool:
        """Whether something may have been sent."""
        return self._pinned.connected

    async def __aenter__(self) -> Client:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> AsyncGenerator[tuple[int, dict[str, str], AsyncIterator[bytes]]]:
        """Status, headers and decoded body of one request."""
        with _named_errors(url.host):
            request = httpcore2.Request(
                method,
                httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=_on_the_wire(method, url, headers, body),
                content=body or None,
                extensions={"timeout": _TIMES},
            )
            response = await self._pool.handle_async_request(request)
            try:
                fields = _fields(response.headers)
                yield response.status, fields, self._chunks(method, response, fields)
            finally:
                await response.aclose()

    async def _chunks(self, method: str, response: httpcore2.Response, fields: Mapping[str, str]) -> AsyncGenerator[bytes]:
        """The decoded body, counted as it comes: nobody unpacks 200 MB to learn that they are too many."""
        length = fields.get("content-length", "")
        if length.isdigit() and int(length) > self._most_bytes and method != "HEAD":
            raise self._too_large()
        unpack = _unpacker("" if method == "HEAD" else fields.get("content-encoding", ""))
        came = went = 0
        async for raw in cast("AsyncIterable[bytes]", response.stream):
            came += len(raw)
            for piece in unpack.feed(raw):
                went += len(piece)
                if went > self._most_bytes:
                    raise self._too_large()
                yield piece
            if came > self._most_bytes:
                raise self._too_large()
        if came and not unpack.whole:
            raise AnswerLost("unavailable", "the answer ends in the middle")

    def _too_large(self) -> ToolFailed:
        return ToolFailed("too_large", f"the answer is larger than {self._most_bytes:,} bytes, the most that is taken")


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to addresses the guard has judged, and to no name."""

    def __init__(self, guard: Egress) -> None:
        self._guard, self.connected = guard, False
        self._real = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = (await self._guard.addresses(host, port))[:MOST_ADDRESSES]
        for at, address in enumerate(addresses, start=1):
            try:
                stream = await self._real.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if at == len(addresses):
                    raise
            else:
                self.connected = True
                return stream
        raise AssertionError("there is at least one address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise ToolFailed("blocked", f"{path!r} is no web address")

    async def sleep(self, seconds: float) -> None:
        await self._real.sleep(seconds)


@cache
def _trusted() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()


@cache
def user_agent() -> str:
    return f"Auteryn/{RELEASE}"


def _on_the_wire(method: str, url: URL, headers: Mapping[str, str], body: bytes) -> list[tuple[bytes, bytes]]:
    whole = {
        "host": url.netloc.decode("ascii"),
        "user-agent": user_agent(),
        "accept": "*/*",
        **headers,
        "accept-encoding": "identity, gzip",
        "connection": "close",
    }
    if body or method in ("POST", "PUT", "PATCH"):
        whole["content-length"] = str(len(body))
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in whole.items()]


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    out = dict[str, str]()
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
        out[key] = f"{out[key]}, {text}" if key in out and key not in ("location", "content-type") else text
    return out


class _named_errors:
    """The client library's errors as ours: whether the request can have arrived is what counts."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        match error:
            case httpcore2.ConnectTimeout() | httpcore2.PoolTimeout():
                raise ToolFailed("timeout", f"{self._host!r} does not take the connection", retryable=True) from error
            case httpcore2.ConnectError():
                raise ToolFailed("unavailable", f"{self._host!r} cannot be reached: {error}", retryable=True) from error
            case httpcore2.LocalProtocolError() | httpcore2.UnsupportedProtocol():
                raise ToolFailed("invalid", f"the request cannot be sent: {error}") from error
            case httpcore2.TimeoutException():
                raise AnswerLost("timeout", f"{self._host!r} stopped answering") from error
            case httpcore2.NetworkError() | httpcore2.ProtocolError():
                raise AnswerLost("unavailable", f"{self._host!r} broke off: {error}") from error
            case _:
                pass


# ---- content encodings -------------------------------------------------------------------------------------------


class _Unpack(Protocol):
    whole: bool

    def feed(self, raw: bytes) -> Iterator[bytes]: ...


def _unpacker(encoding: str) -> _Unpack:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzip()
        case other:
            raise ToolFailed("unsupported", f"the answer is packed as {other!r}, though only gzip was asked for")


class _Plain:
    whole = True

    def feed(self, raw: bytes) -> Iterator[bytes]:
        yield raw


class _Gzip:
    """Unpacks in small pieces, one member after the other."""

    def __init__(self) -> None:
        self._member, self.whole = zlib.decompressobj(31), False

    def feed(self, raw: bytes) -> Iterator[bytes]:
        while raw:
            if self._member.eof:
                if not raw.startswith(b"\x1f"):
                    return  # padding after the last member
                self._member = zlib.decompressobj(31)
            try:
                yield self._member.decompress(raw, _PIECE)
            except zlib.error as error:
                raise AnswerLost("unavailable", f"the answer is not packed as it says: {error}") from error
            raw = self._member.unconsumed_tail or self._member.unused_data
            self.whole = self._member.eof
