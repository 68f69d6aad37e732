"""Memories outlive runs and belong to one owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from auteryn.policy.gates import FOREIGN
from auteryn.tools import memory
from auteryn.tools.memory import memory_save, memory_search
from unit.tools.room import Room


def texts(room: Room, query: str) -> list[str]:
    return [one["text"] for one in room.call(memory_search, query=query).output["memories"]]


@pytest.mark.tool("memory_save", "happy")
def test_a_later_run_of_the_same_owner_remembers(room: Room, as_run: Callable[..., None]) -> None:
    room.call(memory_save, text="Reports go out as PDF", tags=["format"])
    room.call(memory_save, text="The fiscal year starts in April")
    as_run(id="run_2")
    assert texts(room, "which format for the report") == ["Reports go out as PDF"]
    as_run(owner="somebody else")
    assert texts(room, "report format") == []


@pytest.mark.proves("L6")
def test_the_same_text_is_kept_once(room: Room) -> None:
    first = room.call(memory_save, text="Likes tables")
    assert room.call(memory_save, text="likes  tables ") == first
    assert len(texts(room, "tables")) == 1


@pytest.mark.tool("memory_search", "happy")
def test_the_best_match_comes_first_and_the_limit_holds(room: Room) -> None:
    for text in ("coffee and tea", "tea", "coffee coffee beans"):
        room.call(memory_save, text=text)
    assert texts(room, "coffee beans")[0] == "coffee coffee beans"
    assert len(room.call(memory_search, query="coffee tea", limit=1).output["memories"]) == 1


@pytest.mark.tool("memory_save", "failure")
def test_too_much_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.refusal(memory_save, text="x" * 4_001).kind == "too_large"
    monkeypatch.setattr(memory, "MEMORIES", 1)
    room.call(memory_save, text="one")
    room.call(memory_save, text="one")
    assert room.refusal(memory_save, text="two").kind == "quota"
    assert room.refusal(memory_save, text="x", tags=["t"] * 11).kind == "invalid"


@pytest.mark.tool("memory_search", "failure")
def test_nothing_remembered_is_said_and_a_limit_is_a_limit(room: Room) -> None:
    assert room.call(memory_search, query="tea").output == {"memories": [], "total": 0}
    assert room.refusal(memory_search, query="tea", limit=51).kind == "invalid"


def test_what_was_remembered_by_a_run_that_had_read_foreign_text_is_foreign(room: Room) -> None:
    assert memory_search.private
    room.call(memory_save, text="tea")
    assert room.call(memory_search, query="tea").labels == ()
    room.labels = frozenset({FOREIGN})
    room.call(memory_save, text="more tea")
    assert room.call(memory_search, query="tea").labels == (FOREIGN,)
