"""The model table: which control each family takes, and what a call costs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auteryn.errors import Invalid
from auteryn.policy.models import CHAINS, FAMILIES, chains, family_of, price, thinking_config
from auteryn.policy.modes import DEEP, FAST
from auteryn.schema.message import Tokens

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.proves("P10", "P16")
@pytest.mark.parametrize(
    ("model", "fast", "deep"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 1_024}, {"thinkingBudget": 16_384}),
        ("gemini-2.5-pro", {"thinkingBudget": 1_024}, {"thinkingBudget": 16_384}),
        ("gemini-3-flash-preview", {"thinkingLevel": "LOW"}, {"thinkingLevel": "HIGH"}),
        ("gemini-3.1-pro-preview", {"thinkingLevel": "LOW"}, {"thinkingLevel": "HIGH"}),
        ("gemini-3.8-flash", {"thinkingLevel": "LOW"}, {"thinkingLevel": "HIGH"}),
        ("gemini-4-neon", {"thinkingLevel": "LOW"}, {"thinkingLevel": "HIGH"}),
        ("gemini-7-of-tomorrow", {"thinkingLevel": "LOW"}, {"thinkingLevel": "HIGH"}),
        ("gemini-2.0-flash", None, None),
    ],
)
def test_the_modes_figures_become_a_budget_or_a_level_and_never_both(model: str, fast: object, deep: object):
    assert thinking_config(model, FAST.thinking_tokens) == fast
    assert thinking_config(model, DEEP.thinking_tokens) == deep


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("gemini-2.5-flash", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinkingBudget": 128}),
        ("gemini-3.1-flash-lite", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro-preview", {"thinkingLevel": "LOW"}),
    ],
)
def test_no_thinking_is_as_little_as_the_model_takes(model: str, least: object):
    assert thinking_config(model, 0) == least


def test_no_family_has_both_controls_and_every_default_is_one_of_its_levels():
    for family in FAMILIES:
        assert not (family.levels and family.budget), family.prefix
        assert family.default_level is None or family.default_level in family.levels, family.prefix


@pytest.mark.proves("P9", "P15")
def test_every_default_model_is_known_and_alive():
    for models in CHAINS.values():
        for model in models:
            assert family_of(model).prefix != "gemini-"
            assert not family_of(model).ended


def test_an_override_replaces_one_roles_chain():
    found = chains({"fast": "gemini-3.8-flash, gemini-2.5-flash", "deep": None})
    assert found == {**CHAINS, "fast": ("gemini-3.8-flash", "gemini-2.5-flash")}


@pytest.mark.parametrize(
    "model", ["gemini-3-pro-preview", "gemini-2.0-flash", "gpt-6", "gemini-3.8-flash-tts", "gemini-3-pro-image"]
)
def test_a_model_no_agent_can_run_on_is_refused_at_the_start(model: str):
    with pytest.raises(Invalid, match="AUTERYN_MODEL_DEEP") as caught:
        chains({"deep": model})
    assert repr(model) in str(caught.value)


@pytest.mark.proves("P87")
def test_cached_tokens_are_cheaper_and_thoughts_cost_as_output():
    tokens = Tokens(prompt=100_000, cached=80_000, output=1_000, thoughts=3_000)
    assert price("gemini-3.1-pro-preview", tokens, NOW) == pytest.approx(0.020 * 2 + 0.080 * 0.2 + 0.004 * 12)


@pytest.mark.proves("P87")
def test_above_200k_prompt_tokens_the_whole_call_costs_more():
    assert price("gemini-3.1-pro-preview", Tokens(prompt=200_000), NOW) == pytest.approx(0.4)
    assert price("gemini-3.1-pro-preview", Tokens(prompt=200_001), NOW) == pytest.approx(0.200001 * 4)


@pytest.mark.proves("P87")
def test_searches_of_the_web_cost_one_by_one_and_for_older_models_by_the_answer():
    assert price("gemini-3-flash-preview", Tokens(searches=3), NOW) == pytest.approx(0.042)
    assert price("gemini-2.5-flash", Tokens(searches=3), NOW) == pytest.approx(0.035)
    assert price("gemini-2.5-flash", Tokens(), NOW) == 0


@pytest.mark.proves("P87")
def test_prices_change_on_their_date():
    tokens = Tokens(prompt=1_000_000, output=1_000_000)
    assert price("gemini-3.8-flash", tokens, datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == pytest.approx(4.5)
    assert price("gemini-3.8-flash", tokens, datetime(2027, 1, 1, tzinfo=UTC)) == pytest.approx(9.0)
    assert price("gemini-4-argon", tokens, datetime(2026, 12, 1, tzinfo=UTC)) == pytest.approx(24.0)


def test_an_unknown_model_costs_no_less_than_any_known_one():
    tokens = Tokens(prompt=100_000, cached=50_000, output=10_000)
    dearest = max(price(family.prefix, tokens, datetime(2027, 6, 1, tzinfo=UTC)) for family in FAMILIES)
    assert price("gemini-9-neutron", tokens, NOW) >= dearest
