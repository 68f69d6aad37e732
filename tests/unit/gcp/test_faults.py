"""What is worth another try."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.api_core.exceptions import GatewayTimeout, NotFound, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

from auteryn.adapters.gcp.faults import from_auth, persist
from auteryn.errors import NotAllowed, Unavailable

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


def test_a_token_that_cannot_be_had_now_is_told_from_one_that_nobody_gives() -> None:
    unreachable = RefreshError("the metadata server does not answer")
    unreachable.__cause__ = TransportError("status 503")  # as google-auth raises it
    for error in (unreachable, RefreshError("try later", retryable=True), TransportError("no route")):
        assert isinstance(from_auth(error, "bucket 'b'"), Unavailable)
    for error in (RefreshError("invalid_grant"), DefaultCredentialsError("nobody is signed in")):
        assert isinstance(from_auth(error, "bucket 'b'"), NotAllowed)
