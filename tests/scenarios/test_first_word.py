"""How soon a person sees something. The model's own time is the only time there is: the engine adds no wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from auteryn.ports.model import ModelRequest, Spend
from auteryn.schema.message import Delta, Reply
from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.clock import skipping
from auteryn.testing.world import World

FIRST_TOKEN = timedelta(seconds=1.78)
"""The recorded median of FAST's model at its low thinking level."""


class Slow:
    """A model whose first token takes its time, and its last a great deal more."""

    searches = False

    def __init__(self, rest: timedelta) -> None:
        self.rest, self.roles = rest, list[str]()

    def model_id(self, role: str) -> str:
        return "slow"

    async def close(self) -> None:
        pass

    async def generate(
        self,
        request: ModelRequest,
        *,
        on_delta: Callable[[Delta], None] | None = None,
        spend: Spend | None = None,
    ) -> Reply:
        self.roles.append(request.role)
        if spend:
            await spend(1, "")
        await asyncio.sleep(FIRST_TOKEN.total_seconds())
        if on_delta:
            on_delta(Delta(kind="text", text="Can"))
        await asyncio.sleep(self.rest.total_seconds())
        content = {"role": "model", "parts": [{"text": "Canberra"}]}
        return Reply(model="slow", content=content, finish="stop", text="Canberra")


async def first(world: World, desk: Desk, run: str, wanted: str) -> timedelta:
    """How long after the run's creation the first event of this kind reached its stream."""
    created = (await world.run(run)).created_at
    async for event in desk.events(run):
        if event.kind == wanted:
            return world.now() - created
    raise AssertionError(f"no {wanted} in the stream")


@pytest.mark.proves("P11")
def test_a_fast_answer_begins_when_the_model_begins(tmp_path: Path) -> None:
    async def story() -> None:
        model = Slow(rest=timedelta(seconds=30))
        async with World(tmp_path, model=model) as world:
            desk = Desk(world.host.engine)
            run = await desk.create(NewRun(input="What is the capital of Australia?"))
            assert await first(world, desk, run.id, "message") == FIRST_TOKEN
            assert run.mode == "fast" and model.roles == ["fast"], "nobody was asked which mode it is"

    skipping(story())


@pytest.mark.proves("P17")
def test_a_deep_run_shows_itself_long_before_its_model_has_answered(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path, model=Slow(rest=timedelta(minutes=5))) as world:
            desk = Desk(world.host.engine)
            run = await desk.create(NewRun(input="Research the competitors", mode="deep"))
            assert await first(world, desk, run.id, "status") < timedelta(seconds=10)

    skipping(story())
