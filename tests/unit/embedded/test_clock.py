"""The system's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from auteryn.adapters.embedded import clock as module
from auteryn.adapters.embedded.clock import SystemClock


class Wall(datetime):
    """A wall clock somebody sets."""

    behind = timedelta(0)

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) - cls.behind


def test_it_is_aware_utc_and_right() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_it_goes_on_when_the_wall_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "datetime", Wall)
    monkeypatch.setattr(Wall, "behind", timedelta(0))
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr(Wall, "behind", timedelta(hours=1))
    first = clock.now()
    asyncio.run(clock.sleep(timedelta(milliseconds=2)))
    assert before <= first <= clock.now() - timedelta(milliseconds=2)


def test_it_follows_a_wall_clock_that_was_set_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "datetime", Wall)
    monkeypatch.setattr(Wall, "behind", timedelta(hours=1))
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr(Wall, "behind", timedelta(0))
    assert clock.now() - before >= timedelta(hours=1)


def test_it_sleeps_until_the_moment_and_not_at_all_when_it_passed() -> None:
    async def main() -> None:
        clock = SystemClock()
        moment = clock.now() + timedelta(milliseconds=5)
        await clock.sleep_until(moment)
        assert clock.now() >= moment
        await clock.sleep_until(moment - timedelta(days=1))

    asyncio.run(main())
