"""Questions to people: what is asked, what counts as an answer, and how often one may speak."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from auteryn.policy.limits import NOTIFICATIONS_PER_HOUR
from auteryn.schema.event import AskOpened, Notified
from auteryn.schema.human import Ask
from auteryn.schema.run import ForPerson
from auteryn.testing.clock import START
from auteryn.tools.human import NOTICE, ask_approval, ask_input, notify
from auteryn.tools.tool import Pause
from unit.tools.room import Room


def opened(outcome: Pause) -> Ask:
    (fact,) = outcome.events
    assert isinstance(fact, AskOpened)
    return fact.ask


# ---- asking


@pytest.mark.tool("ask_approval", "happy")
@pytest.mark.proves("P60")
def test_an_approval_is_an_open_question_the_run_waits_for(room: Room) -> None:
    options = ["Yes, proceed", "No, cancel", "Show me the records first"]
    outcome = room.call(ask_approval, "call_x", message="Delete 1,000 records?", options=options, context="All of 2019")
    ask = opened(outcome)
    assert (ask.kind, ask.call, ask.options, ask.context) == ("approval", "call_x", tuple(options), "All of 2019")
    assert outcome.wait == ForPerson(ask=ask.id, call="call_x", until=START + timedelta(hours=24))
    room.commit(outcome)
    assert room.run.asks == (ask,) and room.run.waits == ()


@pytest.mark.tool("ask_input", "happy")
@pytest.mark.proves("L6")
def test_a_repeated_question_is_the_same_question(room: Room) -> None:
    for tool in (ask_approval, ask_input):
        first, second = (opened(room.call(tool, "call_x", message="Sure?")) for _ in range(2))
        assert first == second


def test_silence_is_an_answer_only_if_it_was_said_so(room: Room) -> None:
    waits = room.call(ask_approval, message="Sure?", timeout="2h", on_timeout="wait")
    assert waits.wait.until is None
    default = opened(room.call(ask_approval, message="Sure?", timeout="30m", on_timeout="default", default="Reject"))
    assert default.expires_at == START + timedelta(minutes=30) and default.default == "Reject"
    forever = opened(room.call(ask_input, message="Name?"))
    assert forever.expires_at is None and forever.on_timeout == "wait"
    long = opened(room.call(ask_approval, message="Sure?", timeout="4w"))
    assert long.expires_at == room.run.deadline_at


@pytest.mark.tool("ask_approval", "failure")
@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"options": ["A", "A"]}, "there twice"),
        ({"options": [" "]}, "is empty"),
        ({"options": []}, "options: []"),
        ({"timeout": "soon"}, "timeout: 'soon'"),
        ({"on_timeout": "default", "default": "Maybe"}, "default: 'Maybe' must be one of the options"),
        ({"on_timeout": "explode"}, "on_timeout: 'explode' must be one of"),
        ({"message": ""}, "message: ''"),
    ],
)
def test_a_bad_question_is_refused(room: Room, raw: dict[str, Any], told: str) -> None:
    failed = room.refusal(ask_approval, **{"message": "Sure?", **raw})
    assert failed.kind == "invalid" and told in str(failed)


@pytest.mark.tool("ask_input", "failure")
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"input_type": "choice"}, "options: []"),
        ({"options": ["A"]}, "for input_type 'choice' and for no other"),
        ({"validation": "phone"}, "is none of email, url, number, date or 'regex:PATTERN'"),
        ({"validation": "regex:(?=a)"}, "no lookaround nor back-references"),
        ({"input_type": "colour"}, "must be one of"),
    ],
)
def test_a_bad_input_question_is_refused(room: Room, raw: dict[str, Any], told: str) -> None:
    failed = room.refusal(ask_input, **{"message": "?", **raw})
    assert failed.kind == "invalid" and told in str(failed)


# ---- telling


@pytest.mark.tool("notify", "happy")
def test_a_notification_is_a_fact_of_the_run(room: Room) -> None:
    outcome = room.call(notify, message="Half done", level="warning")
    assert outcome.events == (Notified(message="Half done", level="warning"),)


@pytest.mark.tool("notify", "failure")
def test_an_hour_holds_only_so_many_and_the_next_hour_begins_anew(room: Room) -> None:
    for _ in range(NOTIFICATIONS_PER_HOUR):
        room.call(notify, message="news")
    assert room.refusal(notify, message="more").kind == "rate_limited"
    room.clock.jump(timedelta(hours=1))
    room.call(notify, message="more")
    assert len(asyncio.run(room.store.docs(NOTICE, "run_1"))) == 1


@pytest.mark.proves("L6")
def test_a_repeated_notification_counts_once(room: Room) -> None:
    for _ in range(NOTIFICATIONS_PER_HOUR + 5):
        room.call(notify, "call_x", message="news")
    room.call(notify, message="more")
