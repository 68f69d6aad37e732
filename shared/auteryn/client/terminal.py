"""What a person types at this terminal. It is read without a thread, so that Ctrl-C and the question's own end can stop it."""

from __future__ import annotations

import asyncio
import os
import sys

from auteryn.schema.human import Ask


async def line() -> str | None:
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


def meant(ask: Ask, line: str) -> str:
    """An option in its own words, by its number or in any case; anything else as it was typed."""
    if not ask.options or line in ask.options:
        return line
    if line.isdecimal() and 1 <= int(line) <= len(ask.options):
        return ask.options[int(line) - 1]
    return next((option for option in ask.options if option.lower() == line.lower()), line)
