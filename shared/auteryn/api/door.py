"""The door: one request in, one response out. An ASGI application, and what `functions/api` hands its requests to."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from auteryn.api.auth import FOR_OWNER, Auth, Caller, IdTokens, may
from auteryn.api.call import Call, Reply
from auteryn.api.keys import Role
from auteryn.api.limits import Quota, Rate, Room
from auteryn.api.openapi import document
from auteryn.api.problems import CutOff, NoSuchMethod, unexpected
from auteryn.api.reading import body_of, file_of, in_time, query_of
from auteryn.api.routes import MCP_PATH, Route, route_of
from auteryn.api.runs import stream_events
from auteryn.api.stream import Pace
from auteryn.api.window import refused
from auteryn.errors import AuterynError, NotAllowed, NotFound
from auteryn.runtime.engine import Engine
from auteryn.runtime.outgoing import ASK
from auteryn.schema.record import full
from auteryn.service.seal import Seal

if TYPE_CHECKING:
    from auteryn.api.mcp import McpRoom

GUARDS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}

DESCRIPTION_PATH = "/openapi.json"

QUOTA, PACE = Quota(), Pace()

_log = logging.getLogger(__name__)


class Door:
    """One engine's HTTP interface. It remembers only how often each owner asked, so any instance can answer any request."""

    def __init__(
        self,
        engine: Engine,
        *,
        quota: Quota = QUOTA,
        pace: Pace = PACE,
        id_tokens: IdTokens | None = None,
        members: Sequence[tuple[str, Role]] = (),
        secure: bool = True,
    ) -> None:
        self.engine, self.pace = engine, pace
        store = engine.services.store
        self.auth = Auth(store, Seal(store), id_tokens, members, secure)
        self._rate, self._room = Rate(quota), Room(engine, quota)
        self._closing = asyncio.Event()
        self._mcp: McpRoom | None = None

    def close(self) -> None:
        """The server stops: every stream ends now, and its client resumes at the next."""
        self._closing.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "websockets and lifespans are none of this door's business"
        response = await self.respond(Request(scope, receive, send))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The answer, whatever comes: what was refused, and what went wrong here, are problem documents."""
        try:
            response = await self._respond(Request(request.scope, in_time(request.receive, self.pace.patience)))
        except AuterynError as error:
            if error.http_status >= 500:
                _log.warning("%s %s: %s", request.method, request.url.path, error)
            response = refused(request, error)
        except ClientDisconnect:  # the other side's affair: it is no fault of ours, and wakes nobody at night
            response = refused(request, CutOff("the request's body was cut off: send it again"))
        except Exception:  # noqa: BLE001 - the outermost place there is: a fault must not look like a broken connection
            _log.exception("%s %s failed", request.method, request.url.path)
            response = refused(request, unexpected())
        for name, value in GUARDS.items():
            response.headers.setdefault(name, value)
        if self._closing.is_set():
            response.headers["Connection"] = "close"  # whoever asks on the same line would hold up the server's end
        return response

    async def _respond(self, request: Request) -> Response:
        if request.url.path == DESCRIPTION_PATH:
            return self._description(request)
        if request.url.path == MCP_PATH:
            return await self._tools(request)
        route, path = route_of(request.method, request.url.path)
        streamed = path["run"] if route.handler is stream_events else None
        caller = None if route.role is None else await self._admitted(request, route.role, streamed)
        if caller and caller.csrf and may(caller, "admin") and FOR_OWNER not in request.headers:
            owner = await self._owner_of(path)
            caller = caller.acting_for(owner) if owner else caller
        call: Call[Any, Any] = Call(
            request=request,
            engine=self.engine,
            auth=self.auth,
            room=self._room,
            pace=self.pace,
            closing=self._closing,
            path=path,
            query=query_of(request, route.query),
            body=await self._body(request, route),
            known=caller,
        )
        found = await route.handler(call)
        if isinstance(found, Response):
            return found
        reply = found if isinstance(found, Reply) else Reply(found, route.statuses[0])
        return _json(request, msgspec.json.encode(full(reply.value)), reply.status, reply.headers)

    async def _body(self, request: Request, route: Route) -> Any:
        if route.body is None:
            return None
        if route.body is bytes:
            return await file_of(request, route.largest)
        return await body_of(request, route.body, route.largest, form=route.form)

    async def _admitted(self, request: Request, role: Role, streamed: str | None = None) -> Caller:
        """The caller; raises if nobody is known, they ask too often, or their role may not do this."""
        caller = await self.auth.caller(request, streamed, self.engine.now())
        self._rate.take(caller.owner, self.engine.now())
        if not may(caller, role):
            raise NotAllowed(f"this needs the role {role}; {caller.name!r} is {caller.role}")
        return caller

    async def _owner_of(self, path: dict[str, str]) -> str | None:
        """Whose the run or the question in the address is. An admin who opens it in the console acts for them: no link and no
        `EventSource` can name an owner in a header."""
        if "ask" in path and (line := await self.engine.services.store.doc(ASK, path["ask"])):
            return line.scope
        try:
            return (await self.engine.services.store.get(path["run"])).owner if "run" in path else None
        except NotFound:
            return None

    def _description(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise NoSuchMethod(f"{DESCRIPTION_PATH!r} takes GET only", "GET")
        return _json(request, document(), 200)

    async def _tools(self, request: Request) -> Response:
        """The tools for other agents; each checks itself what its caller may do."""
        if request.method != "POST":  # a stream from us to them would say nothing: no answer of ours comes later
            raise NoSuchMethod(f"{MCP_PATH!r} takes POST only", "POST")
        caller = await self._admitted(request, "viewer")
        from auteryn.api.mcp import McpRoom, Visit

        self._mcp = self._mcp or McpRoom(self._closing)
        return await self._mcp.response(Visit(self.engine, self._room, caller))


def _json(request: Request, body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    """JSON with its hash as ETag; 304 without a body for a reader who has it already."""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    common = {"ETag": etag, "Cache-Control": "private, no-cache", **(headers or {})}
    if status == 200 and request.method in ("GET", "HEAD") and etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, common)
    return Response(body, status, common, media_type="application/json")
