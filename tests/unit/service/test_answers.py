"""What a person may answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auteryn.errors import Invalid
from auteryn.policy.answers import check_question, checked, remembers
from auteryn.policy.gates import ALLOW, ALLOW_FOR_RUN, GATE_OPTIONS
from auteryn.schema.human import Ask

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 2}, "beds": {"type": "integer", "minimum": 1, "maximum": 4}},
    "required": ["city"],
    "additionalProperties": False,
}


def ask(**fields: Any) -> Ask:
    given = {"kind": "input", "message": "?", **fields}
    return Ask(id="ask_1", run="run_1", opened_at=datetime(2026, 1, 5, tzinfo=UTC), **given)


@pytest.mark.proves("P60", "P63", "P64")
@pytest.mark.parametrize(
    ("asked", "value", "stored"),
    [
        (ask(kind="approval", options=("Yes, proceed", "No, cancel")), "Yes, proceed", "Yes, proceed"),
        (ask(input_type="choice", options=("Low", "High")), "High", "High"),
        (ask(), "  as it is ", "  as it is "),
        (ask(validation="email"), "ann@example.com", "ann@example.com"),
        (ask(input_type="email"), " ann@mail.example.co.uk ", "ann@mail.example.co.uk"),
        (ask(input_type="url"), "https://example.com/a?b=c", "https://example.com/a?b=c"),
        (ask(input_type="number"), "12", 12),
        (ask(input_type="number"), "-3.5", -3.5),
        (ask(input_type="number"), 7, 7),
        (ask(input_type="date"), "2026-01-31", "2026-01-31"),
        (ask(validation="regex:[A-Z]{2}[0-9]+"), "AB12", "AB12"),
        (ask(input_type="json"), '{"a": [1, 2]}', {"a": [1, 2]}),
        (ask(input_type="json", json_schema=SCHEMA), {"city": "Bonn", "beds": 2}, {"city": "Bonn", "beds": 2}),
        (ask(input_type="json", json_schema={"type": "string"}), "plain", "plain"),
    ],
)
def test_a_good_answer_is_stored_as_what_was_asked_for(asked: Ask, value: Any, stored: Any):
    check_question(asked)
    assert checked(asked, value) == stored
    assert type(checked(asked, value)) is type(stored)


@pytest.mark.proves("P60", "P63", "P64", "L15")
@pytest.mark.parametrize(
    ("asked", "value", "rule"),
    [
        (ask(kind="approval", options=("Yes", "No")), "yes", "none of the options: 'Yes', 'No'"),
        (ask(input_type="choice", options=("Low", "High")), 1, "none of the options"),
        (ask(), " ", "a text that says something"),
        (ask(), None, "a text that says something"),
        (ask(), "x" * 20_001, "longer than 20,000"),
        (ask(validation="email"), "ann@", "an e-mail address such as"),
        (ask(validation="email"), "ann@localhost", "an e-mail address such as"),
        (ask(input_type="email"), "a b@example.com", "an e-mail address such as"),
        (ask(input_type="url"), "javascript:alert(1)", "a web address such as"),
        (ask(input_type="url"), "http://", "a web address such as"),
        (ask(input_type="number"), "twelve", "a number such as"),
        (ask(input_type="number"), True, "a number such as"),
        (ask(input_type="number"), "nan", "a number such as"),
        (ask(input_type="date"), "31.01.2026", "a date such as"),
        (ask(validation="regex:[A-Z]{2}[0-9]+"), "AB12x", "match the pattern"),
        (ask(input_type="json"), "{", "must be JSON"),
        (ask(input_type="json"), '{"beds": NaN}', "numbers are finite"),
        (ask(input_type="json"), {"beds": float("inf")}, "numbers are finite"),
        (ask(input_type="json"), {"beds": object()}, "must be JSON"),
        (ask(input_type="json", json_schema=SCHEMA), {"beds": 2}, "city is missing"),
        (ask(input_type="json", json_schema=SCHEMA), {"city": "Bonn", "beds": 9}, "beds must be at most 4"),
        (ask(input_type="json", json_schema=SCHEMA), {"city": "Bonn", "cats": 1}, "cats is not known"),
        (ask(input_type="json", json_schema={"type": "array", "items": {"enum": [1, 2]}}), [1, 3], r"\[1\] must be one of"),
        (ask(input_type="json", json_schema={"items": {"pattern": "^[A-Z]"}}), ["Bonn", "ulm"], "must match the pattern"),
        (ask(input_type="json", json_schema={"anyOf": [{"type": "null"}, {"const": 5}]}), 6, "must be null"),
    ],
)
def test_a_bad_answer_is_refused_with_the_rule(asked: Ask, value: Any, rule: str):
    check_question(asked)
    with pytest.raises(Invalid, match=rule):
        checked(asked, value)


@pytest.mark.proves("L15")
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ask(kind="approval"), "options"),
        (ask(input_type="choice"), "options"),
        (ask(kind="approval", options=("Yes", "Yes")), "options"),
        (ask(kind="approval", options=("Yes", " ")), "options"),
        (ask(kind="approval", options=("Yes", "No"), default="Maybe"), "default"),
        (ask(input_type="colour"), "input_type"),
        (ask(message=None), "message"),
        (ask(message="x" * 20_001), "message"),
        (ask(context="x" * 20_001), "context"),
        (ask(kind="approval", options=("Yes", "x" * 501)), "options"),
        (ask(validation="phone"), "validation"),
        (ask(input_type="number", validation="email"), "validation"),
        (ask(input_type="json", validation="regex:.*"), "validation"),
        (ask(json_schema=SCHEMA), "json_schema"),
        (ask(validation="regex:("), "validation"),
        (ask(input_type="json", json_schema={"pattern": "("}), "json_schema.pattern"),
        (ask(input_type="json", json_schema={"$ref": "#/a"}), "json_schema"),
        (ask(input_type="json", json_schema={"properties": {"a": {"type": "text"}}}), "json_schema.properties.a.type"),
    ],
)
def test_a_question_nobody_could_answer_is_refused_when_it_is_asked(asked: Ask, field: str):
    with pytest.raises(Invalid) as refused:
        check_question(asked)
    assert refused.value.field == field


def test_a_hostile_pattern_costs_nothing():
    with pytest.raises(Invalid):  # a backtracking engine would never come back
        checked(ask(validation="regex:(a+)+$"), "a" * 5_000 + "!")


def test_a_gate_is_opened_for_the_run_only_by_the_words_that_say_so():
    gate = ask(kind="gate", options=GATE_OPTIONS)
    assert remembers(gate, ALLOW_FOR_RUN)
    assert not remembers(gate, ALLOW)
    assert not remembers(ask(kind="approval", options=GATE_OPTIONS), ALLOW_FOR_RUN)
