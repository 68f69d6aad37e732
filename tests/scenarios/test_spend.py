"""An owner's limit on spending: runs over it wait, say why and until when, and go on by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.schema.inbox import AnyMessage, Poke
from auteryn.schema.run import ForBudget, Run
from auteryn.schema.spend import SpendLimit
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.service.spend import set_limit
from auteryn.testing.clock import START, skipping
from auteryn.testing.scenarios import lookup
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World

PAGES = 6


def reads(ask: Ask) -> Line:
    return "read" if ask.turn >= PAGES or not ask.tools else call("lookup", what=f"page {ask.turn}")


def waits(run: Run) -> list[ForBudget]:
    return [wait for wait in run.waits if isinstance(wait, ForBudget)]


@pytest.mark.proves("L11")
@pytest.mark.parametrize(("steps", "most"), [(0, 30), (4, 60)])
def test_a_run_over_its_owners_limit_waits_until_the_next_day_and_goes_on(tmp_path: Path, steps: int, most: int) -> None:
    async def story() -> None:
        limit = SpendLimit(credits=most * 1000)
        async with World(tmp_path, model=reads, tools=[lookup], spend_limit=limit) as world:  # type: ignore[arg-type]
            run = await world.start("Plan", plan=[f"part {n}" for n in range(steps)])
            root = await world.until(run, lambda _: world.now() >= START + timedelta(hours=1))
            below = await world.tree(run)
            stopped = [one for one in below if waits(one)]
            assert stopped and all(waits(one)[0].at == datetime(2026, 1, 6, tzinfo=UTC) for one in stopped)
            assert not root.terminal and sum(turn.usage.credits.llm for turn in below if not turn.plan) <= most * 1000
            why = await Desk(world.host.engine).why_waiting(stopped[-1].id)
            assert why == (f"It waits until 2026-01-06 00:00 UTC: the owner's limit of {most} credits a day is used up.")
            ended = await world.ended(run)
            assert ended.status == "completed"
            assert world.now() >= datetime(2026, 1, 6, tzinfo=UTC)

    skipping(story())


def test_a_raised_limit_wakes_who_waits_for_it_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads, tools=[lookup]) as world:  # type: ignore[arg-type]
            await set_limit(world.host.engine, "local", SpendLimit(credits=30_000))
            run = await world.start("Read")
            assert waits(await world.until(run, lambda found: bool(waits(found))))
            await set_limit(world.host.engine, "local", None)
            assert (await world.ended(run)).status == "completed"
            assert world.now() - START < timedelta(minutes=1)

    skipping(story())


@pytest.mark.parametrize("erased", [False, True])
def test_a_raised_limit_wakes_the_others_though_one_has_ended_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, erased: bool
) -> None:
    async def story() -> None:
        async with World(tmp_path, model=reads, tools=[lookup]) as world:  # type: ignore[arg-type]
            desk, store = Desk(world.host.engine), world.host.engine.services.store
            await set_limit(world.host.engine, "local", SpendLimit(credits=30_000))
            waiting = await world.start("Read")
            await world.until(waiting, lambda found: bool(waits(found)))
            ending = await world.start("Read, too")
            await world.until(ending, lambda found: bool(waits(found)))
            send = store.send

            async def late(run: str, message: AnyMessage, **more: Any) -> bool:
                if run == ending and isinstance(message, Poke):
                    await desk.cancel(ending)
                    await world.ended(ending)
                    if erased:
                        await desk.erase(ending)
                return await send(run, message, **more)

            monkeypatch.setattr(store, "send", late)
            await set_limit(world.host.engine, "local", None)
            assert (await world.ended(waiting)).status == "completed"
            assert world.now() - START < timedelta(minutes=1)

    skipping(story())


def test_a_run_whose_time_is_over_before_its_owner_may_spend_again_ends_with_what_it_has(tmp_path: Path) -> None:
    async def story() -> None:
        limit = SpendLimit(credits=30_000)
        async with World(tmp_path, model=reads, tools=[lookup], spend_limit=limit) as world:  # type: ignore[arg-type]
            run = await Desk(world.host.engine).create(NewRun(input="Read", mode="deep", max_duration="2h"))
            ended = await world.ended(run.id)
            assert ended.failure and ended.failure.reason == "deadline"
            assert ended.usage.credits.total <= 30_000

    skipping(story())
