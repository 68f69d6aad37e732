"""A quick run that finds its task large says so and goes on in depth."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from auteryn.policy.modes import DEEP
from auteryn.schema.event import ModeRaised
from auteryn.schema.run import Options, Parent
from auteryn.tools.mode import go_deep
from unit.tools.room import Room


@pytest.mark.tool("go_deep", "happy")
def test_the_run_has_the_limits_of_deep_from_then_on(room: Room) -> None:
    room.run = replace(room.run, mode="fast")
    outcome = room.call(go_deep, reason="ten companies are to be compared")
    assert outcome.events == (ModeRaised(reason="ten companies are to be compared", llm_calls=DEEP.llm_calls),)
    room.commit(outcome)
    assert room.run.mode == "deep" and room.run.limits.llm_calls == DEEP.llm_calls
    assert room.refusal(go_deep, reason="once more").kind == "denied"


@pytest.mark.proves("P18", "L11")
def test_what_the_owner_allowed_holds_in_every_mode(room: Room) -> None:
    room.run = replace(room.run, mode="fast", options=Options(llm_calls=20))
    room.commit(room.call(go_deep, reason="ten companies are to be compared"))
    assert (room.run.mode, room.run.limits.llm_calls) == ("deep", 20)


@pytest.mark.proves("L11")
def test_a_step_stays_within_what_it_was_given(room: Room) -> None:
    parent = Parent(run="run_0", root="run_0", kind="step", key=1, of="plan_1", attempt=1)
    room.run = replace(room.run, mode="fast", parent=parent)
    assert room.refusal(go_deep, reason="a long step").kind == "denied"


@pytest.mark.tool("go_deep", "failure")
def test_a_reason_must_be_given(room: Room) -> None:
    assert room.refusal(go_deep).kind == "invalid"
