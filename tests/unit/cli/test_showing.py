"""What the terminal shows: safe text, widths, calls in few words, the time line."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auteryn.cli.labels import LABELS, label
from auteryn.cli.prompt import words
from auteryn.cli.screen import Screen, clean, columns, fitted, wrapped
from auteryn.cli.view import View
from auteryn.client.terminal import meant
from auteryn.demo.timeline import KILL, WAIT, WORK, drawn, lane, waited_for_person
from auteryn.schema import event as e
from auteryn.schema.human import Answer, Ask
from auteryn.service.delivery import StreamEvent
from auteryn.tools.builtin import builtin_tools

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.mark.proves("L14")
@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b[31mred", "a\rb", "back\bspace", "\u202eevil.exe", "\x9b31m", "nul\x00", "\u2066x\u2069", "surrogate \udcff"],
)
def test_text_from_outside_cannot_steer_the_terminal(hostile: str) -> None:
    out = io.StringIO()

    Screen(out).line(hostile)

    assert out.getvalue().endswith("\n")
    assert all(char.isprintable() for char in out.getvalue().rstrip("\n"))


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("too long for it", 8, "too lon…"),
        ("日本語テキスト", 7, "日本語…"),
    ],
)
def test_text_is_cut_by_columns_not_characters(text: str, width: int, shown: str) -> None:
    assert fitted(text, width) == shown
    assert columns(fitted(text, width)) <= width


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two  three", ["one two ", "three"]),
        ("  indented text", ["  indented", "text"]),
        ("日本語のテキスト", ["日本語のテ", "キスト"]),
        ("see https://example.com", ["see", "https://ex", "ample.com"]),
        ("", [""]),
    ],
)
def test_text_is_wrapped_by_columns_and_nothing_of_it_is_lost(text: str, lines: list[str]) -> None:
    assert wrapped(text, 10) == [line.rstrip() for line in lines]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.proves("P60")
def test_on_a_narrow_terminal_a_question_and_its_options_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    asked = "May I delete the 1,000 records of the customers who never came back? 千件の記録を削除してもよろしいですか"
    options = ["Yes, all of them, and their backups in the other building, too", "No"]
    View(Screen(out), "run_1").question({"run": "run_1", "message": asked, "options": options})
    lines = out.getvalue().splitlines()
    assert max(map(columns, lines)) < 40
    assert "".join(asked.split()) in "".join(out.getvalue().split())
    assert "".join(options[0].split()) in "".join(out.getvalue().split())


def test_off_a_terminal_lines_are_whole_and_without_colour_or_status() -> None:
    out = io.StringIO()
    screen = Screen(out)

    screen.parts(("✓ ", "green"), "x" * 300)
    screen.status("1s")

    assert out.getvalue() == f"✓ {'x' * 300}\n"


def test_a_quiet_screen_says_nothing() -> None:
    out = io.StringIO()
    screen = Screen(out, quiet=True)

    screen.line("a")
    screen.parts("b")
    screen.paragraph("c")

    assert out.getvalue() == ""


def test_emoji_and_accents_survive_cleaning() -> None:
    assert clean("Größe 日本 🚲 naïve") == "Größe 日本 🚲 naïve"


def test_a_known_call_reads_like_a_sentence_and_any_other_like_a_call() -> None:
    assert label("data_query", {"sql": "SELECT  1\nFROM t"}) == "query SELECT 1 FROM t"
    assert label("note_read", {}) == "read notes"
    assert label("file_delete", {"paths": ["a.txt", "b.txt"]}) == "delete a.txt, b.txt"
    assert label("my_tool", {"city": "Ulm", "days": 3}) == "my_tool(city=Ulm, days=3)"
    assert label("file_write", {"path": "{x}"}) == "write {x}"


def test_labels_use_arguments_the_tools_have() -> None:
    for one in builtin_tools():
        if wording := LABELS.get(one.name):
            wanted = {part.split("}")[0] for part in wording.split("{")[1:]}
            assert wanted <= one.parameters["properties"].keys(), one.name


@pytest.mark.parametrize("broken", [("log", {"kind": "model_failed"}), ("status", {"state": "running", "why": ""})])
def test_of_an_answer_that_broke_nothing_is_said_on(broken: tuple[Any, dict[str, Any]]) -> None:
    view, (kind, data) = View(Screen(io.StringIO()), "run_1"), broken
    for n, (what, said, delta) in enumerate(
        [
            ("status", {"state": "running", "why": ""}, False),
            ("message", {"text": "The answer is"}, True),
            (kind, {"level": "warning", "message": "1 request had no usable answer", **data}, False),
            ("message", {"text": "The answer is 42"}, True),
        ]
    ):
        view.take(StreamEvent(id=str(n), kind=what, run="run_1", data=said, delta=delta))
    assert view.status_line().endswith("  The answer is 42")


def test_what_was_said_before_somebody_spoke_is_shown_before_it() -> None:
    out = io.StringIO()
    view = View(Screen(out), "run_1")
    for n, (kind, data) in enumerate(
        [
            ("message", {"text": "All is done."}),
            ("log", {"kind": "told", "level": "info", "message": "told (deliverables): a.md", "why": "deliverables"}),
            ("message", {"text": "Half of"}),
            ("log", {"kind": "told", "level": "info", "message": "told (format): go on", "why": "format"}),
            ("message", {"text": "the answer"}),
        ]
    ):
        view.take(StreamEvent(id=str(n), kind=kind, run="run_1", data=data))
    said = out.getvalue()
    assert said.index("All is done.") < said.index("told (deliverables)") and "Half" not in said


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"dry_run": "this was not done", "would": {}}, "  · mail ann@example.com: Hi  dry run: not done"),
        ({"exit_code": 3, "stdout": ""}, "  · mail ann@example.com: Hi  exit code 3"),
        ({"exit_code": 0, "stdout": ""}, "  · mail ann@example.com: Hi"),
        ("sent", "  · mail ann@example.com: Hi"),
    ],
)
def test_a_call_that_was_not_made_or_went_wrong_is_not_shown_as_done(output: Any, shown: str) -> None:
    out = io.StringIO()
    view = View(Screen(out), "run_1")
    called = {"call": "call_1", "tool": "email_send", "args": {"to": ["ann@example.com"], "subject": "Hi"}}
    answered = {"call": "call_1", "tool": "email_send", "output": output, "error": None, "ms": 0}

    view.take(StreamEvent(id="1", kind="tool_call", run="run_1", data=called))
    view.take(StreamEvent(id="2", kind="tool_result", run="run_1", data=answered))

    assert out.getvalue().rstrip() == shown


def test_the_time_line_shows_work_waiting_and_the_kill() -> None:
    entries = [
        entry(1, 0, e.SliceStarted(slice=1)),
        entry(2, 10, e.Logged(level="info", message="at work")),
        entry(3, 20, e.SliceStarted(slice=2)),
        entry(4, 30, e.Left(why="waiting")),
        entry(5, 90, e.AskAnswered(answer=Answer(ask="ask_1", value="Yes", by="Anna", at=START + timedelta(seconds=90)))),
        entry(6, 91, e.SliceStarted(slice=3)),
        entry(7, 100, e.RunCompleted(result="done")),
    ]

    found = lane("run", entries)
    picture = drawn([found], 56)

    assert [sitting.killed for sitting in found.sittings] == [True, False, False]
    row = picture[0].removeprefix("run  ")
    assert row.startswith(WORK)
    assert row.endswith(WORK)
    assert row.count(KILL) == 1
    assert row.index(KILL) < row.index(WAIT)
    assert picture[1].split() == ["0", "s", "100", "s"]
    assert waited_for_person(entries) == timedelta(seconds=60)


def test_nothing_to_draw_is_nothing() -> None:
    assert drawn([lane("run", [])], 80) == []


def entry(seq: int, second: float, *events: e.AnyEvent) -> e.Entry:
    return e.Entry(seq=seq, at=START + timedelta(seconds=second), slice=0, commit=f"c_{seq}", events=events)


@pytest.mark.proves("L14")
def test_what_is_to_be_typed_as_an_answer_is_safe_in_a_shell_and_means_its_option() -> None:
    options = ("Yes, proceed", "$(rm -rf ~)", "\u2066No\u2069", 'so "so"', "2")
    ask = Ask(id="ask_1", run="run_1", message="Go?", opened_at=START, options=options)
    assert words(ask) == ['"Yes, proceed"', "2", "3", "4", '"2"']
    assert [meant(ask, said.strip('"')) for said in words(ask)[:1]] == ["Yes, proceed"]
    assert meant(ask, "2") == "2", "an option in its own words is meant before the number of another"
