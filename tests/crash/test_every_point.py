"""Every scenario, killed before and after every durable write and every effect, comes to the same end."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from auteryn.testing.chaos import Examination, Report
from auteryn.testing.scenarios import SCENARIOS

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


@pytest.mark.proves("L3", "L5", "F3", "F4", "F5", "F6", "F16", "F19", "F22")
@every_scenario
def test_messages_may_be_lost_doubled_or_late(examination: Examination) -> None:
    examination.lose_mail(thin=4)
    assert holds(examination.report)


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
