"""The crash matrix can fail: planted faults of the kinds it looks for are found."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from auteryn.adapters.embedded.database import Database
from auteryn.agent import attempt
from auteryn.runtime import slice as slices
from auteryn.testing.chaos import Examination
from auteryn.testing.scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.proves("L3")
def test_a_blind_repeat_of_an_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with Examination(SCENARIOS["once"]) as examination:
        monkeypatch.setattr(attempt, "_probed", attempt._with_room)
        examination.kill_everywhere()
        assert examination.report.effects_doubled > 0
        assert examination.report.broken
        assert all("took effect 2 times" in what for what in examination.report.broken), examination.report.broken


@pytest.mark.proves("L3")
def test_an_effect_without_its_intent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt.Work, "needs_intent", property(lambda work: False))
    with pytest.raises(AssertionError, match="without its intent"):
        Examination(SCENARIOS["once"])


@pytest.mark.proves("L6")
def test_an_intent_that_does_not_wait_for_the_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Database.write
    with Examination(SCENARIOS["once"]) as examination:
        monkeypatch.setattr(Database, "write", lambda self, apply, lasting=True: write(self, apply, lasting=False))
        examination.cut_power()
        assert examination.report.effects_doubled > 0


@pytest.mark.proves("L3")
def test_a_join_that_can_be_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with Examination(SCENARIOS["plan"]) as examination:
        monkeypatch.setattr(slices, "sends_of", lambda before, run, events, now: ())
        examination.kill_everywhere(step=50)
        assert any("failure is 'deadline', not None" in what for what in examination.report.broken)


@pytest.mark.proves("L3")
def test_a_run_that_nobody_would_come_back_to_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "wake_at", lambda run: None)
    with pytest.raises(AssertionError, match="stranded"):
        Examination(SCENARIOS["wait"])
