"""The classifier stage: one bounded question, and nothing it answers can hurt."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auteryn.errors import Exhausted, ModelRefused, RateLimited, Unavailable
from auteryn.ports.model import ModelRequest
from auteryn.routing import classifier
from auteryn.routing.classifier import HEAD, TAIL, classify
from auteryn.schema.message import Reply
from unit.routing.scripted import Answers


@pytest.mark.proves("P21")
@pytest.mark.parametrize("word", ["FAST", "DEEP", "fast", "deep"])
def test_the_models_word_becomes_the_decision(word: str):
    model = Answers(json.dumps({"mode": word, "confidence": 0.7, "reason": "several\nsources"}))
    decision = asyncio.run(classify("look into it", model))
    assert decision is not None
    assert (decision.mode, decision.stage, decision.confidence) == (word.lower(), "classifier", 0.7)
    assert (decision.sure, decision.reason) == (False, "several sources")


@pytest.mark.proves("P21")
def test_one_small_request_without_thoughts_and_retries_is_sent():
    model = Answers('{"mode": "DEEP", "confidence": 1, "reason": ""}')
    asyncio.run(classify("look into it", model))
    [request] = model.asked
    assert (request.role, request.attempts, request.thinking_tokens) == ("classifier", 1, 0)
    assert request.silence <= timedelta(seconds=3) and request.patience == timedelta(0)
    assert request.json_schema is not None and request.json_schema["properties"]["mode"]["enum"] == ["FAST", "DEEP"]


@pytest.mark.proves("P21")
@pytest.mark.parametrize(
    "answer",
    [
        "",
        "FAST",
        "null",
        "[]",
        "{}",
        '{"mode": "MEDIUM", "confidence": 1, "reason": ""}',
        '{"mode": "FAST", "confidence": 7, "reason": ""}',
        '{"mode": "FAST", "confidence": -0.1, "reason": ""}',
        '{"mode": "FAST", "confidence": "high", "reason": ""}',
        '{"mode": "FAST"',
        '{"mode": ["FAST"]}',
        "\ud800",
        Unavailable("down"),
        RateLimited("busy", retry_after=timedelta(minutes=1)),
        ModelRefused("safety", "no"),
        Exhausted("llm_call_limit", "500 of 500 calls"),
    ],
    ids=repr,
)
def test_every_failure_is_none(answer: str | BaseException):
    model = Answers(answer)
    assert asyncio.run(classify("look into it", model)) is None
    assert len(model.asked) == 1


@pytest.mark.proves("P21")
def test_a_model_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(classifier, "PATIENCE", timedelta(milliseconds=1))
    assert asyncio.run(classify("look into it", Answers(None))) is None


class Cold(Answers):
    """A process that has just begun: it has to load before it can ask."""

    async def generate(self, request: ModelRequest, **told: Any) -> Reply:
        with suppress(TimeoutError):
            async with asyncio.timeout(3 * classifier.PATIENCE.total_seconds()):
                await asyncio.Event().wait()
        return await super().generate(request, **told)


@pytest.mark.proves("P21")
def test_a_process_that_is_still_loading_asks_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(classifier, "PATIENCE", timedelta(milliseconds=1))
    decision = asyncio.run(classify("look into it", Cold('{"mode": "DEEP"}')))
    assert decision is not None and decision.mode == "deep"


def test_a_model_that_never_begins_to_ask_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(classifier, "LOADING", timedelta(0))
    assert asyncio.run(classify("look into it", Cold('{"mode": "DEEP"}'))) is None


def test_a_programming_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        asyncio.run(classify("look into it", Answers(ZeroDivisionError())))


def test_a_cancelled_caller_is_cancelled():
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(classify("look into it", Answers(asyncio.CancelledError())))


@pytest.mark.proves("P21", "L14")
@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
def test_the_prompt_travels_as_data_whatever_it_says(prompt: str):
    model = Answers('{"mode": "FAST", "confidence": 1, "reason": ""}')
    asyncio.run(classify(prompt, model))
    [content] = model.asked[0].contents
    assert content["role"] == "user"
    [part] = content["parts"]
    assert json.loads(part["text"]) == {"request": prompt.encode(errors="replace").decode()}
    assert model.asked[0].system == classifier.SYSTEM


def test_a_long_prompt_is_shown_by_its_ends():
    model = Answers('{"mode": "FAST", "confidence": 1, "reason": ""}')
    asyncio.run(classify("START" + "x" * 1_000_000 + "END", model))
    shown = json.loads(model.asked[0].contents[0]["parts"][0]["text"])["request"]
    assert shown.startswith("START") and shown.endswith("END")
    assert HEAD + TAIL < len(shown) < HEAD + TAIL + 80
    assert "997008 characters left out" in shown
