"""Commands that look: routes, tools, the doctor; and runs that nobody has started yet."""

from __future__ import annotations

import io
from pathlib import Path

import pytest


def test_route_says_mode_stage_and_reason(auteryn) -> None:
    done = auteryn("route", "What is a bicycle counter?")

    assert done.out.startswith("FAST  pattern  ")
    assert "(sure)" in done.out


@pytest.mark.proves("P21")
def test_routes_of_many_prompts_keep_their_ids(auteryn, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = '{"prompt": "Hello", "id": 7}\n\nResearch ten competitors and write a report\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))

    done = auteryn("route", "--jsonl", "--json")

    assert [(line.get("id"), line["mode"]) for line in done.lines] == [(7, "fast"), (None, "deep")]


@pytest.mark.parametrize(("line", "words"), [("{broken", "is no JSON"), ('{"text": "x"}', 'needs a field "prompt"')])
def test_a_bad_line_is_named_by_its_number(auteryn, monkeypatch: pytest.MonkeyPatch, line: str, words: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"Hello\n{line}\n"))

    done = auteryn("route", "--jsonl")

    assert done.code == 2
    assert "line 2" in done.err
    assert words in done.err


def test_the_doctor_finds_a_new_home_fit_and_says_how_to_get_a_key(auteryn) -> None:
    done = auteryn("doctor", "--json")

    found = {one["name"]: one for one in done.lines}
    assert done.code == 0
    assert found["sqlite"]["state"] == "ok"
    assert "write-ahead log" in found["sqlite"]["detail"]
    assert "GEMINI_API_KEY" in found["model"]["detail"]


def test_the_doctor_names_a_home_that_cannot_be_one(auteryn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = auteryn("--home", str(tmp_path / "file"), "doctor")

    assert done.code == 1
    assert str(tmp_path / "file") in done.out


@pytest.mark.proves("F28")
def test_the_doctor_names_the_run_that_cannot_be_read(auteryn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("the good one", "the broken one"):
        auteryn("run", text, "--mode", "deep", "--key", text, "--detach-only")
    broken = auteryn("ls", "--json").lines[0]["id"]
    spoil(tmp_path / "home", broken)

    done = auteryn("doctor", "--json")

    unreadable = [one["detail"] for one in done.lines if one["name"] == "unreadable"]
    assert done.code == 1
    assert len(unreadable) == 1
    assert broken in unreadable[0]


def spoil(home: Path, run: str) -> None: ...


def test_a_tool_is_tried_with_a_file_and_leaves_nothing(auteryn, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n")

    done = auteryn("tools", "try", "file_read", "--arg", "path=a.csv", "--arg", "limit=1", "--file", "a.csv")

    assert done.code == 0
    assert done.lines[0]["lines_total"] == 3 if "lines_total" in done.lines[0] else "x" in done.out
    assert not (tmp_path / "home").exists()


def test_a_tool_shows_what_the_model_reads(auteryn) -> None:
    done = auteryn("tools", "show", "calculate")

    assert done.out.startswith("calculate  (")
    assert "expression (string)" in done.out
