"""A question asked in the terminal. The line is read without a thread, so that Ctrl-C and the run's own end can stop it."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from typing import Any

from auteryn.cli.screen import Screen, clean
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
        line = await _line()
        if line is None:
            return None
        try:
            return checked(ask, meant(ask, line.strip()))
        except Invalid as error:
            screen.ask(screen.ink(f"  {error}\n", "red"))


def whoever() -> str:
    """Who answers: the name of this account."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "owner"


def meant(ask: Ask, line: str) -> str:
    """An option in its own words, by its number or in any case; anything else as it was typed."""
    if not ask.options or line in ask.options:
        return line
    if line.isdecimal() and 1 <= int(line) <= len(ask.options):
        return ask.options[int(line) - 1]
    return next((option for option in ask.options if option.lower() == line.lower()), line)


def words(ask: Ask) -> list[str]:
    """What to write after `auteryn answer ASK`, one for each option: its words where they are safe in a shell and are what they
    look like, else its number."""
    safe = [clean(option) == option and not set(option) & set('$`\\"!') for option in ask.options]
    return [f'"{option}"' if safe[at] else str(at + 1) for at, option in enumerate(ask.options)] or [f"<{ask.input_type}>"]


async def _line() -> str | None:
    """The next line from the terminal, which hands over whole lines; None at its end."""
    loop, file = asyncio.get_running_loop(), sys.stdin.fileno()
    ready: asyncio.Future[str | None] = loop.create_future()
    pieces = bytearray()

    def read() -> None:
        piece = os.read(file, 4096)
        pieces.extend(piece)
        if not ready.done() and (not piece or piece.endswith(b"\n")):
            ready.set_result(pieces.decode("utf-8", "replace") if pieces else None)

    loop.add_reader(file, read)
    try:
        return await ready
    finally:
        loop.remove_reader(file)
