"""A long history costs what is new in it, not what it holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from auteryn.schema.event import Entry
from auteryn.schema.record import to_json
from auteryn.testing.clock import skipping
from auteryn.testing.scenarios import lookup
from auteryn.testing.scripted import Ask, Line, ScriptedModel, call
from auteryn.testing.world import World

CALLS = 5_000


def _bytes_per_turn(entries: Sequence[Entry], turns: tuple[int, int]) -> float:
    sizes = dict[int, int]()
    turn = 0
    for entry in entries:
        turn += sum(type(event).__name__ == "ModelAnswered" for event in entry.events)
        sizes[turn] = sizes.get(turn, 0) + len(to_json(entry))
    chosen = [sizes[n] for n in range(*turns)]
    return sum(chosen) / len(chosen)


@pytest.mark.proves("P18", "L8", "L11")
def test_five_thousand_calls_write_as_much_at_the_end_as_at_the_beginning(tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "so far so good"
        return call("lookup", what=f"{ask.turn:06}") if ask.tools else "as far as it goes"

    async def story() -> None:
        async with World(tmp_path, model=script, tools=[lookup]) as world:
            run = await world.start("Look up a lot")
            ended = await world.ended(run)
            assert ended.failure and ended.failure.reason == "llm_call_limit"
            assert ended.usage.llm_calls == CALLS == world.model.calls  # type: ignore[attr-defined]
            entries = await world.journal(run)
            early, late = _bytes_per_turn(entries, (100, 600)), _bytes_per_turn(entries, (4_300, 4_800))
            assert abs(late / early - 1) < 0.1

    skipping(story())


class Counting(ScriptedModel):
    """Counts the function calls of our code between one answer of the model and the next request."""

    def __init__(self, script: Any) -> None:
        super().__init__(script)
        self.turns = list[int]()
        self._count = 0

    async def generate(self, request: Any, **how: Any) -> Any:
        sys.setprofile(None)
        self.turns.append(self._count)
        self._count = 0
        reply = await super().generate(request, **how)
        sys.setprofile(self._called)
        return reply

    def _called(self, frame: Any, kind: str, arg: Any) -> None:
        self._count += kind in ("call", "c_call")


@pytest.mark.proves("L8")
def test_a_turn_is_as_much_work_at_the_end_as_at_the_beginning(tmp_path: Path) -> None:
    """Without a compaction: what is sent grows, what is done for it does not."""
    model = Counting(lambda ask: call("lookup", what=f"{ask.turn:06}") if ask.turn < 600 else "over")

    async def story() -> None:
        async with World(tmp_path, model=model, tools=[lookup], compact_at_tokens=10**9) as world:
            try:
                assert (await world.ended(await world.start("Look up a lot"))).result == "over"
            finally:
                sys.setprofile(None)

    skipping(story())
    early, late = sum(model.turns[50:100]) / 50, sum(model.turns[550:600]) / 50
    assert late < 1.2 * early


@pytest.mark.proves("L8")
def test_a_resume_reads_the_window_and_not_the_history(tmp_path: Path) -> None:
    read = list[int]()

    def script(ask: Ask) -> Line:
        if "Summarise this transcript" in ask.last:
            return "so far so good"
        return (
            call("wait", until="1m")
            if ask.turn % 100 == 99 and ask.turn < 1_500
            else (call("lookup", what=f"{ask.turn:06}") if ask.turn < 1_500 else "over")
        )

    async def story() -> None:
        from auteryn.tools.time import wait

        small: dict[str, Any] = {"compact_at_tokens": 6_000, "keep_tokens": 1_500}
        async with World(tmp_path, model=script, tools=[lookup, wait], **small) as world:
            store: Any = world.services.store
            journal = store.journal

            async def counted(run: str, **how: Any) -> Sequence[Entry]:
                entries = await journal(run, **how)
                if how.get("limit") != 1:
                    read.append(len(entries))
                return entries

            store.journal = counted
            run = await world.start("Look up a lot")
            assert (await world.ended(run)).result == "over"
            assert len(read) >= 15 and max(read) <= 3 * read[2]

    skipping(story())
