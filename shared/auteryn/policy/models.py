"""The models by role, and what each family takes and costs. All of it is data: ids and prices age within weeks.

State of 2026-11-23. Controls: recorded traffic and Google's thinking page. Prices: genai-prices 0.2.3, dollars. Searches: list
prices without the free ones; each different search counts from Gemini 3 on, each answer before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from auteryn.errors import Invalid
from auteryn.schema.message import Tokens
from auteryn.schema.record import Record

RoleName = Literal["fast", "deep", "classifier"]

PRICES_OF = "2026-11-23"
"""When the prices below were looked up."""

CHAINS: dict[RoleName, tuple[str, ...]] = {
    "fast": ("gemini-3-flash-preview", "gemini-3.8-flash", "gemini-3.5-flash"),
    "deep": ("gemini-3.1-pro-preview", "gemini-3.8-flash", "gemini-3.5-flash"),
    "classifier": ("gemini-3.1-flash-lite", "gemini-3.5-flash-lite", "gemini-3-flash-preview"),
}
"""Who answers for a role; the next one does where an id is no longer served (previews get 11 to 18 days of notice)."""

CONTEXT_WINDOW = 1_048_576
"""Tokens in, for every model below; Gemini 4 shares it between input, thinking and output."""

LONG_PROMPT = 200_000
"""Prompt tokens above which a whole request costs the `long` price."""

Level = Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]

LEVEL_FROM: dict[Level, int] = {"MINIMAL": 0, "LOW": 1, "MEDIUM": 4_097, "HIGH": 16_384, "XHIGH": 65_536}
"""The level a figure of thinking tokens stands for: 1,024 is LOW, 16,384 is HIGH. Levels are guidelines, no caps."""

ALL: tuple[Level, ...] = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
NO_MINIMAL: tuple[Level, ...] = ("LOW", "MEDIUM", "HIGH")


class Rate(Record):
    """Dollars for a million tokens; thoughts are billed as output."""

    prompt: float
    cached: float
    output: float


class Price(Record):
    """What a family costs from a date on."""

    base: Rate
    long: Rate | None = None
    since: datetime = datetime(2020, 1, 1, tzinfo=UTC)


class Family(Record):
    """What the models of one prefix have in common: `levels` or a `budget`, never both; with neither they cannot think."""

    prefix: str
    prices: tuple[Price, ...]
    levels: tuple[Level, ...] = ()
    default_level: Level | None = None
    """What the model does when nothing is said."""
    budget: tuple[int, int] | None = None
    """Least and most tokens; 0 switches thinking off where the least is 0."""
    search: float = 0.014
    """Dollars for one search of the web."""
    search_once: bool = False
    """The price is for an answer, however many searches it took."""
    ended: str = ""
    """Why it can no longer be called."""


def _price(prompt: float, cached: float, output: float, *, since: datetime | None = None) -> Price:
    base = Rate(prompt=prompt, cached=cached, output=output)
    return Price(base=base, since=since) if since else Price(base=base)


_PRO_3 = (Price(base=Rate(prompt=2.0, cached=0.2, output=12.0), long=Rate(prompt=4.0, cached=0.4, output=18.0)),)
_PRO_25 = (Price(base=Rate(prompt=1.25, cached=0.125, output=10.0), long=Rate(prompt=2.5, cached=0.25, output=15.0)),)
_NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
_FLASH_36 = (_price(0.75, 0.075, 3.75), _price(1.5, 0.15, 7.5, since=_NEW_YEAR))
_ARGON = (_price(2.0, 0.1, 10.0), _price(4.0, 0.2, 20.0, since=datetime(2026, 12, 1, tzinfo=UTC)))
_NEON = (_price(3.0, 0.15, 15.0),)
_UNKNOWN = (_price(4.0, 0.4, 20.0),)
"""The dearest figures of the table: a model we do not know must exhaust a budget too early rather than too late."""

_ONCE: dict[str, Any] = {"search": 0.035, "search_once": True}

FAMILIES: tuple[Family, ...] = (
    Family(prefix="gemini-", levels=NO_MINIMAL, prices=_UNKNOWN),  # newer than this table: LOW and HIGH exist everywhere
    Family(prefix="gemini-1.", prices=_PRO_25, ended="was shut down in 2025"),
    Family(prefix="gemini-2.0", prices=(_price(0.1, 0.025, 0.4),), ended="was shut down on 2026-06-01"),
    Family(prefix="gemini-2.5-flash", prices=(_price(0.3, 0.03, 2.5),), budget=(0, 24_576), **_ONCE),
    Family(prefix="gemini-2.5-flash-lite", prices=(_price(0.1, 0.01, 0.4),), budget=(512, 24_576), **_ONCE),
    Family(prefix="gemini-2.5-pro", prices=_PRO_25, budget=(128, 32_768), **_ONCE),
    Family(prefix="gemini-3-flash", prices=(_price(0.5, 0.05, 3.0),), levels=ALL, default_level="HIGH"),
    Family(
        prefix="gemini-3-pro", prices=_PRO_3, levels=("LOW", "HIGH"), default_level="HIGH", ended="was shut down on 2026-03-09"
    ),
    Family(prefix="gemini-3.1-pro", prices=_PRO_3, levels=NO_MINIMAL, default_level="HIGH"),
    Family(prefix="gemini-3.1-flash-lite", prices=(_price(0.25, 0.025, 1.5),), levels=ALL, default_level="MINIMAL"),
    Family(prefix="gemini-3.5-flash", prices=(_price(1.5, 0.15, 9.0),), levels=ALL, default_level="MEDIUM"),
    Family(prefix="gemini-3.5-flash-lite", prices=(_price(0.3, 0.03, 2.5),), levels=ALL, default_level="MINIMAL"),
    Family(prefix="gemini-3.6-flash", prices=_FLASH_36, levels=ALL, default_level="MEDIUM"),
    Family(prefix="gemini-3.7-flash", prices=_FLASH_36, levels=NO_MINIMAL, default_level="MEDIUM"),
    Family(prefix="gemini-3.8-flash", prices=_FLASH_36, levels=NO_MINIMAL, default_level="MEDIUM"),
    Family(prefix="gemini-4-argon", prices=_ARGON, levels=NO_MINIMAL, default_level="MEDIUM"),
    Family(prefix="gemini-4-neon", prices=_NEON, levels=(*NO_MINIMAL, "XHIGH"), default_level="HIGH"),
)

_NO_TEXT_MODEL = ("-image", "-tts", "-live", "-audio", "-embedding", "-computer-use", "-robotics")


def chains(overrides: Mapping[RoleName, str | None]) -> dict[RoleName, tuple[str, ...]]:
    """`CHAINS` with the comma lists of `overrides` in their place; raises `Invalid` for an id no agent can run on."""
    lists = {role: tuple(name.strip() for name in (text or "").split(",") if name.strip()) for role, text in overrides.items()}
    for role, models in lists.items():
        for model in models:
            _check(f"AUTERYN_MODEL_{role.upper()}", model)
    return {role: lists.get(role) or default for role, default in CHAINS.items()}


def thinking_config(model: str, tokens: int) -> dict[str, Any] | None:
    """The wire's thinking control for a figure of tokens: a budget or a level, never both; 0 means as little as it can.

    `None` where the model cannot think: then no thinking field may be sent at all.
    """
    family = family_of(model)
    if family.budget is not None:
        least, most = family.budget
        switched_off = tokens <= 0 and "pro" not in family.prefix
        return {"thinkingBudget": 0 if switched_off else min(max(tokens, least), most)}
    if not family.levels:
        return None
    fitting = [level for level in family.levels if LEVEL_FROM[level] <= tokens]
    return {"thinkingLevel": fitting[-1] if fitting else family.levels[0]}


def price(model: str, tokens: Tokens, at: datetime) -> float:
    """Dollars for one call at that time."""
    current = max((price for price in family_of(model).prices if price.since <= at), key=lambda price: price.since)
    rate = current.long if current.long and tokens.prompt > LONG_PROMPT else current.base
    fresh = tokens.prompt - tokens.cached + tokens.tool_use
    family = family_of(model)
    searches = min(tokens.searches, 1) if family.search_once else tokens.searches
    asked = fresh * rate.prompt + tokens.cached * rate.cached + (tokens.output + tokens.thoughts) * rate.output
    return asked / 1_000_000 + searches * family.search


@lru_cache(maxsize=64)
def family_of(model: str) -> Family:
    """The family with the longest matching prefix; a model newer than the table is one that takes levels."""
    name = model.rsplit("/", 1)[-1]
    matching = (family for family in FAMILIES if name.startswith(family.prefix))
    return max(matching, key=lambda family: len(family.prefix), default=FAMILIES[0])


def _check(field: str, model: str) -> None:
    name = model.rsplit("/", 1)[-1]
    if not name.startswith("gemini-"):
        raise Invalid(field, model, f"is no Gemini model id; such as {CHAINS['fast'][0]!r}")
    if ended := family_of(model).ended:
        raise Invalid(field, model, f"{ended}; {CHAINS['fast'][0]!r} and {CHAINS['deep'][0]!r} are current")
    if any(kind in name for kind in _NO_TEXT_MODEL):
        raise Invalid(field, model, "is no model for text with tools")
