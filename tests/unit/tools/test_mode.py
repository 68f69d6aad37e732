"""A quick run that finds its task large says so and goes on in depth."""

from __future__ import annotations

import pytest

from auteryn.policy.modes import DEEP
from auteryn.schema.event import ModeRaised
from auteryn.tools.mode import go_deep
from unit.tools.room import Room


@pytest.mark.tool("go_deep", "happy")
def test_the_run_has_the_limits_of_deep_from_then_on(room: Room) -> None:
    outcome = room.call(go_deep, reason="ten companies are to be compared")
    assert outcome.events == (ModeRaised(reason="ten companies are to be compared", llm_calls=DEEP.llm_calls),)
    room.commit(outcome)
    assert room.run.mode == "deep" and room.run.limits.llm_calls == DEEP.llm_calls


@pytest.mark.tool("go_deep", "failure")
def test_a_reason_must_be_given(room: Room) -> None:
    assert room.refusal(go_deep).kind == "invalid"
