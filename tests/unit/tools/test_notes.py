"""The scratchpad: one for the whole tree, never lost, never written twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from auteryn.schema.run import Parent
from auteryn.tools.notes import ledger_notes, note_read, note_write
from unit.tools.room import Room


@pytest.mark.tool("note_write", "happy")
@pytest.mark.tool("note_read", "happy")
@pytest.mark.proves("P35")
def test_two_hundred_notes_are_all_there_and_can_be_searched(room: Room) -> None:
    for n in range(200):
        room.call(note_write, section=f"topic {n % 5}", text=f"finding number {n}: price {n * 3} dollars")
        room.clock.jump(timedelta(minutes=1))
    sections = room.call(note_read)["sections"]
    assert [(one["section"], one["notes"]) for one in sections] == [(f"topic {n}", 40) for n in range(5)]
    assert room.call(note_read, section="topic 3")["text"].count("\n") == 39
    found = room.call(note_read, search="finding 137")["found"]
    assert found[0] == {"section": "topic 2", "text": "finding number 137: price 411 dollars"}


@pytest.mark.proves("P35")
def test_steps_share_the_notes_of_their_tree_and_others_do_not(room: Room, as_run: Callable[..., None]) -> None:
    room.call(note_write, section="plan", text="from the root")
    as_run(id="run_2", parent=Parent(run="run_1", root="run_1", kind="step", key=1))
    room.call(note_write, section="Plan ", text="from a step")
    assert room.call(note_read, section="plan")["text"] == "from the root\nfrom a step"
    as_run(id="run_3", parent=None)
    assert room.call(note_read) == {"sections": []}


@pytest.mark.proves("L6")
def test_a_repeated_note_is_one_note(room: Room) -> None:
    for _ in range(2):
        room.call(note_write, "call_x", section="a", text="once")
    assert room.call(note_read, section="a")["text"] == "once"


def test_a_repeated_replacement_keeps_what_came_after_it(room: Room) -> None:
    room.call(note_write, section="a", text="old")
    room.call(note_write, "call_x", section="a", text="new", mode="replace")
    room.clock.jump(timedelta(seconds=1))
    room.call(note_write, section="a", text="later")
    room.call(note_write, "call_x", section="a", text="new", mode="replace")
    assert room.call(note_read, section="a")["text"] == "new\nlater"


def test_constraints_and_decisions_are_for_the_ledger(room: Room) -> None:
    for section, text in (("Decisions", "use SQL"), ("other", "x"), ("constraints", "no mails"), ("decisions", "in English")):
        room.call(note_write, section=section, text=text)
    told = asyncio.run(ledger_notes(room.store, "run_1"))
    assert told == [("constraints", "no mails"), ("decisions", "use SQL"), ("decisions", "in English")]


@pytest.mark.tool("note_write", "failure")
@pytest.mark.tool("note_read", "failure")
def test_what_cannot_be_noted_or_found_is_refused(room: Room) -> None:
    room.call(note_write, section="a", text="x")
    assert room.refusal(note_write, section="a", text="x" * 20_001).kind == "too_large"
    assert room.refusal(note_write, section="", text="x").kind == "invalid"
    assert "there is 'a'" in str(room.refusal(note_read, section="b"))
    assert room.call(note_read, search="zebra") == {"found": [], "total": 0}
