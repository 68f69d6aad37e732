"""A question asked in the terminal."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from auteryn.cli.screen import Screen, clean
from auteryn.client.terminal import line, meant
from auteryn.errors import Invalid
from auteryn.policy.answers import checked
from auteryn.schema.human import Ask


def can_prompt(screen: Screen) -> bool:
    """Whether a person sits here who sees the question and can type."""
    return screen.live and sys.stdin.isatty() and not screen.quiet


async def prompted(screen: Screen, ask: Ask) -> Any | None:
    """What the person answers, checked; asked again until it is right. None at the end of input."""
    hint = "a number or the text" if ask.options else {"text": "your answer"}.get(ask.input_type, ask.input_type)
    while True:
        screen.ask(screen.ink(f"  {hint} > ", "yellow"))
        said = await line()
        if said is None:
            return None
        try:
            return checked(ask, meant(ask, said.strip()))
        except Invalid as error:
            screen.ask(screen.ink(f"  {error}\n", "red"))


def whoever() -> str:
    """Who answers: the name of this account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "owner"


def words(ask: Ask) -> list[str]:
    """What to write after `auteryn answer ASK`, one for each option: its words where they are safe in a shell and are what they
    look like, else its number."""
    safe = [clean(option) == option and not set(option) & set('$`\\"!') for option in ask.options]
    return [f'"{option}"' if safe[at] else str(at + 1) for at, option in enumerate(ask.options)] or [f"<{ask.input_type}>"]
