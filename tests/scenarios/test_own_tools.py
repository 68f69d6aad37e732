"""A program with tools of its own, and another process that works in the same home without them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from auteryn import compose
from auteryn.service.desk import Desk
from auteryn.testing.scripted import ScriptedModel
from unit.embedded.children import child, line

PROGRAM = """
import sys, threading
import auteryn
from auteryn.testing.scripted import ScriptedModel

@auteryn.tool(effect="read")
def stock(item: str) -> int:
    '''How many of an item are there.'''
    return 7

def script(ask):
    if "stock" in ask.results:
        return f"There are {ask.results['stock'][0]['output']}"
    return ask.call("stock", item="tea") if ask.results else ask.call("ask_approval", message="Count?", options=["Yes", "No"])

agent = auteryn.Agent(home=sys.argv[1], model=ScriptedModel(script), tools=[stock])
print(agent.run_async("Count the tea", mode="deep").id, flush=True)
threading.Event().wait()
"""


@asynccontextmanager
async def without_tools(home: Path) -> AsyncGenerator[Desk]:
    """As `auteryn serve` in the same home."""
    host = compose.embedded(compose.Settings(home=home), model=ScriptedModel(lambda ask: "I have no such tool"))
    await host.start()
    try:
        yield Desk(host.engine)
    finally:
        await host.close()


async def waits(desk: Desk, run: str) -> None:
    async with aclosing(desk.events(run)) as events:
        async for _ in events:
            if (await desk.get(run)).status == "waiting":
                return


@pytest.mark.parametrize("lives", [True, False])
def test_a_run_goes_on_where_its_tools_are_while_there_is_such_a_place(tmp_path: Path, lives: bool) -> None:
    async def main() -> str:
        with child(PROGRAM, tmp_path) as program:
            run = line(program)
            async with without_tools(tmp_path) as desk:
                await waits(desk, run)
                if not lives:
                    program.kill()
                    program.wait()
                [ask] = await desk.asks(run)
                await desk.answer(ask.id, "Yes", by="me")
                return (await desk.result(run)).result or ""

    assert asyncio.run(main()) == ("There are 7" if lives else "I have no such tool")
