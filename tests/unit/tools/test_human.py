"""Questions to people: what is asked, what counts as an answer, and how often one may speak."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from auteryn.errors import Invalid
from auteryn.policy.limits import NOTIFICATIONS_PER_HOUR
from auteryn.schema.event import AskOpened, Notified
from auteryn.schema.human import Ask
from auteryn.schema.run import ForPerson
from auteryn.testing.clock import START
from auteryn.tools.human import NOTICE, accepted, ask_approval, ask_input, notify
from auteryn.tools.tool import Pause
from unit.tools.room import Room


def opened(outcome: Pause) -> Ask:
    (fact,) = outcome.events
    assert isinstance(fact, AskOpened)
    return fact.ask


# ---- asking


@pytest.mark.proves("P60")
def test_an_approval_is_an_open_question_the_run_waits_for(room: Room) -> None:
    options = ["Yes, proceed", "No, cancel", "Show me the records first"]
    outcome = room.call(ask_approval, "call_x", message="Delete 1,000 records?", options=options, context="All of 2019")
    ask = opened(outcome)
    assert (ask.kind, ask.call, ask.options, ask.context) == ("approval", "call_x", tuple(options), "All of 2019")
    assert outcome.wait == ForPerson(ask=ask.id, call="call_x", until=START + timedelta(hours=24))
    room.commit(outcome)
    assert room.run.asks == (ask,) and room.run.waits == ()


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


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"input_type": "choice"}, "options: []"),
        ({"options": ["A"]}, "for input_type 'choice' and for no other"),
        ({"validation": "phone"}, "must be email, url, number, date or regex:PATTERN"),
        ({"validation": "regex:(?=a)"}, "no lookaround"),
        ({"input_type": "colour"}, "must be one of"),
    ],
)
def test_a_bad_input_question_is_refused(room: Room, raw: dict[str, Any], told: str) -> None:
    failed = room.refusal(ask_input, **{"message": "?", **raw})
    assert failed.kind == "invalid" and told in str(failed)


# ---- answers


def answer(room: Room, value: Any, **raw: Any) -> Any:
    return accepted(opened(room.call(ask_input, message="?", **raw)), value)


@pytest.mark.proves("P63")
@pytest.mark.parametrize(
    ("raw", "good", "bad", "rule"),
    [
        ({"validation": "email"}, "ada@example.com", "ada@example", "e-mail address"),
        ({"input_type": "email"}, "a.b+c@sub.example.org", "a b@example.com", "e-mail address"),
        ({"validation": "url"}, "https://example.com/a?b=1", "javascript:alert(1)", "web address"),
        ({"input_type": "url"}, "http://localhost:8080", "http://", "web address"),
        ({"input_type": "date"}, "2026-01-31", "31.01.2026", "date such as"),
        ({"validation": "regex:[A-Z]{3}-\\d+"}, "ABC-12", "ABC-12x", "must match [A-Z]{3}"),
        ({}, "anything", "  ", "must not be empty"),
        ({}, "anything", ["a"], "a text or a number"),
    ],
)
def test_a_bad_answer_is_refused_with_the_rule_and_a_good_one_taken(
    room: Room, raw: dict[str, Any], good: str, bad: Any, rule: str
) -> None:
    assert answer(room, good, **raw) == good
    with pytest.raises(Invalid, match="answer: ") as refused:
        answer(room, bad, **raw)
    assert rule in str(refused.value)


@pytest.mark.proves("P63")
@pytest.mark.parametrize(("text", "value"), [("5", 5), ("-2.5", -2.5), (" 1e3 ", 1000.0), (7, 7), (1.5, 1.5)])
def test_a_number_comes_as_a_number(room: Room, text: Any, value: float) -> None:
    assert answer(room, text, input_type="number") == value


@pytest.mark.parametrize("text", ["five", "1,000", "nan", "inf", "", "0x10", True, "1" * 101])
def test_what_is_no_number_is_refused(room: Room, text: Any) -> None:
    with pytest.raises(Invalid):
        answer(room, text, input_type="number")


@pytest.mark.proves("P64")
def test_only_listed_values_can_be_chosen(room: Room) -> None:
    options = ["Low", "Medium", "High", "Critical"]
    assert answer(room, "High", input_type="choice", options=options) == "High"
    for other in ("high", "Urgent", "", None, 2):
        with pytest.raises(Invalid, match="must be one of 'Low', 'Medium', 'High', 'Critical'"):
            answer(room, other, input_type="choice", options=options)


@pytest.mark.proves("P60")
def test_an_approval_is_answered_word_for_word(room: Room) -> None:
    ask = opened(room.call(ask_approval, message="Sure?", options=["Yes, proceed", "No, cancel"]))
    assert accepted(ask, "Yes, proceed") == "Yes, proceed"
    with pytest.raises(Invalid, match="must be one of 'Yes, proceed', 'No, cancel'"):
        accepted(ask, "yes")


SCHEMA = {
    "type": "object",
    "required": ["name", "tags"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
}


@pytest.mark.proves("P63")
@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"name": "Ada", "tags": ["a"], "age": 36, "either": None}, ""),
        ('{"name": "Ada", "tags": []}', ""),
        ({"name": "Ada"}, "must have tags"),
        ({"name": "A", "tags": []}, "at least 2 characters at name"),
        ({"name": "ada", "tags": []}, "must match ^[A-Z] at name"),
        ({"name": "Ada", "tags": [], "age": 200}, "at most 150 at age"),
        ({"name": "Ada", "tags": [], "age": True}, "must be integer at age"),
        ({"name": "Ada", "tags": ["a", "c"]}, "one of 'a', 'b' at tags[1]"),
        ({"name": "Ada", "tags": ["a"] * 3}, "at most 2 entries at tags"),
        ({"name": "Ada", "tags": [], "either": 1}, "one of 2 forms at either"),
        ({"name": "Ada", "tags": [], "more": 1}, "must not have more"),
        ([], "must be object"),
        ("{", "must be JSON"),
    ],
)
def test_json_answers_keep_their_schema(room: Room, value: Any, rule: str) -> None:
    if not rule:
        assert answer(room, value, input_type="json", json_schema=SCHEMA)["name"] == "Ada"
        return
    with pytest.raises(Invalid) as refused:
        answer(room, value, input_type="json", json_schema=SCHEMA)
    assert rule in str(refused.value)


# ---- telling


def test_a_notification_is_a_fact_of_the_run(room: Room) -> None:
    outcome = room.call(notify, message="Half done", level="warning")
    assert outcome.events == (Notified(message="Half done", level="warning"),)


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
