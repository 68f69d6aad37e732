"""A network between a client and a gRPC server that can be told to fail: replies are lost, calls never arrive.

async with Proxy(host) as proxy:
    proxy.lose("Commit")      # the next commit is applied, and its client hears UNAVAILABLE
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from auteryn.testing.emulators.faults import Faults

_LARGEST_MESSAGE = 64 * 1024 * 1024
_OWN = ("grpc-", "content-type", "user-agent", "te")
"""Metadata that each connection makes for itself."""


class Proxy:
    """Forwards every call, of whatever service, and counts them by method."""

    def __init__(self, to: str) -> None:
        self._to = to
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        """How often each method was called, the failed ones included: `{"Commit": 2, …}`."""

        self.passed: Callable[[str], None] | None = None
        """Hears of each call after it was carried out and before its client does."""
        self.listening = False
        self.heard: list[tuple[str, bytes]] = []
        """Method and bytes of every request that came while `listening`."""

    def lose(self, method: str, times: int = 1, *, after: int = 0) -> None:
        """So many replies, once `after` calls of this method have passed: it was done, and the client hears UNAVAILABLE."""
        self.faults.plan(method, "lose", times=times, after=after)

    def refuse(self, method: str, times: int = 1, *, after: int = 0) -> None:
        """So many calls: the server never hears of them."""
        self.faults.plan(method, "refuse", times=times, after=after)

    async def __aenter__(self) -> Proxy:
        limits = [("grpc.max_receive_message_length", _LARGEST_MESSAGE), ("grpc.max_send_message_length", _LARGEST_MESSAGE)]
        self._channel: Any = grpc.aio.insecure_channel(self._to, options=limits)
        self._server = grpc.aio.server(options=limits)
        self._server.add_generic_rpc_handlers([_Everything(self)])
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.host = f"127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        await self._channel.close()

    async def forward(self, method: str, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """One call from its first message to its last."""
        name = method.rpartition("/")[2]
        self.calls[name] += 1
        planned = self.faults.next(name)
        fault = planned and planned.kind
        if fault == "refuse":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{name} was not delivered")
        call = self._channel.stream_stream(method)(
            self._overhearing(name, requests), metadata=_passed_on(context.invocation_metadata())
        )
        try:
            async for reply in call:
                if self.passed:
                    self.passed(name)
                if fault != "lose":
                    yield reply
        except grpc.aio.AioRpcError as error:
            if fault == "lose":
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"the refusal of {name} was lost")
            await context.abort(error.code(), error.details() or "", error.trailing_metadata() or ())
        if fault == "lose":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the reply of {name} was lost")

    async def _overhearing(self, name: str, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            if self.listening:
                self.heard.append((name, request))
            yield request


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
