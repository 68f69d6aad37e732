"""A network between a client and a gRPC server that can be told to fail: replies are lost, calls never arrive.

async with Proxy(host) as proxy:
    proxy.lose("Commit")      # the next commit is applied, and its client hears UNAVAILABLE
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Literal, NamedTuple

import grpc
import grpc.aio

from auteryn.testing.emulators.faults import Faults

_LARGEST_MESSAGE = 64 * 1024 * 1024
_LIMITS = [("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.max_send_message_length", _LARGEST_MESSAGE)]
_OWN = ("grpc-", "content-type", "user-agent", "te")
"""Metadata that each connection makes for itself."""


class Passing(NamedTuple):
    """A call with one message, on its way through the network."""

    number: int
    """Of its method, from 1."""
    when: Literal["before", "after"]
    """The server heard of it: not yet, or it has carried it out and its client does not know."""
    peer: str
    """Whose end of the connection: `ipv4:127.0.0.1:40123`."""
    request: bytes


class Dropped(Exception):
    """Raised by a guard: the call goes no further, and its client hears UNAVAILABLE."""


Guard = Callable[[Passing], Awaitable["asyncio.Event | None"]]
"""Sees a call before and after. An event it gives holds the call: the server hears of it when the event is set, and hears of it
even if its client has gone by then."""


class Proxy:
    """Forwards every call, of whatever service, and counts them by method."""

    def __init__(self, to: str) -> None:
        self._to = to
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        """How often each method was called, the failed ones included: `{"Commit": 2, …}`."""

        self.guards: dict[str, Guard] = {}
        """By method; of calls with one message."""
        self._next: dict[str, asyncio.Future[None]] = {}
        self._held: set[asyncio.Future[bytes]] = set()

    def another(self, method: str) -> asyncio.Future[None]:
        """Done as soon as the next call of this method has been carried out."""
        if method not in self._next:
            self._next[method] = asyncio.get_running_loop().create_future()
        return self._next[method]

    def lose(self, method: str, times: int = 1, *, after: int = 0) -> None:
        """So many replies, once `after` calls of this method have passed: it was done, and the client hears UNAVAILABLE."""
        self.faults.plan(method, "lose", times=times, after=after)

    def refuse(self, method: str, times: int = 1, *, after: int = 0) -> None:
        """So many calls: the server never hears of them."""
        self.faults.plan(method, "refuse", times=times, after=after)

    async def __aenter__(self) -> Proxy:
        self.host = "127.0.0.1:0"
        await self.up()
        return self

    async def up(self, to: str | None = None) -> None:
        """It listens where it always did, and leads to the server it led to or to another one."""
        self._to = to or self._to
        self._channel: Any = grpc.aio.insecure_channel(self._to, options=_LIMITS)
        self._server = grpc.aio.server(options=_LIMITS)
        self._server.add_generic_rpc_handlers([_Everything(self)])
        port = self._server.add_insecure_port(self.host)
        await self._server.start()
        self.host = f"127.0.0.1:{port}"

    async def down(self) -> None:
        """Every connection is cut, and none can be made."""
        await self._server.stop(None)
        await self._channel.close()

    async def __aexit__(self, *_: object) -> None:
        await self.down()
        for call in self._held:
            call.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)

    async def forward(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """One call from its first message to its last."""
        name = method.rpartition("/")[2]
        self.calls[name] += 1
        planned = self.faults.next(name)
        fault = planned and planned.kind
        if fault == "refuse":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{name} was not delivered")
        metadata = _passed_on(context.invocation_metadata())
        try:
            async for reply in self._replies(method, requests, metadata, context):
                if (waiting := self._next.pop(name, None)) and not waiting.cancelled():
                    waiting.set_result(None)
                if fault != "lose":
                    yield reply
        except Dropped:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{name} was dropped")
        except grpc.aio.AioRpcError as error:
            if fault == "lose":
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"the refusal of {name} was lost")
            await context.abort(error.code(), error.details() or "", error.trailing_metadata() or ())
        if fault == "lose":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the reply of {name} was lost")

    def _replies(self, method: str, requests: AsyncIterator[bytes], metadata: Any, context: Any) -> AsyncIterator[bytes]:
        guard = self.guards.get(method.rpartition("/")[2])
        if guard is None:
            return self._channel.stream_stream(method)(requests, metadata=metadata)
        return self._guarded(guard, method, requests, metadata, context.peer())

    async def _guarded(
        self, guard: Guard, method: str, requests: AsyncIterator[bytes], metadata: Any, peer: str
    ) -> AsyncIterator[bytes]:
        passing = Passing(self.calls[method.rpartition("/")[2]], "before", peer, await anext(requests))
        hold = await guard(passing)
        call = asyncio.ensure_future(self._carry(hold, method, passing.request, metadata))
        self._held.add(call)
        call.add_done_callback(self._carried)
        reply = await asyncio.shield(call)
        await guard(passing._replace(when="after"))
        yield reply

    def _carried(self, call: asyncio.Future[bytes]) -> None:
        """Its client may be gone by now, and nobody else asks what came of it."""
        self._held.discard(call)
        if not call.cancelled():
            call.exception()

    async def _carry(self, hold: asyncio.Event | None, method: str, request: bytes, metadata: Any) -> bytes:
        if hold:
            await hold.wait()
        return await self._channel.unary_unary(method)(request, metadata=metadata)


class _Everything(grpc.GenericRpcHandler):
    """A call with one message is, on the wire, a stream of one."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def service(self, handler_call_details: Any) -> Any:
        method: str = handler_call_details.method

        async def forward(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async for reply in self._proxy.forward(method, requests, context):
                yield reply

        handlers: Any = grpc
        return handlers.stream_stream_rpc_method_handler(forward)


def _passed_on(metadata: Any) -> Sequence[tuple[str, Any]]:
    return [(key, value) for key, value in metadata or () if not key.startswith(_OWN)]
