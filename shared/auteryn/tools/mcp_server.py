"""One tool server: how it is reached, what it says it can do, and what happens when it misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

import msgspec

from auteryn.errors import ToolFailed
from auteryn.schema.record import Record, canonical_json
from auteryn.tools import mcp_pipe
from auteryn.tools.egress import Egress
from auteryn.tools.egress_proxy import proxy
from auteryn.tools.secrets import secret_of
from auteryn.tools.tool import Effect, Permission, ToolContext
from auteryn.tools.untrusted import cleaned

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import ElicitResult

MOST_TOOLS = 200
LINE_BYTES = 16 << 20
"""Of one message over stdio; answers are cut to far less."""
FAILURES = 3
"""In a row, after which a server is left alone."""
REST_SECONDS = 60.0
CLOSE_SECONDS = 8.0
_SECRET = re.compile(r"\$\{(AUTERYN_SECRET_[A-Z0-9_]+)\}")


class Settled(Record):
    """The owner's word on a tool; without one the worst is assumed. What a server says of itself loosens nothing."""

    effect: Effect = "once"
    permission: Permission = "ask"
    sends: bool = True
    """Whether its arguments leave this machine's trust: also a read-only search can carry something out."""


class OwnersWord(Record):
    tools: dict[str, Settled] = {}
    private: bool = True
    """Whether what it returns is the owner's own."""

    def word_on(self, tool: str) -> Settled:
        return self.tools.get(tool, Settled())


class ServerConfig(Record, forbid_unknown_fields=False):
    """An entry of `mcpServers`: a command, or a url."""

    command: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    """`${AUTERYN_SECRET_…}` stands for a secret."""
    cwd: str | None = None
    url: str = ""
    headers: dict[str, str] = {}
    type: Literal["", "stdio", "http", "streamable-http", "streamableHttp"] = ""
    timeout: float = 60.0
    """Seconds, for starting and for each call."""
    auteryn: OwnersWord = OwnersWord()


class Definition(Record):
    """A tool as its server describes it."""

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}
    annotations: dict[str, Any] = {}

    @property
    def pin(self) -> str:
        return hashlib.sha256(canonical_json(msgspec.to_builtins(self))).hexdigest()


class Server:
    """A server by its name. What it has done wrong is remembered for the life of the process."""

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name, self.config = name, config
        self._failures, self._rests_until = 0, 0.0

    async def call(
        self,
        ctx: ToolContext,
        definition: Definition,
        arguments: dict[str, Any],
        *,
        said: dict[str, Any] | None = None,
        state: str | None = None,
    ) -> Any:
        """The server's answer, which may be questions; `said` and `state` go back with the answers to them.

        Raises `ToolFailed`: `denied` if its definition is not the approved one any more, `ambiguous` if the server had the call
        and broke off, and a repeat might do it twice.
        """
        if time.monotonic() < self._rests_until:
            raise ToolFailed("unavailable", f"the server {self.name!r} failed {FAILURES} times and is left alone for a minute")
        connection, sent = None, False
        try:
            async with asyncio.timeout(self.config.timeout):
                connection = await ctx.sitting.keep(f"mcp {self.name}", lambda: Connection.open(self.config, ctx.egress))
                self._check(definition, connection.definitions)
                sent = True
                result = await connection.client.session.call_tool(
                    definition.name, arguments, input_responses=said, request_state=state, allow_input_required=True
                )
        except ToolFailed:
            raise
        except TimeoutError as error:
            await self._failed(ctx, connection)
            raise self._broke_off(definition, sent, "timeout", f"did not answer in {self.config.timeout:g} s") from error
        except Exception as error:
            await self._failed(ctx, connection)
            raise self._broke_off(
                definition, sent and not _is_answer(error), "unavailable", f"failed: {first_reason(error)}"
            ) from error
        self._failures = 0
        while connection.declined:
            ctx.log(
                f"the server {self.name!r} asked in a way that cannot wait for people: {connection.declined.pop()}", "warning"
            )
        return result

    def _check(self, approved: Definition, now: dict[str, Definition]) -> None:
        found = now.get(approved.name)
        if found is None or found.pin != approved.pin:
            what = "is gone" if found is None else "is described otherwise than when it was approved"
            told = f"{approved.name!r} of the server {self.name!r} {what}"
            raise ToolFailed("denied", f"{told}: the owner must approve it (auteryn mcp approve)")

    def _broke_off(self, definition: Definition, sent: bool, kind: Literal["timeout", "unavailable"], how: str) -> ToolFailed:
        told = f"the server {self.name!r} {how}"
        if sent and self.config.auteryn.word_on(definition.name).effect == "once":
            return ToolFailed("ambiguous", f"{told}; it may have taken effect: find out before you do it again")
        return ToolFailed(kind, told, retryable=kind == "unavailable")

    async def _failed(self, ctx: ToolContext, connection: Connection | None) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures, self._rests_until = 0, time.monotonic() + REST_SECONDS
        await ctx.sitting.drop(f"mcp {self.name}", connection)


