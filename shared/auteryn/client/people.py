"""Questions the caller's own program asks: at the terminal if there is one, and always wherever else a person is."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any

from auteryn.client.task import Result
from auteryn.client.terminal import line, meant
from auteryn.client.world import World
from auteryn.errors import Invalid, NotAllowed, WrongState
from auteryn.policy.shown import unturned
from auteryn.schema.human import Ask

_log = logging.getLogger(__name__)
_terminal = threading.Lock()
"""Held by the question that is asked there: threads of a program may ask several."""
TURN_SECONDS = 0.1


def answer_to(world: World, run_id: str) -> Any:
    """The answer of a question run. Blocks until there is one; raises `RunFailed` if nobody answers while it is open."""
    for ask in world.call(world.desk.asks(run_id)):
        if _at_a_terminal():
            world.call(_asked_here(world, run_id, ask))
        else:
            _log.warning("waiting for an answer to %r; give it with: auteryn answer %s …", ask.message, ask.id)
    run = world.call(world.desk.result(run_id))
    Result.of(run)
    answer = world.call(world.desk.answered(run_id))
    return answer.value if answer else run.result


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def _asked_here(world: World, run_id: str, ask: Ask) -> None:
    """Ask until somebody answers, here or elsewhere, or the question is closed."""
    over = asyncio.ensure_future(world.desk.result(run_id))
    asking = asyncio.ensure_future(_prompted(world, ask))
    try:
        await asyncio.wait({over, asking}, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            await asking
        else:
            sys.stderr.write("\nthe question was closed elsewhere\n")
    finally:
        for one in (over, asking):
            one.cancel()
        await asyncio.gather(over, asking, return_exceptions=True)


async def _prompted(world: World, ask: Ask) -> None:
    while not _terminal.acquire(blocking=False):  # noqa: ASYNC110 - whoever holds it may belong to another loop
        await asyncio.sleep(TURN_SECONDS)
    try:
        _say(_shown(ask))
        while True:
            _say("> ")
            said = await line()
            if said is None:
                return
            try:
                await world.desk.answer(ask.id, meant(ask, said.strip()), by="terminal")
            except Invalid as error:
                _say(f"{error}\n")
            except (NotAllowed, WrongState) as error:
                _say(f"{error}\n")
                return
            else:
                return
    finally:
        _terminal.release()


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _shown(ask: Ask) -> str:
    context = f"{ask.context}\n" if ask.context else ""
    options = "".join(f"  {number}  {option}\n" for number, option in enumerate(ask.options, 1))
    return unturned(f"{ask.message}\n{context}{options}")
