"""Commands that look: routes, tools, the doctor; and runs that nobody has started yet."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pytest

from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.time import schedule


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


def test_the_doctor_says_who_searches_the_web(auteryn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTERYN_SEARXNG_URL", "BRAVE_API_KEY", "TAVILY_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert any(one["name"] == "hidden tool" and "web_search: " in one["detail"] for one in auteryn("doctor", "--json").lines)
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-that-is-never-used")
    assert {one["name"]: one["detail"] for one in auteryn("doctor", "--json").lines}["web search"].startswith("Google")
    monkeypatch.setenv("BRAVE_API_KEY", "another")
    assert {one["name"]: one["detail"] for one in auteryn("doctor", "--json").lines}["web search"] == "Brave (BRAVE_API_KEY)"


def test_the_doctor_names_a_home_that_cannot_be_one(auteryn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = auteryn("--home", str(tmp_path / "file"), "doctor")

    assert done.code == 1
    assert str(tmp_path / "file") in done.out


def test_the_doctor_names_the_run_that_cannot_be_read_and_the_others_go_on(auteryn, created, tmp_path: Path) -> None:
    good, broken = created("the good one"), created("the broken one")
    with sqlite3.connect(tmp_path / "home" / "auteryn.db") as database:
        where = "(SELECT n FROM runs WHERE id=?)"
        database.execute(f"UPDATE journal SET body=x'00' WHERE key >> 24 = {where}", (broken,))
        database.execute(f"UPDATE summaries SET body=x'00' WHERE n = {where}", (broken,))
    database.close()

    done = auteryn("doctor", "--json")

    unreadable = [one["detail"] for one in done.lines if one["name"] == "unreadable"]
    assert done.code == 1
    assert len(unreadable) == 1
    assert broken in unreadable[0]
    assert auteryn("status", good).code == 0


def test_a_run_nobody_works_on_is_listed_and_explained(auteryn, created) -> None:
    run = created("Compare the prices")

    listed, status = auteryn("ls"), auteryn("status")

    assert run in listed.out
    assert "pending" in listed.out
    assert status.out.startswith("pending - Day 1 of 7")
    assert auteryn("status", run[:10]).out == status.out


def test_a_programs_line_of_a_run_has_every_field(auteryn, created) -> None:
    run = created("Compare the prices")

    [line] = auteryn("ls", "--json").lines

    assert (line["id"], line["status"], line["result"], line["usage"]["llm_calls"]) == (run, "pending", None, 0)


def test_a_run_without_a_result_says_how_to_get_one(auteryn, created) -> None:
    run = created("Compare the prices")

    done = auteryn("result", run)

    assert done.code == 2
    assert f"auteryn watch {run}" in done.err


def test_a_run_nobody_works_on_is_cancelled_at_once(auteryn, created) -> None:
    run = created("Compare the prices")

    done = auteryn("cancel", run)

    assert done.code == 0
    assert "cancelled" in done.err
    assert auteryn("result", run).code == 4
    assert auteryn("watch", run).code == 4


def test_a_paused_run_stays_paused_until_it_is_resumed(auteryn, created) -> None:
    run = created("Compare the prices")

    auteryn("pause", run)

    assert auteryn("status", run, "--json").lines[0]["state"] == "paused"


def test_what_is_sent_is_in_the_inbox(auteryn, created) -> None:
    run = created("Compare the prices")

    done = auteryn("send", run, "only those in euros")

    assert (done.code, done.out) == (0, "")
    assert run in done.err
    assert auteryn("send", run, " ").code == 2


def test_a_tool_is_tried_with_a_file_and_leaves_nothing(auteryn, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n")

    done = auteryn("tools", "try", "file_read", "--arg", "path=a.csv", "--arg", "limit=1", "--file", "a.csv")

    assert done.code == 0
    assert "x" in done.out
    assert not (tmp_path / "home").exists()


def test_a_script_is_tried_with_the_tools_it_calls_and_the_same_checks(auteryn, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    script = "len(file_read(path='a.csv')['text']) + calculate(expression='20*2')['result']"
    done = auteryn("tools", "try", "script_run", "--arg", f"code={script}", "--file", "a.csv")
    assert (done.code, '"calls":2' in done.out) == (0, True)

    for script, told in {
        "wait(until='6h')": "a script cannot",
        "http_request(method='POST', url='http://x.test')": "must be allowed by a person",
        "script_run(code='1')": "cannot be called from within another call",
        "nothing()": "there is no tool 'nothing'",
    }.items():
        done = auteryn("tools", "try", "script_run", "--arg", f"code={script}")
        assert done.code == 1 and told in done.err


def test_a_tool_shows_what_the_model_reads(auteryn) -> None:
    done = auteryn("tools", "show", "calculate")

    assert done.out.startswith("calculate  (")
    assert "expression (string)" in done.out


@pytest.mark.proves("P84")
def test_a_log_tells_of_ticks_as_everything_else_counts_them(auteryn, tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        watches = ask.task == "Watch" and ask.turn == 0
        return call("schedule", every="6h", instruction="Look", until="12h") if watches else "nothing new"

    async def story() -> str:
        async with World(tmp_path / "home", model=script, tools=[schedule]) as world:
            run = await world.start("Watch")
            await world.ended(run)
            return run

    told = auteryn("logs", skipping(story())).out
    assert all(f"Z INFO    [tick {number}] created: 'Look'" in told for number in (1, 2))
    assert "tick 1 started" in told and "tick 2 completed" in told and "tick 0" not in told


@pytest.mark.proves("P84")
def test_ticks_of_two_schedules_are_told_apart(auteryn, tmp_path: Path) -> None:
    def script(ask: Ask) -> Line:
        if ask.task != "Watch":
            return "nothing new"
        again = {"every": "6h", "until": "12h"}
        named = [("Prices", "Look"), ("", "Listen"), ("Twice", "Ask"), ("Twice", "Ask")]  # the last two by their ids
        return [call("schedule", name=name, instruction=text, **again) for name, text in named] if ask.turn == 0 else "set"

    async def story() -> tuple[str, list[str]]:
        async with World(tmp_path / "home", model=script, tools=[schedule]) as world:
            run = await world.start("Watch")
            await world.ended(run)
            found = await world.run(run)
            return run, [one.id for one in found.schedules if one.name == "Twice"]

    run, twice = skipping(story())
    told, spent = auteryn("logs", run).out, auteryn("credits", run, "--detail").out
    for name in ("'Prices'", "'Listen'", *twice):
        assert f"Z INFO    [tick 1 of {name}] created:" in told and f"Z INFO    tick 1 of {name} started" in told
        assert f"tick 2 of {name} completed: nothing new" in told and f"tick 1 of {name}" in spent
