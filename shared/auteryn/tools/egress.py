"""The one way out: whatever a tool sends passes this guard.

A host is resolved once, every address judged, and the connection made to the very address that was judged: a name that
answers differently the second time gains nothing. Each redirect is a new request and judged anew. What cannot be read is
refused.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from auteryn.errors import ToolFailed
from auteryn.tools.egress_addresses import carried, literal, metadata, not_public, plain_host, this_machine

if TYPE_CHECKING:
    from httpx2 import URL

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → addresses."""

PORTS = frozenset({80, 443, 8000, 8080, 8443})
MOST_REDIRECTS = 5
MOST_BYTES = 16 << 20
"""Of one answer, decoded."""
TOTAL = timedelta(seconds=40)
"""From the first look-up to the last byte, redirects included."""
LONGEST_URL = 8_000
MOST_LOOK_UPS = 16
"""At once; further ones wait."""

_DEFAULT_PORT = {"http": 80, "https": 443}
_OURS = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
"""Headers that say how bytes travel: the client's own, two opinions would be request smuggling."""
_METADATA = ("metadata", "x-google-metadata", "x-aws-ec2-metadata", "proxy-")
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""What may follow a redirect to another origin."""


@cache
def _look_ups(process: int) -> ThreadPoolExecutor:
    """A process that was forked has none of its parent's threads."""
    return ThreadPoolExecutor(MOST_LOOK_UPS, thread_name_prefix="look-up")


class AnswerLost(ToolFailed):
    """The request may have arrived, its answer did not come, or not whole."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message, retryable=True)


class Answer(Struct, frozen=True):
    """What came back; the body is read from `chunks` or `body` while the request is open."""

    url: URL
    """Where it came from after all redirects."""
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    redirects: tuple[str, ...]
    """The addresses that led here, the asked one first."""
    chunks: AsyncIterator[bytes]
    """Decoded."""

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks])


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says. Its threads are its own: where no name server answers, they stand still for long, and
    files are written all the same."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_look_ups(os.getpid()), look_up)
    return [str(address[0]) for *_, address in found]


class Egress(Struct, frozen=True):
    """Where a run may connect to: by default the public internet on the web's ports, and nothing else."""

    allow: tuple[str, ...] = ()
    """`host:port` the owner named, reached though it is not public; a cloud's metadata never is."""
    only: tuple[str, ...] = ()
    """If any: these hosts and what is below them, no others."""
    deny: tuple[str, ...] = ()
    """Hosts never reached, with what is below them."""
    ports: frozenset[int] = PORTS
    resolve: Resolve = system_addresses
    tls: ssl.SSLContext | None = None
    """Which certificates count; None: those the system trusts."""

    def trusting(self, url: str) -> Egress:
        """This guard, with the host and port of an address that the owner (never the model) set."""
        host, port = host_and_port(readable(url))
        return replace(self, allow=(*self.allow, _endpoint(host, port)))

    def checked(self, url: str) -> URL:
        """The address in its plain form; raises `ToolFailed("blocked")`."""
        found = readable(url)
        self.check_host(*host_and_port(found))
        return found

    def check_host(self, host: str, port: int) -> None:
        """Raises `ToolFailed("blocked")` unless the lists and the port policy let this plain host pass."""
        endpoint = _endpoint(host, port)
        if _below(host, self.deny):
            raise blocked(host, "is on the list of hosts this run must not reach")
        if endpoint in self.allow:
            return
        if self.only and not _below(host, self.only):
            raise blocked(host, f"is not among the hosts this run may reach: {', '.join(self.only)}")
        if port not in self.ports:
            raise blocked(endpoint, f"has a port that is not one of the web's: {', '.join(map(str, sorted(self.ports)))}")
        if host == "localhost" or host.endswith(".localhost"):
            raise blocked(host, "is this machine")

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """The judged addresses of a plain host, at least one; raises `ToolFailed` if a single one leads elsewhere."""
        self.check_host(host, port)
        found = [str(fixed)] if (fixed := literal(host)) else await self._resolved(host, port)
        free = _endpoint(host, port) in self.allow
        for one in found:
            try:
                address = ip_address(one)
            except ValueError:
                raise blocked(host, f"has an address that cannot be read: {one!r}") from None
            why = "a cloud's metadata server" if metadata(address) else None if free else _not_outside(address)
            if why:
                raise blocked(host, f"leads to {one}, which is not public ({why})")
        return tuple(dict.fromkeys(found))

    async def _resolved(self, host: str, port: int) -> Sequence[str]:
        try:
            found = await self.resolve(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise ToolFailed("unavailable", f"{host!r} cannot be looked up now", retryable=True) from error
            raise ToolFailed("not_found", f"there is no host {host!r}") from error
        except (OSError, UnicodeError) as error:
            raise ToolFailed("unavailable", f"{host!r} cannot be looked up: {error}", retryable=True) from error
        if not found:
            raise ToolFailed("not_found", f"there is no host {host!r}")
        return found

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        most_bytes: int = MOST_BYTES,
        total: timedelta = TOTAL,
        follow: bool = True,
    ) -> AsyncGenerator[Answer]:
        """Send one request; GET and HEAD follow redirects, all else hands them over: a person allowed one host, not another.
        `follow=False` hands every redirect over.

        Raises `ToolFailed` (`blocked`, `not_found`, `unavailable`, `timeout`, `too_large`); `AnswerLost` if it may be there.
        """
        from auteryn.tools.egress_client import Client

        method = method.upper()
        target, sent = self.checked(url), checked_headers(headers or {})
        client = Client(self, most_bytes)
        passed = list[str]()
        try:
            async with asyncio.timeout(total.total_seconds()), client:
                while True:
                    async with client.exchange(method, target, sent, body) as (status, fields, chunks):
                        onward = _onward(method, status, fields) if follow else None
                        if onward is None:
                            yield Answer(target, status, fields, tuple(passed), chunks)
                            return
                    passed.append(str(target))
                    if len(passed) > MOST_REDIRECTS:
                        raise ToolFailed("unavailable", f"{url!r} redirects more than {MOST_REDIRECTS} times")
                    target, sent = self._follow(target, onward, sent)
        except TimeoutError as error:
            told = f"{target.host!r} took longer than {total.total_seconds():g} s"
            raise AnswerLost("timeout", told) if client.connected else ToolFailed("timeout", told, retryable=True) from error

    def _follow(self, at: URL, onward: str, sent: dict[str, str]) -> tuple[URL, dict[str, str]]:
        from httpx2 import InvalidURL

        try:
            goal = self.checked(str(at.join(onward)))
        except InvalidURL as error:
            raise blocked(onward, f"is no address to redirect to: {error}") from error
        same = (at.scheme, *host_and_port(at)) == (goal.scheme, *host_and_port(goal))
        return goal, sent if same else {name: value for name, value in sent.items() if name in _HARMLESS}

    async def fetch(self, url: str, **options: object) -> tuple[Answer, bytes]:
        """GET an address whole."""
        async with self.open("GET", url, **options) as answer:  # pyright: ignore[reportArgumentType]
            return answer, await answer.body()


