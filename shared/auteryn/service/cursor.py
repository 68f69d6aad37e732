"""The cursor of a stream as text: opaque to everybody but this file."""

from __future__ import annotations

import re

from auteryn.schema.record import Record

SHAPE = "1"
"""Changes with every change of what an entry looks like in the stream: older cursors then get a `reset`."""

_TOKEN = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}|[(),]")
_ONLY = re.compile(f"(?:{_TOKEN.pattern})+")
DEEPEST, LONGEST = 5, 100_000


class Position(Record):
    """How far a run's journal was delivered, and those of its children under way, in the order of their birth."""

    seq: int
    index: int = 0
    """Events of the entry after `seq` that were delivered."""
    children: tuple[Position, ...] = ()


def written(run: str, position: Position) -> str:
    """Such as `1-x7Qd-12.0(3.0,4.2)`: shape, whose it is, positions."""
    return f"{SHAPE}-{run[-6:]}-{_text(position)}"


def read_cursor(run: str, cursor: str) -> Position | None:
    """The position, or None for what is no cursor of this run."""
    head = f"{SHAPE}-{run[-6:]}-"
    text = cursor[len(head) :]
    if not cursor.startswith(head) or len(cursor) > LONGEST or not _ONLY.fullmatch(text):
        return None
    tokens = _TOKEN.findall(text)[::-1]
    position = _position(tokens, 0)
    return None if tokens else position


def _text(position: Position) -> str:
    inside = ",".join(map(_text, position.children))
    return f"{position.seq}.{position.index}" + (f"({inside})" if inside else "")


def _position(tokens: list[str], depth: int) -> Position | None:
    """Read one position from the end of `tokens`, which are reversed."""
    if not tokens or not tokens[-1][0].isdigit() or depth > DEEPEST:
        return None
    seq, _, index = tokens.pop().partition(".")
    children = list[Position]()
    separator = tokens.pop() if tokens and tokens[-1] == "(" else ")"
    while separator in "(,":
        child = _position(tokens, depth + 1)
        if child is None or not tokens:
            return None
        children.append(child)
        separator = tokens.pop()
    return Position(seq=int(seq), index=int(index), children=tuple(children)) if separator == ")" else None
