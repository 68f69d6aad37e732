"""`auteryn demo`, as somebody runs it who has just installed the package: no key, no network, no terminal."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from auteryn.demo import counts
from auteryn.demo.site import FOLDER


def begun(folder: Path, *args: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEMINI", "GOOGLE", "AUTERYN"))}
    command = [sys.executable, "-m", "auteryn", "--home", str(folder / "home"), *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)


def auteryn(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    with begun(folder, *args) as process:
        try:
            out, err = process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.proves("P31", "P50", "F9", "F18")
def test_the_demo_survives_its_kill_asks_and_hands_over_right_figures(tmp_path: Path) -> None:
    done = auteryn(tmp_path, "demo")

    assert done.returncode == 0, done.stderr
    assert "is a script" in done.stderr.splitlines()[0]
    said = ["✕ kill -9", "its process died; it goes on where it was", "Publish them?", "the demo answers its own question"]
    places = [done.stderr.index(words) for words in said]
    assert places == sorted(places)
    files = {path.name: path for path in (tmp_path / "auteryn-out").rglob("*.*")}
    assert files.keys() == {"summary.md", "ostermoor.xlsx", "ostermoor.png"}
    assert all(str(path.relative_to(tmp_path)) in done.stderr for path in files.values())
    assert files["ostermoor.png"].read_bytes().startswith(b"\x89PNG")
    figures = {counter.name: figures_of(counter) for counter in counts.COUNTERS}
    assert workbook(files["ostermoor.xlsx"]) == figures
    for text in (done.stdout, files["summary.md"].read_text()):
        assert stated(text) == {name: found[0] for name, found in figures.items()}

    log = auteryn(tmp_path, "logs").stdout
    assert log.count("note_write answered") == 3
    slices = [re.findall(rf"step {step}\] slice \d+ began", log) for step in (1, 2, 3)]
    assert sorted(map(len, slices)) == [1, 1, 2]
    assert json.loads(auteryn(tmp_path, "metrics", "--json").stdout)["llm_calls"] >= 20


@pytest.mark.proves("P31", "P50")
def test_the_demo_killed_itself_goes_on_in_any_other_command(tmp_path: Path) -> None:
    with begun(tmp_path, "demo") as demo:
        assert demo.stderr
        assert any("✕ kill -9" in line for line in demo.stderr)
        demo.kill()

    asked = auteryn(tmp_path, "watch")
    assert asked.returncode == 3, asked.stderr
    (ask,) = set(re.findall(r"ask_\w+", asked.stderr + asked.stdout))
    done = auteryn(tmp_path, "answer", ask, "Publish", "--quiet")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert stated(done.stdout) == {counter.name: figures_of(counter)[0] for counter in counts.COUNTERS}
    assert auteryn(tmp_path, "logs").stdout.count("note_write answered") == 3


def test_a_home_that_holds_other_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine.txt").write_text("mine")

    done = auteryn(tmp_path, "demo")

    assert done.returncode == 2
    assert "wants an empty folder" in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["mine.txt"]


def test_the_data_set_is_what_its_origin_says() -> None:
    assert counts.FILE.read_text(encoding="utf-8") == counts.text()
    assert len(list(counts.rows())) == 543


@pytest.mark.parametrize("counter", counts.COUNTERS, ids=lambda counter: counter.name)
def test_each_page_tells_what_the_data_set_was_made_with(counter: counts.Counter) -> None:
    page = (FOLDER / counter.page).read_text(encoding="utf-8")

    assert f"<td>{counter.changed}</td>" in page
    assert f"<td>{counter.broken_from} to {counter.broken_to}</td>" in page


def figures_of(counter: counts.Counter) -> tuple[int, int, int, int]:
    """(riders a day, valid days, four weeks before, four weeks after), counted here and not by the engine's tools."""
    with counts.FILE.open(newline="") as file:
        days = [
            (date.fromisoformat(row["date"]), int(row["riders"]))
            for row in csv.DictReader(file)
            if row["counter"] == counter.name
        ]
    valid = {day: riders for day, riders in days if not counter.broken_from <= day <= counter.broken_to}
    before = [valid[day] for day in valid if counter.changed - timedelta(days=28) <= day < counter.changed]
    after = [valid[day] for day in valid if counter.changed <= day < counter.changed + timedelta(days=28)]
    return mean(list(valid.values())), len(valid), mean(before), mean(after)


def mean(values: list[int]) -> int:
    return math.floor(sum(values) / len(values) + 0.5)


def workbook(path: Path) -> dict[str, tuple[Any, ...]]:
    sheet = openpyxl.load_workbook(path)["Counters"]
    assert len(sheet._charts) == 1
    return {row[0]: tuple(row[1:5]) for row in sheet.iter_rows(min_row=2, values_only=True) if row[0]}


def stated(text: str) -> dict[str, int]:
    """Riders a day as the text says."""
    return {name: int(riders.replace(",", "")) for name, riders in re.findall(r"(\w+ \w+): ([\d,]+) riders a day over", text)}
