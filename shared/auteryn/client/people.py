"""Questions the caller's own program asks: at the terminal if there is one, else answered from wherever a person is."""

from __future__ import annotations

import logging
import sys
from typing import Any

from auteryn.client.task import Result
from auteryn.client.world import World
from auteryn.errors import Invalid, NotAllowed, WrongState
from auteryn.policy.shown import unturned
from auteryn.schema.human import Ask

_log = logging.getLogger(__name__)


def answer_to(world: World, run_id: str) -> Any:
    """The answer of a question run. Blocks until there is one; raises `RunFailed` if nobody answers while it is open."""
    for ask in world.call(world.desk.asks(run_id)):
        if _at_a_terminal():
            _prompt(world, ask)
        else:
            _log.warning("waiting for an answer to %r; give it with: auteryn answer %s …", ask.message, ask.id)
    run = world.call(world.desk.result(run_id))
    Result.of(run)
    answer = world.call(world.desk.answered(run_id))
    return answer.value if answer else run.result


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _prompt(world: World, ask: Ask) -> None:
    """Ask until the answer is one that is allowed, or somebody else has answered."""
    sys.stderr.write(_shown(ask))
    while True:
        try:
            said = input("> ").strip()
        except EOFError:
            return
        try:
            world.call(world.desk.answer(ask.id, _meant(ask, said), by="terminal"))
        except Invalid as error:
            sys.stderr.write(f"{error}\n")
        except (NotAllowed, WrongState) as error:
            sys.stderr.write(f"{error}\n")
            return
        else:
            return


def _shown(ask: Ask) -> str:
    options = "".join(f"  {number}  {option}\n" for number, option in enumerate(ask.options, 1))
    return unturned(f"{ask.message}\n{options}")


def _meant(ask: Ask, said: str) -> str:
    """An option by its number or in its own words."""
    if ask.options and said not in ask.options and said.isdecimal() and 1 <= int(said) <= len(ask.options):
        return ask.options[int(said) - 1]
    return said
