"""What is worth another try."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.api_core.exceptions import (
    Aborted,
    GatewayTimeout,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unknown,
)
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.gcp.faults import for_now, from_auth, persist
from auteryn.adapters.gcp.store import FirestoreStore
from auteryn.errors import Unavailable

NO_TIME = timedelta(0)


def calls(*outcomes: Exception | str) -> tuple[list[int], object]:
    """A call that comes to these, one after the other, and how often it was made."""
    made, left = list[int](), list(outcomes)

    async def call() -> str:
        made.append(1)
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return made, call


def test_a_call_whose_time_passed_while_the_process_stood_still_is_made_once_more() -> None:
    made, call = calls(GatewayTimeout("its five seconds were over at once"), "there")
    assert asyncio.run(persist(call, NO_TIME)) == "there"  # type: ignore[arg-type]
    assert len(made) == 2


def test_without_patience_the_second_failure_is_raised_and_what_is_refused_is_not_repeated() -> None:
    for failures, times in (((ServiceUnavailable("a"), ServiceUnavailable("b"), "never"), 2), ((NotFound("c"), "never"), 1)):
        made, call = calls(*failures)
        with pytest.raises((ServiceUnavailable, NotFound)):
            asyncio.run(persist(call, NO_TIME))  # type: ignore[arg-type]
        assert len(made) == times


@pytest.mark.parametrize(
    "failure",
    [Aborted, GatewayTimeout, InternalServerError, ServiceUnavailable, TooManyRequests, Unknown],
    ids=lambda failure: failure.__name__,
)
def test_what_may_go_by_itself_is_tried_again_contention_included(failure: Callable[[str], Exception]) -> None:
    made, call = calls(failure("now"), "there")
    assert asyncio.run(persist(call, NO_TIME)) == "there"  # type: ignore[arg-type]
    assert len(made) == 2


def test_a_token_that_cannot_be_had_now_is_told_from_one_that_nobody_gives() -> None:
    unreachable = RefreshError("the metadata server does not answer")
    unreachable.__cause__ = TransportError("status 503")  # as google-auth raises it
    for error in (unreachable, RefreshError("try later", retryable=True), TransportError("no route")):
        assert isinstance(from_auth(error, "bucket 'b'"), Unavailable)
        assert for_now(error)
    for error in (RefreshError("invalid_grant"), DefaultCredentialsError("nobody is signed in")):
        assert not for_now(error)
        assert "gcloud auth application-default login" in str(from_auth(error, "bucket 'b'"))


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND"])
def test_what_the_database_refuses_us_is_said_to_nobody_as_a_refusal(code: str, tmp_path: Path) -> None:
    """An account without its role, a database that is not there: whoever asks us can do nothing about it, and the alert for
    5xx is for those who can."""

    class Refusing(grpc.GenericRpcHandler):
        def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            async def refuse(requests: Any, context: Any) -> Any:
                await context.abort(grpc.StatusCode[code], "no")
                yield b""

            return grpc.stream_stream_rpc_method_handler(refuse)

    async def main() -> None:
        server = grpc.aio.server(handlers=[Refusing()])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        store = FirestoreStore.open("p", FolderBlobs(tmp_path), host=f"127.0.0.1:{port}")
        try:
            for asked in (store.get("run_1"), store.doc("key", "k"), store.runs()):
                with pytest.raises(Unavailable, match="database"):
                    await asked
        finally:
            await store.close()
            await server.stop(None)

    asyncio.run(main())
