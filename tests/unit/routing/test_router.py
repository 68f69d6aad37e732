"""Request → patterns → classifier → mode, and the caller's word above all."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from auteryn.errors import Invalid, Unavailable
from auteryn.routing.patterns import pattern
from auteryn.routing.router import route
from unit.routing.scripted import Answers

DOUBTFUL = 'Post "Happy new year" in the announcements channel'
SAYS_DEEP = '{"mode": "DEEP", "confidence": 0.9, "reason": "it acts on a site"}'
SAYS_FAST = '{"mode": "FAST", "confidence": 0.9, "reason": "a message"}'


@pytest.mark.proves("P24", "P67", "P96")
def test_fast_is_forced_on_a_deep_looking_prompt_and_nobody_is_asked():
    model = Answers(SAYS_DEEP)
    decision = asyncio.run(route("Research the competitors and write a comprehensive report", "fast", model))
    assert (decision.mode, decision.stage, decision.confidence, decision.sure) == ("fast", "forced", 1.0, True)
    assert model.asked == []


@pytest.mark.proves("P25", "P67", "P96")
def test_deep_is_forced_on_a_fast_looking_prompt_and_nobody_is_asked():
    model = Answers(SAYS_FAST)
    decision = asyncio.run(route("Hello", "deep", model))
    assert (decision.mode, decision.stage, decision.confidence) == ("deep", "forced", 1.0)
    assert model.asked == []


@pytest.mark.proves("P26", "P96")
def test_auto_is_the_default():
    assert inspect.signature(route).parameters["mode"].default == "auto"
    assert asyncio.run(route("Hello")) == asyncio.run(route("Hello", "auto")) == pattern("Hello")


@pytest.mark.proves("P26")
@pytest.mark.parametrize("mode", ["", "FAST", "turbo", "auto ", None, 1])
def test_a_bad_mode_is_refused_naming_the_three(mode):
    model = Answers(SAYS_DEEP)
    with pytest.raises(ValueError, match=r"mode: .* 'auto', 'fast', 'deep'") as caught:
        asyncio.run(route("Hello", mode, model))
    assert isinstance(caught.value, Invalid) and caught.value.value == mode
    assert model.asked == []


@pytest.mark.proves("P21")
@pytest.mark.parametrize(("prompt", "mode"), [("Hello", "fast"), ("What is X?", "fast"), ("Research the competitors", "deep")])
def test_where_the_patterns_are_sure_no_model_is_called(prompt: str, mode: str):
    model = Answers(Unavailable("must not be asked"))
    decision = asyncio.run(route(prompt, "auto", model))
    assert (decision.mode, decision.stage, decision.sure) == (mode, "pattern", True)
    assert model.asked == []


@pytest.mark.proves("P21")
@pytest.mark.parametrize(("answer", "mode"), [(SAYS_DEEP, "deep"), (SAYS_FAST, "fast")])
def test_where_they_are_not_exactly_one_call_decides(answer: str, mode: str):
    assert not pattern(DOUBTFUL).sure
    model = Answers(answer)
    decision = asyncio.run(route(DOUBTFUL, "auto", model))
    assert (decision.mode, decision.stage, decision.confidence) == (mode, "classifier", 0.9)
    assert len(model.asked) == 1


@pytest.mark.proves("P21")
@pytest.mark.parametrize("model", [None, Answers(Unavailable("down")), Answers("no JSON")], ids=["none", "down", "broken"])
def test_without_an_answer_the_best_guess_stands(model: Answers | None):
    decision, guess = asyncio.run(route(DOUBTFUL, "auto", model)), pattern(DOUBTFUL)
    assert (decision.mode, decision.confidence, decision.reason) == (guess.mode, guess.confidence, guess.reason)
    assert (decision.stage, decision.sure) == ("fallback", False)