class Connection:
    """A client at work. It lives in one task from beginning to end, as its library wants it."""

    def __init__(self, config: ServerConfig, guard: Egress) -> None:
        self._config, self._guard = config, guard
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._live())
        self.definitions: dict[str, Definition] = {}
        self.declined = list[str]()
        """Questions of a server that speaks an older protocol: it wants the answer while the call is under way."""

    @classmethod
    async def open(cls, config: ServerConfig, guard: Egress) -> Connection:
        """Raises whatever the server or its library raises; gives up after the server's own time."""
        made = cls(config, guard)
        try:
            async with asyncio.timeout(config.timeout):
                made.client = await asyncio.shield(made._ready)
                made.definitions = {one.name: one for one in await made._listed()}
        except BaseException:
            await made.close()
            raise
        return made

    client: Client

    async def close(self) -> None:
        self._over.set()
        _, late = await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listed(self) -> list[Definition]:
        found, cursor = list[Definition](), None
        while len(found) < MOST_TOOLS:
            page = await self.client.list_tools(cursor=cursor)
            for one in page.tools:
                hints = one.annotations.model_dump(exclude_none=True) if one.annotations else {}
                schema: dict[str, Any] = dict(one.input_schema or {})
                said = one.description or ""
                found.append(Definition(name=one.name, description=said, input_schema=schema, annotations=hints))
            cursor = page.next_cursor
            if not cursor:
                break
        return found[:MOST_TOOLS]

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(await self._client(stack))
                self._ready.set_result(client)
                await self._over.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error if isinstance(error, Exception) else ConnectionError("it was closed"))
            elif isinstance(error, asyncio.CancelledError):
                raise
        finally:
            if self._ready.done() and not self._ready.cancelled():
                self._ready.exception()  # seen, so that nobody warns of it

    async def _client(self, stack: AsyncExitStack) -> Client:
        from mcp import Client, StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client

        config = self._config
        if config.command:
            silent = stack.enter_context(_nowhere())
            env = {name: _opened(value) for name, value in config.env.items()}
            line = ["-I", "-S", str(mcp_pipe.__file__), str(LINE_BYTES), config.command, *config.args]
            server = StdioServerParameters(command=sys.executable, args=line, env=env, cwd=config.cwd)
            return Client(
                stdio_client(server, errlog=silent),
                read_timeout_seconds=config.timeout,
                elicitation_callback=self._decline,
            )
        from httpx2 import AsyncClient

        way_out = await stack.enter_async_context(proxy(self._guard.trusting(config.url)))
        headers = {name: _opened(value) for name, value in config.headers.items()}
        http = await stack.enter_async_context(
            AsyncClient(proxy=way_out.url, trust_env=False, headers=headers, timeout=config.timeout)
        )
        return Client(
            streamable_http_client(config.url, http_client=http),
            read_timeout_seconds=config.timeout,
            elicitation_callback=self._decline,
        )

    async def _decline(self, context: Any, params: Any) -> ElicitResult:
        from mcp_types import ElicitResult

        self.declined.append(cleaned(str(params.message))[:300])
        return ElicitResult(action="decline")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")


def _opened(value: str) -> str:
    return _SECRET.sub(lambda found: secret_of(found[1]), value)


def _is_answer(error: Exception) -> bool:
    """The server itself said that it did not do it."""
    from mcp.shared.exceptions import MCPError
    from mcp.types import CONNECTION_CLOSED, REQUEST_TIMEOUT

    return isinstance(error, MCPError) and error.code not in (CONNECTION_CLOSED, REQUEST_TIMEOUT)


def first_reason(error: BaseException) -> str:
    """The first reason in a bundle of them."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]
