"""Waiting and repeating without a process: when a wait ends, and where a schedule ticks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auteryn.errors import Invalid
from auteryn.schema.event import ScheduleCreated
from auteryn.schema.run import Parent, Schedule, UntilTime
from auteryn.testing.clock import START
from auteryn.tools.cron import Cron
from auteryn.tools.time import due, moment, schedule, wait
from unit.tools.room import Room

HOUR = timedelta(hours=1)


def at(until: str, *, now: datetime = START, zone: str = "UTC") -> datetime:
    return moment(until, zone, now=now, anchor=now)


# ---- wait


@pytest.mark.tool("wait", "happy")
def test_a_wait_ends_after_its_span_and_holds_nothing(room: Room) -> None:
    outcome = room.call(wait, "call_x", until="6h", reason="prices change")
    assert outcome.wait == UntilTime(at=START + 6 * HOUR, call="call_x", reason="prices change")
    assert outcome.events == ()


@pytest.mark.parametrize(
    ("until", "zone", "expected"),
    [
        ("90s", "UTC", START + timedelta(seconds=90)),
        ("1d", "UTC", START + timedelta(days=1)),
        ("2026-01-05T10:00:00Z", "UTC", START + HOUR),
        ("2026-01-05T12:30:00+02:00", "UTC", START + 1.5 * HOUR),
        ("2026-01-05 12:00", "Europe/Berlin", START + 2 * HOUR),
        ("2026-01-06", "UTC", datetime(2026, 1, 6, tzinfo=UTC)),
        ("0 12 * * *", "UTC", START + 3 * HOUR),
        ("0 12 * * *", "Asia/Tokyo", datetime(2026, 1, 6, 3, tzinfo=UTC)),
    ],
)
def test_spans_times_and_cron_are_understood(until: str, zone: str, expected: datetime) -> None:
    assert at(until, zone=zone) == expected


@pytest.mark.tool("wait", "failure")
@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("until", "zone", "rule"),
    [
        ("2026-01-05T08:59:59Z", "UTC", "is past"),
        ("yesterday", "UTC", "must be a span"),
        ("0h", "UTC", "longer than nothing"),
        ("2026-13-01", "UTC", "or a time such as"),
        ("0 25 * * *", "UTC", "hour"),
        ("6h", "Mars/Olympus", "zone: 'Mars/Olympus'"),
        ("6h", "../../etc/passwd", "zone: "),
        ("8d", "UTC", "after the end of this run"),
        ("900000000d", "UTC", "longer than time can be counted"),
        ("9999-12-31T23:59:59-14:00", "UTC", "or a time such as"),
        ("0001-01-01T00:00:00+14:00", "UTC", "or a time such as"),
    ],
)
def test_a_bad_time_is_refused_with_its_rule(room: Room, until: str, zone: str, rule: str) -> None:
    failed = room.refusal(wait, until=until, zone=zone)
    assert failed.kind == "invalid" and rule in str(failed)


@pytest.mark.proves("P75")
def test_twenty_eight_waits_of_six_hours_fill_a_week_without_drift() -> None:
    """Each time the run works eleven minutes before it waits again."""
    anchor = now = START
    woke = list[datetime]()
    for _ in range(28):
        anchor = due(6 * HOUR, now=now, anchor=anchor)
        woke.append(anchor)
        now = anchor + timedelta(minutes=11)
    assert woke == [START + (k + 1) * 6 * HOUR for k in range(28)]
    assert woke[-1] == START + timedelta(days=7)


@given(span=st.integers(4, 10**6), worked=st.integers(-(10**6), 10**6))
def test_a_wait_is_never_over_before_it_begins_and_never_much_shorter_than_asked(span: int, worked: int) -> None:
    length, now = timedelta(seconds=span), START + timedelta(seconds=worked)
    end = due(length, now=now, anchor=START)
    assert now + length * 3 / 4 <= end <= now + length


@pytest.mark.proves("L6")
def test_a_repeated_wait_keeps_its_end_while_the_rhythm_holds(room: Room) -> None:
    """The engine gives the same anchor to a call it repeats."""
    room.call(wait, until="6h")
    assert room.context
    assert due(6 * HOUR, now=START, anchor=START) == due(6 * HOUR, now=START + timedelta(minutes=2), anchor=START)


# ---- cron


@pytest.mark.parametrize(
    ("expression", "now", "expected"),
    [
        ("*/15 * * * *", "2026-01-05T09:00", "2026-01-05T09:15"),
        ("0 9 * * mon-fri", "2026-01-09T09:00", "2026-01-12T09:00"),
        ("30 8,20 * * *", "2026-01-05T09:00", "2026-01-05T20:30"),
        ("0 0 29 2 *", "2026-01-05T09:00", "2028-02-29T00:00"),
        ("0 0 1 jan *", "2026-01-05T09:00", "2027-01-01T00:00"),
        ("0 12 13 * fri", "2026-01-05T09:00", "2026-01-09T12:00"),
        ("0 12 * * 7", "2026-01-05T09:00", "2026-01-11T12:00"),
        ("5/20 10 * * *", "2026-01-05T09:00", "2026-01-05T10:05"),
        ("59 23 31 12 *", "2026-01-05T09:00", "2026-12-31T23:59"),
    ],
)
def test_cron_names_the_next_time(expression: str, now: str, expected: str) -> None:
    assert at(expression, now=datetime.fromisoformat(now + "Z")) == datetime.fromisoformat(expected + "Z")


def test_cron_follows_the_clock_on_the_wall_when_it_changes() -> None:
    """Berlin skips 02:00 to 03:00 on 2026-03-29 and repeats it on 2026-10-25."""
    nine = "0 9 * * *"
    assert at(nine, now=datetime(2026, 3, 28, 12, tzinfo=UTC), zone="Europe/Berlin") == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert at(nine, now=datetime(2026, 3, 27, 12, tzinfo=UTC), zone="Europe/Berlin") == datetime(2026, 3, 28, 8, tzinfo=UTC)
    half_two = "30 2 * * *"
    assert at(half_two, now=datetime(2026, 3, 28, 12, tzinfo=UTC), zone="Europe/Berlin") == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )
    first = at(half_two, now=datetime(2026, 10, 24, 12, tzinfo=UTC), zone="Europe/Berlin")
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert at(half_two, now=first, zone="Europe/Berlin") == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "*-5 * * * *",
        "0 0 30 2 *",
        "1,, * * * *",
    ],
)
def test_bad_cron_is_refused(expression: str) -> None:
    with pytest.raises(Invalid, match="cron"):
        Cron(expression).next(START, UTC)


# ---- schedule


def made(room: Room, call: str = "call_x", **raw: str) -> Schedule:
    outcome = room.call(schedule, call, **{"every": "6h", "instruction": "Look at the prices", "until": "7d", **raw})
    (fact,) = outcome.events
    assert isinstance(fact, ScheduleCreated) and fact.call == call
    return fact.schedule


@pytest.mark.tool("schedule", "happy")
@pytest.mark.proves("P75")
def test_every_six_hours_for_a_week_is_twenty_eight_ticks_on_the_grid(room: Room) -> None:
    one = made(room)
    assert one.ticks == 28
    assert [one.at(k) for k in range(28)] == [START + k * 6 * HOUR for k in range(28)]


@pytest.mark.proves("P75")
def test_a_schedule_made_later_still_has_all_its_ticks_and_ends_with_its_run(room: Room) -> None:
    room.clock.jump(timedelta(minutes=5))
    one = made(room)
    assert one.ticks == 28 and one.until == room.run.deadline_at and one.start == START + timedelta(minutes=5)


@pytest.mark.proves("L6")
def test_a_repeated_schedule_is_the_same(room: Room) -> None:
    assert made(room).id == made(room).id != made(room, "call_y").id


def test_what_happens_to_late_and_overlapping_ticks_is_chosen(room: Room) -> None:
    one = made(room, overlap="queue", catch_up="all", name="prices", until="2026-01-06T09:00:00Z")
    assert (one.overlap, one.catch_up, one.name, one.ticks) == ("queue", "all", "prices", 4)


@pytest.mark.tool("schedule", "failure")
@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ({"every": "30s"}, "must be at least 1m"),
        ({"every": "often"}, "every: 'often'"),
        ({"until": "2026-01-01T00:00:00Z"}, "is past"),
        ({"until": "never"}, "until: 'never'"),
        ({"overlap": "kill"}, "overlap: 'kill'"),
        ({"instruction": ""}, "instruction: ''"),
    ],
)
def test_a_bad_schedule_is_refused(room: Room, raw: dict[str, str], rule: str) -> None:
    failed = room.refusal(schedule, **{"every": "6h", "instruction": "x", "until": "7d", **raw})
    assert failed.kind == "invalid" and rule in str(failed)


@pytest.mark.tool("schedule", "failure")
def test_only_so_many_schedules_and_none_inside_a_step(room: Room, as_run: Callable[..., None]) -> None:
    for n in range(10):
        room.commit(room.call(schedule, f"call_{n}", every="1h", instruction="x", until="1d"))
    assert room.refusal(schedule, every="1h", instruction="x", until="1d").kind == "quota"
    as_run(schedules=(), parent=Parent(run="r", root="r", kind="tick", key=0))
    assert room.refusal(schedule, every="1h", instruction="x", until="1d").kind == "denied"


def test_a_schedule_that_ticks_often_is_asked_of_a_person(room: Room) -> None:
    assert schedule.judged({"every": "30m", "until": "7d"}, room.files, room.run).permission == "auto"
    assert schedule.judged({"every": "10m", "until": "7d"}, room.files, room.run).permission == "ask"
    assert schedule.judged({"every": "junk", "until": "7d"}, room.files, room.run).permission == "auto"
    assert schedule.judged({"every": "1s", "until": "7d"}, room.files, room.run).permission == "auto", "it will be refused"
