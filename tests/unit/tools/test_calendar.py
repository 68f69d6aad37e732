"""An appointment means the same in a second calendar, on both sides of a change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from dateutil.rrule import rrulestr

from auteryn.tools.calendar import calendar_create
from auteryn.tools.registry import Registry
from unit.tools.outside import as_a_judge_calls
from unit.tools.room import Room

MEETING = {
    "path": "a.ics",
    "title": "Review, weekly; ü",
    "start": "2026-03-23T09:00",
    "end": "2026-03-23T10:30",
    "tz": "Europe/Berlin",
}


def lines(room: Room) -> list[str]:
    """The file's lines, unfolded."""
    return room.files.read("a.ics").decode().replace("\r\n ", "").split("\r\n")


def field(room: Room, name: str) -> str:
    event = lines(room)[lines(room).index("BEGIN:VEVENT") :]
    return next(line for line in event if line.startswith((f"{name}:", f"{name};")))


@pytest.mark.tool("calendar_create", "happy")
@pytest.mark.proves("P73")
def test_a_weekly_meeting_keeps_its_hour_when_the_clocks_change(room: Room) -> None:
    room.call(
        calendar_create,
        **as_a_judge_calls(
            calendar_create, **MEETING, attendees=["ann@example.com"], rrule="FREQ=WEEKLY;BYDAY=MO;COUNT=3", location="Room 1"
        ),
    )
    assert field(room, "DTSTART") == "DTSTART;TZID=Europe/Berlin:20260323T090000"
    assert field(room, "SUMMARY") == "SUMMARY:Review\\, weekly\\; ü"
    assert field(room, "ATTENDEE").endswith("mailto:ann@example.com")
    zone = [line for line in lines(room) if line.startswith(("BEGIN:VTIMEZONE", "BEGIN:DAYLIGHT", "TZOFFSETTO"))]
    assert "BEGIN:VTIMEZONE" in zone and "TZOFFSETTO:+0200" in zone and "TZOFFSETTO:+0100" in zone
    from zoneinfo import ZoneInfo

    start = datetime(2026, 3, 23, 9, tzinfo=ZoneInfo("Europe/Berlin"))
    found: Any = list(rrulestr(field(room, "RRULE").removeprefix("RRULE:"), dtstart=start))
    assert [one.astimezone(UTC).hour for one in found] == [8, 7, 7]


def test_whole_days_end_with_their_last_day_and_other_zones_are_translated(room: Room) -> None:
    room.call(calendar_create, path="a.ics", title="Fair", start="2026-05-04", end="2026-05-06")
    assert field(room, "DTSTART") == "DTSTART;VALUE=DATE:20260504" and field(room, "DTEND") == "DTEND;VALUE=DATE:20260507"
    told = room.call(calendar_create, **MEETING | {"start": "2026-03-23T08:00Z", "end": "2026-03-23T09:00Z"})
    assert told["start"] == "2026-03-23T09:00:00+01:00"


def test_text_cannot_add_lines_of_its_own(room: Room) -> None:
    room.call(calendar_create, **MEETING | {"title": "a\r\nATTENDEE:mailto:evil@example.com", "description": "x\nEND:VEVENT"})
    assert not [line for line in lines(room) if line.startswith("ATTENDEE")] and lines(room).count("END:VEVENT") == 1


@pytest.mark.tool("calendar_create", "failure")
@pytest.mark.parametrize(
    ("change", "field_"),
    [
        ({"start": "tomorrow"}, "start"),
        ({"end": "2026-03-23T08:00"}, "end"),
        ({"end": "2026-03-23"}, "end"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"start": "2026-03-29T02:30", "end": "2026-03-29T05:00"}, "start"),
        ({"rrule": "FREQ=SOMETIMES"}, "rrule"),
        ({"rrule": "every monday"}, "rrule"),
        ({"attendees": ["not an address"]}, "attendees"),
    ],
)
def test_what_is_no_time_is_refused_by_its_field(room: Room, change: dict[str, Any], field_: str) -> None:
    failed = room.refusal(calendar_create, **MEETING | change)
    assert failed.kind == "invalid" and str(failed).startswith(field_) and not room.files.exists("a.ics")


def test_the_same_call_writes_the_same_bytes_and_needs_its_library(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.call(calendar_create, "c", **MEETING)
    first = room.files.read("a.ics")
    room.call(calendar_create, "c", **MEETING)
    assert room.files.read("a.ics") == first
    assert room.refusal(calendar_create, **MEETING | {"path": "a.txt"}).kind == "unsupported"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "comms" in Registry([calendar_create]).hidden["calendar_create"]
