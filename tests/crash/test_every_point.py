"""Every scenario, killed before and after every durable write and every effect, comes to the same end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.policy.limits import LEASE
from auteryn.testing.chaos import Examination, Report
from auteryn.testing.clock import skipping
from auteryn.testing.crash import SWEEP_EVERY, Fate, Fault, Story
from auteryn.testing.scenarios import SCENARIOS
from auteryn.testing.world import World

MOST_SHOWN = 10


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Slices that are cut off mid-way say so in the log, some thousand times here."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def examination(request: pytest.FixtureRequest) -> Iterator[Examination]:
    with Examination(SCENARIOS[request.param]) as made:
        yield made


every_scenario = pytest.mark.parametrize("examination", list(SCENARIOS), indirect=True)


def holds(report: Report) -> bool:
    assert not report.broken, "\n".join([f"{len(report.broken)} broken:", *report.broken[:MOST_SHOWN]])
    return report.effects_doubled == 0


@pytest.mark.proves("P31", "P66", "P94", "P36", "L1", "L2", "L3", "L4", "L6", "F2", "F9", "F15", "F18")
@every_scenario
def test_a_kill_at_any_point_changes_nothing_in_the_end(examination: Examination) -> None:
    examination.kill_everywhere()
    assert holds(examination.report)
    assert examination.report.kills == examination.report.points > 40


@pytest.mark.proves("P31", "L4", "F9")
@every_scenario
def test_a_second_kill_during_the_recovery_changes_nothing_either(examination: Examination) -> None:
    examination.kill_twice(12, seed=7)
    assert holds(examination.report)


@pytest.mark.proves("P31", "L1", "L6", "L7")
@every_scenario
def test_a_power_cut_at_any_point_changes_nothing_either(examination: Examination) -> None:
    examination.cut_power(thin=5)
    assert holds(examination.report)


@pytest.mark.proves("L3", "L5", "F3", "F4", "F5", "F6", "F16", "F19", "F22")
@every_scenario
def test_messages_may_be_lost_doubled_or_late(examination: Examination) -> None:
    examination.lose_mail(thin=4)
    assert holds(examination.report)


@pytest.mark.proves("F6", "L4")
def test_a_start_that_comes_to_nothing_is_made_up_for_by_the_watchdog_before_any_sweep(tmp_path: Path) -> None:
    def lost(kind: str, number: int) -> Fault:
        return "lost" if (kind, number) == ("jobs.start", 0) else ""

    story = Story(SCENARIOS["once"], tmp_path).through([Fate(faults=lost)])

    async def look() -> None:
        world = await World(story.home).open(hosting=False)
        run = await world.run(story.run)
        await world.services.store.close()
        assert run.status == "completed" and run.ended_at
        assert LEASE <= run.ended_at - run.created_at < LEASE + timedelta(seconds=10) < SWEEP_EVERY

    skipping(look())


@pytest.mark.proves("L1", "F10", "F27")
@every_scenario
def test_a_process_that_freezes_and_thaws_after_the_takeover_writes_nothing(examination: Examination) -> None:
    examination.thaw_zombies(thin=4)
    assert holds(examination.report)


@pytest.mark.proves("L6")
def test_an_effect_cut_off_by_a_kill_is_told_and_not_repeated() -> None:
    with Examination(SCENARIOS["once"]) as examination:
        examination.kill_everywhere()
        assert holds(examination.report)
        assert examination.report.unknowns_told > 0
