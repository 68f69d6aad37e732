"""Scenarios of the engine as the cloud plays them: over HTTP, tasks, pushes and processes, undisturbed and not.

A sample of the matrix that `auteryn chaos --cloud --full` goes through.
"""

from __future__ import annotations

import pytest

from auteryn.testing.emulators.chaos import sampled
from auteryn.testing.emulators.disturbances import Freeze, Kill
from auteryn.testing.emulators.stage import PLAYED
from emulators.played import Played


@pytest.mark.proves("P1", "P31", "P36", "P38", "P42", "L1", "L2", "L3", "L4", "L5", "L6", "F3", "F5", "F9", "F10", "F13", "F16")
@pytest.mark.parametrize("name", PLAYED)
def test_a_scenario_comes_to_the_same_whatever_goes_wrong(played: Played, name: str) -> None:
    """Somebody killed before a commit, somebody after one; a slice frozen before and after; a message lost, doubled or late."""
    plain = played.plain(name)
    assert plain.broken == []
    assert plain.executions > 0
    disturbed = [played.holds(name, one) for one in sampled(plain, 1)]
    assert len([report for report in disturbed if report.done]) >= 2


@pytest.mark.proves("F9", "L2", "L6")
@pytest.mark.parametrize(
    "moment", [Kill(1, "after", b"call_started"), Kill(1, "before", b"call_answered")], ids=["idle", "acted"]
)
def test_a_slice_that_dies_with_effects_begun_is_continued(played: Played, moment: Kill) -> None:
    """Before it acted, and after it acted and before that could be written: the mails are reported, and not sent again."""
    report = played.holds("once", moment)
    assert "auteryn-slice" in report.done[0]
    assert report.unknowns_told == 2


@pytest.mark.proves("F10", "F27", "L1")
@pytest.mark.parametrize("moment", [Freeze(6, "before"), Freeze(6, "after")], ids=lambda freeze: freeze.name)
def test_a_zombie_that_wakes_when_all_is_over_writes_nothing(played: Played, moment: Freeze) -> None:
    """Not even what was on its way to the store all that time."""
    report = played.holds("once", moment)
    assert "froze" in report.done[0]
    assert report.executions > 1
