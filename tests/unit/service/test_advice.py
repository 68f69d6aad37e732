"""A mode that does not fit the task is remarked on, and used all the same."""

from __future__ import annotations

import pytest

from auteryn.schema.routing import Decision
from auteryn.service.advice import advice

RESEARCH = "Research the ten main competitors, compare their pricing and write a comprehensive report with charts"


def chosen(mode: str, stage: str = "forced") -> Decision:
    return Decision(mode=mode, stage=stage, confidence=1.0, sure=True, reason="")


@pytest.mark.proves("P82")
@pytest.mark.parametrize(
    ("mode", "prompt", "said"),
    [
        ("fast", RESEARCH, "DEEP work"),
        ("deep", "Hello", "FAST work"),
        ("deep", RESEARCH, None),
        ("fast", "What is 2 + 2?", None),
    ],
)
def test_a_forced_mode_that_does_not_fit_is_remarked_on(mode: str, prompt: str, said: str | None) -> None:
    warning = advice(chosen(mode), prompt)
    assert (said is None and warning is None) or (warning is not None and said is not None and said in warning)


def test_what_the_router_chose_is_never_remarked_on() -> None:
    assert advice(chosen("fast", "pattern"), RESEARCH) is None
