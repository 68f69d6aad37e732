"""gRPC services from plain functions: `async def method(request) -> reply` with the stock client's own types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import grpc
import grpc.aio

from auteryn.testing.emulators.faults import Faults


class Method(NamedTuple):
    act: Callable[[Any], Awaitable[Any]]
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


class Refusal(Exception):
    """What the service answers instead of a reply."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def method(act: Callable[[Any], Awaitable[Any]], request: Any, reply: Any) -> Method:
    """`request` and `reply` are message types, of either kind that Google's clients use."""
    read = request.deserialize if hasattr(request, "deserialize") else request.FromString
    write = reply.serialize if hasattr(reply, "serialize") else _to_bytes
    return Method(act, read, write)


async def serve(services: Mapping[str, Mapping[str, Method]], faults: Faults) -> tuple[Any, str]:
    """A running server and its `host:port`. Faults are planned by the method's name."""
    server = grpc.aio.server()
    everything: Any = grpc
    for service, methods in services.items():
        handlers = {
            name: everything.unary_unary_rpc_method_handler(_guarded(name, one, faults), one.read, one.write)
            for name, one in methods.items()
        }
        server.add_generic_rpc_handlers([everything.method_handlers_generic_handler(service, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"127.0.0.1:{port}"


def _guarded(name: str, one: Method, faults: Faults) -> Callable[[Any, Any], Awaitable[Any]]:
    async def handle(request: Any, context: Any) -> Any:
        fault = faults.next(name)
        kind = fault and fault.kind
        if kind == "refuse":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"{name} was not delivered")
        if kind == "busy":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"quota exceeded for {name}")
        try:
            reply = await one.act(request)
        except Refusal as refusal:
            await context.abort(refusal.code, refusal.message)
            raise
        if kind == "lose":
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the reply of {name} was lost")
        return reply

    return handle


def _to_bytes(message: Any) -> bytes:
    return message.SerializeToString()
