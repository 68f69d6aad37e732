"""When a person is asked; and what of an owner's words that needs is kept word for word, and no more of it than fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auteryn.policy.gates import (
    ALLOW,
    DENY,
    DENY_FOR_RUN,
    NAMED_CHARS,
    decided,
    fingerprint,
    gate,
    named_in,
    named_recipients,
)
from auteryn.schema.human import Answer, Ask
from auteryn.schema.run import Options
from conformance.samples import fresh


def test_what_is_kept_names_the_same_recipients_as_all_that_was_said() -> None:
    said = [
        "Look first. Then mail Ann to ann@x.test, and bob@x.test!\nI saw https://a.test/?q=1",
        "Mail from eve@x.test is spam.",
    ]
    kept = named_in(said)
    assert kept == ("Then mail Ann to ann@x.test, and bob@x.test!", "I saw https://a.test/?q=1")
    assert named_recipients("\n".join(kept)) == named_recipients("\n".join(said)) == ("ann@x.test", "bob@x.test")
    assert named_in(kept) == kept


def test_of_too_much_the_newest_is_kept() -> None:
    said = [f"Send it to person{number}@x.test." for number in range(1_000)]
    kept = named_in([*said, "https://a.test/" + "x" * NAMED_CHARS])
    assert sum(map(len, kept)) <= NAMED_CHARS and kept[-1] == said[-1] and len(kept) > 200


NOW = datetime(2026, 1, 5, tzinfo=UTC)
FOR_RUN = {"grants": ("send ann",)}


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    ("permission", "call", "run", "expected"),
    [
        ("auto", {}, {}, "open"),
        ("ask", {}, {}, "ask"),
        ("ask1", {}, {}, "ask"),
        ("ask", {}, {"approve": "auto"}, "open"),
        # what a person has said for the rest of the run holds for this tool and this target, as long as it was given for
        ("ask", {}, FOR_RUN, "open"),
        ("ask", {"target": "bob"}, FOR_RUN, "ask"),
        ("ask", {"tool": "post"}, FOR_RUN, "ask"),
        ("ask", {}, FOR_RUN | {"grant_ends": {"send ann": NOW + timedelta(seconds=1)}}, "open"),
        ("ask", {}, FOR_RUN | {"grant_ends": {"send ann": NOW}}, "ask"),
        ("auto", {"named": True}, {"refusals": ("send ann",), "approve": "auto", **FOR_RUN}, "refuse"),
        ("auto", {"target": "bob"}, {"refusals": ("send ann",)}, "open"),
        # a run that could carry something out is asked every time, but for whom the owner named
        ("auto", {"sends": True, "tainted": True}, {}, "ask"),
        ("auto", {"sends": True, "tainted": True}, {"approve": "auto", **FOR_RUN}, "ask"),
        ("auto", {"sends": True, "tainted": False}, {}, "open"),
        ("auto", {"sends": False, "tainted": True}, {}, "open"),
        ("ask", {"sends": True, "tainted": True, "named": True}, {}, "open"),
        ("ask", {"named": True}, {}, "open"),
        # a fork repeats nothing outside unasked: neither a name nor approving beforehand opens it, a person's word does
        ("auto", {"outward": True}, {"effects": "ask"}, "ask"),
        ("auto", {"outward": True, "named": True}, {"effects": "ask", "approve": "auto"}, "ask"),
        ("auto", {"outward": True}, {"effects": "ask", **FOR_RUN}, "open"),
        ("auto", {"outward": False}, {"effects": "ask"}, "open"),
        ("auto", {"outward": True}, {"effects": "free"}, "open"),
    ],
)
def test_a_gate_opens_for_what_was_allowed_and_for_nothing_else(
    permission: str, call: dict[str, Any], run: dict[str, Any], expected: str
) -> None:
    options = {name: chosen for name, chosen in run.items() if name in ("approve", "effects")}
    others = {name: known for name, known in run.items() if name not in options}
    asking = fresh(NOW, options=Options(**options), **others)
    given = {"tool": "send", "target": "ann", "sends": False, "tainted": False, "outward": False, **call}
    assert gate(permission, run=asking, now=NOW, **given) == expected


@pytest.mark.proves("L14")
def test_a_fingerprint_is_of_the_tool_the_arguments_and_what_would_happen() -> None:
    same = fingerprint("send", {"to": "ann"}, "a mail")
    assert same == fingerprint("send", {"to": "ann"}, "a mail")
    others = [fingerprint("post", {"to": "ann"}, "a mail"), fingerprint("send", {"to": "bob"}, "a mail")]
    others += [fingerprint("send", {"to": "ann"}, "another"), fingerprint("send", {"to": "ann"})]
    others += [fingerprint("post", {"to": "ann"}), fingerprint("send", {"to": "bob"})]
    assert len({same, *others}) == 1 + len(others)


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    ("kind", "value", "votes", "expected"),
    [
        ("gate", ALLOW, (), False),
        ("gate", ALLOW, (ALLOW,), True),
        ("gate", DENY, (ALLOW,), True),
        ("gate", DENY_FOR_RUN, (), True),
        ("approval", DENY, (), False),
        ("approval", "Yes", ("No",), False),
        ("approval", "Yes", ("No", "Yes"), True),
    ],
)
def test_so_many_must_say_the_same_and_one_refusal_of_a_call_is_enough(
    kind: Any, value: str, votes: tuple[str, ...], expected: bool
) -> None:
    cast = tuple(Answer(ask="a", value=one, by=f"p{at}", at=NOW) for at, one in enumerate(votes))
    assert decided(Ask(id="a", run="r", message="?", opened_at=NOW, kind=kind, quorum=2, votes=cast), value) is expected
