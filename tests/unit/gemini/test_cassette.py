"""A cassette answers what was recorded, says what differs where nothing was, and holds no secrets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auteryn.errors import Corrupt, Invalid, Unavailable
from auteryn.ports.model import Declaration, Model, ModelRequest
from auteryn.schema.message import Delta, Reply
from auteryn.testing.cassette import CassetteModel, NotRecorded
from auteryn.testing.scripted import Say, ScriptedModel, call
from unit.gemini.wire import noted

TAPES = Path(__file__).parents[2] / "cassettes"
TOOL = Declaration(name="calculate", description="Works it out.", parameters={"type": "object"})


def request(*said: str, **options: Any) -> ModelRequest:
    contents = [{"role": "user", "parts": [{"text": piece}]} for piece in said]
    return ModelRequest(**{"role": "fast", "system": "Be brief.", "contents": contents, "tools": (TOOL,), **options})


def generate(model: Model, asked: ModelRequest, **listening: Any) -> Reply:
    return asyncio.run(model.generate(asked, **listening))


def conversation(model: Model) -> list[Reply]:
    """Two turns: calls, then a text."""
    first = generate(model, request("one and one?"))
    answers = [{"name": each.name, "id": each.wire_id, "response": {"output": 2}} for each in first.calls]
    told = {"role": "user", "parts": [{"functionResponse": answer} for answer in answers]}
    contents = [*request("one and one?").contents, first.content, told]
    return [first, generate(model, request(contents=contents))]


SCRIPT = [
    ["I will.", call("calculate", expression="1+1"), call("calculate", expression="2+0")],
    Say(text="Two.", thoughts="**Sum**"),
]


@pytest.mark.proves("L9")
def test_what_was_recorded_is_replayed_without_a_model(tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    recorded = conversation(CassetteModel(tape, "record", inner=ScriptedModel(SCRIPT)))
    heard: list[Delta] = []
    spent: list[int] = []
    assert conversation(CassetteModel(tape)) == recorded
    again = generate(CassetteModel(tape), request("one and one?"), on_delta=heard.append, spend=noted(spent))
    assert ("".join(delta.text for delta in heard), spent) == (again.text, [1])


def test_a_kept_cassette_still_fits_todays_requests():
    replies = conversation(CassetteModel(TAPES / "two_turns.jsonl"))
    assert [reply.text for reply in replies] == ["I will.", "Two."]


def test_how_long_to_wait_and_how_often_to_try_do_not_matter(tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    generate(CassetteModel(tape, "record", inner=ScriptedModel(["hi"])), request("hello"))
    assert generate(CassetteModel(tape), request("hello", attempts=1)).text == "hi"


def test_a_repeated_request_is_answered_in_order_and_then_by_the_last(tmp_path: Path):
    tape, said = tmp_path / "tape.jsonl", iter(["one", "two"])
    recording = CassetteModel(tape, "record", inner=ScriptedModel(lambda ask: next(said)))
    for _ in range(2):
        generate(recording, request("again"))
    replaying = CassetteModel(tape)
    assert [generate(replaying, request("again")).text for _ in range(3)] == ["one", "two", "two"]


def test_auto_asks_only_what_is_not_recorded(tmp_path: Path):
    tape, inner = tmp_path / "tape.jsonl", ScriptedModel(lambda ask: ask.task.upper())
    for said in ("a", "b", "a"):
        assert generate(CassetteModel(tape, "auto", inner=inner), request(said)).text == said.upper()
    assert inner.calls == 2


def test_what_another_process_recorded_meanwhile_is_found(tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    replaying = CassetteModel(tape)
    with pytest.raises(NotRecorded, match="empty or not there"):
        generate(replaying, request("late"))
    code = f"""
import asyncio
from auteryn.ports.model import Declaration, ModelRequest
from auteryn.testing import cassette, scripted
tool = Declaration(name="calculate", description="Works it out.", parameters={{"type": "object"}})
contents = [{{"role": "user", "parts": [{{"text": "late"}}]}}]
late = ModelRequest(role="fast", system="Be brief.", contents=contents, tools=(tool,))
asyncio.run(cassette.CassetteModel({str(tape)!r}, "record", inner=scripted.ScriptedModel(["here"])).generate(late))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert generate(replaying, request("late")).text == "here"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            request("one and two?"),
            'contents[0] was \'user: [{"text":"one and one?"}]\', now \'user: [{"text":"one and two?"}]\'',
        ),
        (request("one and one?", system="Be long."), "system was"),
        (request("one and one?", thinking_tokens=9), "settings was"),
        (request("one and one?", tools=()), "tools differ in calculate"),
        (request("one and one?", "and more"), 'contents[1] was not there, now \'user: [{"text":"and more"}]\''),
    ],
    ids=["text", "system", "settings", "tools", "longer"],
)
def test_a_miss_says_how_the_nearest_recording_differs(tmp_path: Path, asked: ModelRequest, says: str):
    tape = tmp_path / "tape.jsonl"
    conversation(CassetteModel(tape, "record", inner=ScriptedModel(SCRIPT)))
    with pytest.raises(NotRecorded) as caught:
        generate(CassetteModel(tape), asked)
    assert says in str(caught.value)


SECRETS = [
    "AIzaSyD-0123456789abcdefghijklmnopqrstuv",
    "Authorization: Bearer abcdef0123456789",
    "ghp_0123456789abcdefghij0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "jane.doe@corp.example",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_blotted_out_and_the_answer_is_found_all_the_same(tmp_path: Path, secret: str):
    tape = tmp_path / "tape.jsonl"
    inner = ScriptedModel(lambda ask: f"You said {ask.last}")
    recording = CassetteModel(tape, "record", inner=inner)
    reply = generate(recording, request(f"my secret is {secret}"))
    assert secret in reply.text
    kept = tape.read_text()
    assert secret.split()[-1] not in kept
    replayed = generate(CassetteModel(tape), request(f"my secret is {secret}"))
    contents = [*request(f"my secret is {secret}").contents, replayed.content, *request("go on").contents]
    assert replayed.text.startswith("You said my secret is ") and contents


def test_failures_are_not_recorded(tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    with pytest.raises(Unavailable):
        generate(CassetteModel(tape, "record", inner=ScriptedModel(lambda ask: Unavailable("busy"))), request("x", attempts=1))
    assert not tape.exists()


def test_a_line_cut_by_a_crash_is_left_out_and_a_broken_one_is_named(tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    generate(CassetteModel(tape, "record", inner=ScriptedModel(["hi"])), request("hello"))
    with tape.open("a") as file:
        file.write('{"request": "cut')
    assert generate(CassetteModel(tape), request("hello")).text == "hi"
    tape.write_text("no json\n")
    with pytest.raises(Corrupt, match=r"tape\.jsonl"):
        generate(CassetteModel(tape), request("hello"))


def test_recording_needs_a_model():
    with pytest.raises(Invalid, match="inner"):
        CassetteModel("tape.jsonl", "record")
