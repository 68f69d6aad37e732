"""Real processes: killed by SIGKILL, stopped and continued as zombies, two on one folder."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auteryn.testing.chaos import Undisturbed, differences, undisturbed
from auteryn.testing.clock import skipping
from auteryn.testing.laws import broken_laws, state_of
from auteryn.testing.scenarios import BUDGET_CALLS, SCENARIOS
from auteryn.testing.world import World

PATIENCE_SECONDS = 60

children = list[subprocess.Popen[str]]()


def process(folder: Path, scenario: str, *more: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "auteryn.testing.process", str(folder), scenario, *more]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    children.append(child)
    assert child.stdout and child.stdout.readline() == "ready\n"
    return child


def ended(child: subprocess.Popen[str]) -> str:
    """The run's id, from a process that came to its end."""
    assert died(child) == 0
    assert child.stdout
    return child.stdout.read().split()[0]


def died(child: subprocess.Popen[str]) -> int:
    return child.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    yield
    while children:
        with children.pop() as child:
            child.kill()


def came_to(folder: Path, run: str) -> tuple[dict[str, Any], list[str]]:
    async def look() -> tuple[dict[str, Any], list[str]]:
        world = await World(folder / "home").open(hosting=False)
        try:
            return await state_of(world, run), await broken_laws(world, run)
        finally:
            await world.services.store.close()

    return skipping(look())


def calls_of(folder: Path, run: str) -> int:
    """Model calls the tree has counted."""

    async def look() -> int:
        world = await World(folder / "home").open(hosting=False)
        try:
            return (await world.run(run)).usage.llm_calls
        finally:
            await world.services.store.close()

    return skipping(look())


def same(folder: Path, run: str, usual: Undisturbed) -> None:
    state, broken = came_to(folder, run)
    assert [*broken, *differences(usual.state, state)] == []


def met_by_all(usual: Undisturbed) -> range:
    """The points every process comes to. The last one follows the end of the run, and only a slice that is quicker than the
    closing of its world gets there: half of the undisturbed processes do."""
    return range(len(usual.points) - 1)


@pytest.fixture(params=["once", "plan"])
def scenario(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def usual(scenario: str, tmp_path: Path) -> Undisturbed:
    return undisturbed(SCENARIOS[scenario], tmp_path / "usual")


@pytest.mark.proves("P31", "L2", "L6", "F9")
def test_sigkill_at_a_point_and_another_process_finishes(scenario: str, usual: Undisturbed, tmp_path: Path) -> None:
    for at in met_by_all(usual)[3 :: len(usual.points) // 9]:
        folder = tmp_path / str(at)
        child = process(folder, scenario, "--kill-at", str(at))
        assert died(child) == -signal.SIGKILL
        same(folder, ended(process(folder, scenario)), usual)


@pytest.mark.proves("P31", "L4", "F9")
def test_sigkill_at_any_moment_and_another_process_finishes(scenario: str, usual: Undisturbed, tmp_path: Path) -> None:
    dice = random.Random(scenario)
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        for _ in range(2):
            child = process(folder, scenario, "--pace", "0.005")
            try:
                child.wait(timeout=dice.uniform(0.1, 0.005 * len(usual.points)))
            except subprocess.TimeoutExpired:
                child.kill()
            died(child)
        same(folder, ended(process(folder, scenario)), usual)


@pytest.mark.proves("L11", "F9")
def test_no_sigkill_makes_a_cap_give_way_or_forgets_what_was_sent(tmp_path: Path) -> None:
    usual = undisturbed(SCENARIOS["budget"], tmp_path / "usual")
    asked = [at for at in met_by_all(usual) if usual.points[at] == "after model.generate"]
    for at in asked[2 :: len(asked) // 4]:
        folder = tmp_path / str(at)
        child = process(folder, "budget", "--kill-at", str(at))
        assert died(child) == -signal.SIGKILL
        run = ended(process(folder, "budget"))
        same(folder, run, usual)
        lost = 1  # the answer that had just come was in no commit: it was asked for again
        assert len(asked) + lost <= calls_of(folder, run) <= BUDGET_CALLS


@pytest.mark.proves("L1", "L6", "F10", "F27")
def test_a_stopped_process_that_goes_on_after_the_takeover_changes_nothing(
    scenario: str, usual: Undisturbed, tmp_path: Path
) -> None:
    for at in met_by_all(usual)[8 :: len(usual.points) // 6]:
        folder = tmp_path / str(at)
        zombie = process(folder, scenario, "--stop-at", str(at))
        _, status = os.waitpid(zombie.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        run = ended(process(folder, scenario, "--ahead", "120"))
        zombie.send_signal(signal.SIGCONT)
        assert ended(zombie) == run
        same(folder, run, usual)


@pytest.mark.proves("P7", "L1", "L5", "F3")
def test_two_processes_in_one_folder_do_the_work_once(scenario: str, usual: Undisturbed, tmp_path: Path) -> None:
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        both = [process(folder, scenario, "--real-time", "--pace", "0.001") for _ in range(2)]
        assert len({ended(child) for child in both}) == 1
        state, broken = came_to(folder, next(iter(usual.state["runs"])))
        assert [*broken, *differences(usual.state, state)] == []