# ---- addresses of the web ---------------------------------------------------------------------------------------


def readable(url: str) -> URL:
    """The address with a plain host, without fragment; raises `ToolFailed("blocked")` for what could be read in two ways."""
    from httpx2 import URL, InvalidURL

    if len(url) > LONGEST_URL or any(sign <= " " or sign in "\\\x7f" for sign in url):
        raise blocked(url, "is no plain web address: it has spaces, control signs or backslashes, or is too long")
    try:
        found = URL(url)
        port = found.port
        if found.scheme not in _DEFAULT_PORT:
            raise ValueError("must begin with http:// or https://")
        if found.userinfo:
            raise ValueError("has a user or password in it: use a credential by name")
        if port is not None and not 0 < port < 65_536:
            raise ValueError("has a port that does not exist")
        host = plain_host(found.raw_host.decode("ascii"))
        return found.copy_with(host=host, fragment=None)
    except (InvalidURL, ValueError) as error:
        raise blocked(url, str(error) or "is no web address") from error


def host_and_port(url: URL) -> tuple[str, int]:
    return url.host, url.port or _DEFAULT_PORT[url.scheme]


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """By lower-case name; raises `ToolFailed("blocked")` for a header that is the client's own or opens a metadata server."""
    out = dict[str, str]()
    for name, value in headers.items():
        low = name.strip().lower()
        if not low or not all(sign.isalnum() or sign in "-_.!#$%&'*+^`|~" for sign in low) or not low.isascii():
            raise blocked(name, "is no name of a header")
        if low in _OURS or low.startswith(_METADATA):
            raise blocked(name, "is a header that must not be set")
        if any(sign in value for sign in "\r\n\0"):
            raise blocked(name, "is a header whose value has line breaks in it")
        out[low] = value.strip()
    return out


def blocked(what: str, why: str) -> ToolFailed:
    shown = what if len(what) <= 200 else what[:200] + "…"
    return ToolFailed("blocked", f"{shown!r} {why}")


def _onward(method: str, status: int, fields: Mapping[str, str]) -> str | None:
    follows = method in ("GET", "HEAD") and status in (301, 302, 303, 307, 308)
    return fields.get("location") if follows else None


def _not_outside(address: IPv4Address | IPv6Address) -> str | None:
    return not_public(address) or ("this machine" if this_machine(carried(address)) else None)


def _below(host: str, names: Sequence[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
