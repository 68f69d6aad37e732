"""When each run of a tree worked and when it only waited, read from the journals and drawn as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from auteryn.schema import event as e

WORK, WAIT, KILL, NOTHING = "━", "·", "✕", " "


class Sitting(Struct):
    """One slice: from its first commit to its last. `killed` if it never came to leave."""

    number: int
    begin: datetime
    end: datetime
    killed: bool = False


class Lane(Struct):
    """One run."""

    label: str
    sittings: list[Sitting] = field(default_factory=list[Sitting])


def lane(label: str, entries: Sequence[e.Entry]) -> Lane:
    """The sittings of one run. A slice that is followed by another without having left was killed."""
    found, open_one = Lane(label), None
    for entry in entries:
        if any(isinstance(event, e.SliceStarted) for event in entry.events):
            if open_one:
                open_one.killed = True
            open_one = Sitting(entry.slice, entry.at, entry.at)
            found.sittings.append(open_one)
        if open_one:
            open_one.end = entry.at
        if any(isinstance(event, e.Left | e.RunCompleted | e.RunFailed | e.RunCancelled) for event in entry.events):
            open_one = None
    return found


def drawn(lanes: Sequence[Lane], width: int) -> list[str]:
    """One line a lane on a common scale, and the scale below."""
    sat = [sitting for one in lanes for sitting in one.sittings]
    if not sat:
        return []
    names = max(len(one.label) for one in lanes)
    room = max(20, width - names - 3)
    begin, end = min(one.begin for one in sat), max(one.end for one in sat)
    span = max((end - begin).total_seconds(), 0.001)

    def at(moment: datetime) -> int:
        return min(room - 1, int((moment - begin).total_seconds() / span * room))

    lines = [f"{one.label:<{names}}  {_row(one, room, at)}" for one in lanes]
    return [*lines, f"{'':<{names}}  {_scale(span, room)}"]


def waited_for_person(entries: Sequence[e.Entry]) -> timedelta:
    """How long questions of this run stood open while it had no slice: from its leaving until the answer was given."""
    left, waited = None, timedelta()
    for entry in entries:
        for event in entry.events:
            match event:
                case e.Left():
                    left = entry.at
                case e.AskAnswered() if left:
                    waited += max(timedelta(), event.answer.at - left)
                case _:
                    pass
    return waited


def _row(one: Lane, room: int, at: Callable[[datetime], int]) -> str:
    row = [NOTHING] * room
    if not one.sittings:
        return ""
    for column in range(at(one.sittings[0].begin), at(one.sittings[-1].end) + 1):
        row[column] = WAIT
    for sitting in one.sittings:
        for column in range(at(sitting.begin), at(sitting.end) + 1):
            row[column] = WORK
    for sitting in one.sittings:
        if sitting.killed:
            row[at(sitting.end)] = KILL
    return "".join(row).rstrip()


def _scale(seconds: float, room: int) -> str:
    left, right = "0 s", f"{seconds:.0f} s"
    return f"{left}{' ' * max(1, room - len(left) - len(right))}{right}"
