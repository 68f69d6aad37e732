"""Everything that can go wrong, by chance and at once. `AUTERYN_STORMS=200` lets more of it happen."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auteryn.testing.emulators.disturbances import Weather
from auteryn.testing.emulators.stage import PLAYED
from emulators.played import Played

STORMS = int(os.environ.get("AUTERYN_STORMS", "6"))


@pytest.mark.proves("F3", "F5", "F9", "F10", "F13", "L1", "L2", "L3", "L4", "L6", "L7")
@settings(
    max_examples=STORMS,
    deadline=None,
    derandomize=STORMS <= 6,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(name=st.sampled_from(sorted(PLAYED)), chance=st.randoms(use_true_random=False))
def test_the_laws_hold_in_every_storm(played: Played, name: str, chance: random.Random) -> None:
    """Gapless journals, one end each, every effect at most once or reported, somebody or some moment for every run, figures
    that equal the journal's sum, and the same outcome as in fair weather."""
    assert played.holds(name, Weather(chance)).done
