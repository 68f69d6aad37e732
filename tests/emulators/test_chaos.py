"""Scenarios of the engine as the cloud plays them: over HTTP, tasks, pushes and processes, undisturbed and not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from auteryn.testing.emulators.chaos import Stage, stage

T = TypeVar("T")


class Played:
    """A stage on an event loop of its own, shared by the tests of this file."""

    def __init__(self, folder: Any) -> None:
        self._folder, self._stack = folder, AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Played:
        self._thread.start()
        self.stage: Stage = self.do(self._stack.enter_async_context(stage(self._folder)))
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, story: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(story, self._loop).result()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, firestore_emulator: str, pubsub_emulator: str) -> Iterator[Played]:
    with Played(tmp_path_factory.mktemp("stage")) as ready:
        yield ready


@pytest.mark.proves("P1", "P31", "P36", "P38", "P42", "L3", "L4", "L5")
@pytest.mark.parametrize("name", ["plan", "approval", "pause"])
def test_a_scenario_holds_from_end_to_end(played: Played, name: str) -> None:
    report = played.do(played.stage.play(name))
    assert report.broken == []
    assert report.executions > 0


@pytest.mark.proves("F3", "F5", "F9", "F10", "F13", "L1", "L2", "L6", "L7")
@pytest.mark.parametrize(("name", "seed"), [("plan", 2), ("once", 1)])
def test_nothing_is_lost_or_doubled_while_everything_fails(played: Played, name: str, seed: int) -> None:
    """Messages lost, doubled, late; starts too; commits and reads that fail; a slice killed, another frozen and thawed."""
    report = played.do(played.stage.play(name, seed=seed))
    assert report.broken == [], report.faults


@pytest.mark.proves("F9", "L2", "L6")
@pytest.mark.parametrize("kill_at", [4, 7])
def test_a_slice_that_dies_as_a_commit_has_passed_is_continued(played: Played, kill_at: int) -> None:
    """The store has it, the slice never learns so; a mail that may have gone out is reported, not sent again."""
    report = played.do(played.stage.play("once", kill_at=kill_at))
    assert report.broken == []
    assert report.kills > 0
