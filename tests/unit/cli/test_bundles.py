"""Runs as files, their files and notes, forks, schedules and erasing, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auteryn.service.desk import Desk
from auteryn.service.new import NewRun
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.notes import note_write
from auteryn.tools.time import schedule

Auteryn = Callable[..., Any]


def worked(home: Path, script: Any, *, until: str = "ended", tools: Any = ()) -> str:
    """A run that was worked on in this home, and has ended or waits."""

    async def work() -> str:
        async with World(home, model=script, tools=tools, real_time=True) as world:
            run = (await Desk(world.host.engine).create(NewRun(input="Do it", mode="deep"))).id
            await getattr(world, until)(run)
            return run

    return asyncio.run(work())


@pytest.mark.proves("P40")
def test_a_run_goes_out_as_a_file_is_erased_and_comes_back(auteryn: Auteryn, tmp_path: Path) -> None:
    run = worked(tmp_path / "home", ["done"])
    logs = auteryn("logs", run).out
    assert auteryn("export", run).out.strip() == f"{run}.auteryn.zip"
    assert auteryn("export", run).code == 2, "nothing is written over"
    assert auteryn("export", run, "--out", "b.zip", "--json").lines[0]["path"] == "b.zip"
    assert auteryn("erase", run, "--json").lines[0] == {
        "runs": [run],
        "asks": 0,
        "blobs": 0,
        "shared_blobs": 0,
        "leftovers": [],
        "memories": 0,
    }
    assert auteryn("result", run).code != 0
    assert auteryn("import", "b.zip").out.strip() == run
    assert auteryn("logs", run).out == logs
    assert auteryn("result", run).out == "done\n"
    (tmp_path / "broken.zip").write_bytes(b"PK")
    assert auteryn("import", "broken.zip").code == 2
    assert auteryn("import", "nowhere.zip").code == 2


def test_a_fork_is_made_where_it_is_said(auteryn: Auteryn, tmp_path: Path) -> None:
    run = worked(tmp_path / "home", ["done"])
    fork = auteryn("fork", run, "--message", "Again", "--detach").out.strip()
    assert fork.startswith("run_") and fork != run
    assert "goes on from entry" in auteryn("logs", fork).out
    for wrong in ("0", "9999", "1-nonsense"):
        assert auteryn("fork", run, "--after", wrong, "--detach").code == 2


@pytest.mark.proves("P75")
def test_schedules_are_listed_with_their_next_tick_and_ended(auteryn: Auteryn, tmp_path: Path) -> None:
    def script(ask: Any) -> Any:
        return call("schedule", every="6h", instruction="Look", until="7d") if ask.task == "Do it" and ask.turn == 0 else "seen"

    assert "Nothing is scheduled" in auteryn("schedule", "ls").err
    run = worked(tmp_path / "home", script, until="waiting", tools=[schedule])
    [line] = auteryn("schedule", "ls", "--json").lines
    assert (line["run"], line["schedule"]["name"]) == (run, "Look")
    assert "6h" in auteryn("schedule", "ls", run).out
    assert auteryn("schedule", "cancel", run, "Look").code == 0
    assert auteryn("schedule", "cancel", run, "nothing").code == 2


def test_versions_of_a_file_are_listed_and_each_comes_where_it_belongs(auteryn: Auteryn, tmp_path: Path) -> None:
    def script(ask: Any) -> Any:
        if ask.turn == 4:
            return "done"
        write = call("file_write", path="a.txt", content=f"v{ask.turn}", mode="overwrite")
        return call("artifact_publish", path="a.txt") if ask.turn % 2 else write

    run = worked(tmp_path / "home", script, tools=[file_write, artifact_publish])
    old, new = auteryn("artifacts", "versions", run, "a.txt", "--json").lines
    assert old["at"] < new["at"] and old["artifact"]["path"] == new["artifact"]["path"] == "a.txt"
    assert old["artifact"]["id"] in auteryn("artifacts", "versions", run, "a.txt").out
    first = Path(auteryn("artifacts", "get", run, old["artifact"]["id"]).out.strip())
    newest = Path(auteryn("artifacts", "get", run).out.strip())
    assert (first.parent.name, first.read_text(), newest.read_text()) == (old["artifact"]["id"], "v0", "v2")
    assert "a.txt" in auteryn("artifacts", "get", run, "b.txt").err
    assert auteryn("artifacts", "versions", "a.txt").out == auteryn("artifacts", "versions", run, "a.txt").out
    assert auteryn("artifacts", "versions", run, "b.txt").code == 2


def test_what_the_model_has_in_mind_and_what_was_noted_is_printed(auteryn: Auteryn, tmp_path: Path) -> None:
    script = [call("note_write", section="decisions", text="We take the red one."), "done"]
    run = worked(tmp_path / "home", script, tools=[note_write])
    told = auteryn("ledger", run)
    assert told.out.startswith("Do it\n") and "We take the red one." in told.out and "summarised 0 times" in told.err
    assert auteryn("ledger", run, "--json").lines[0]["goal"] == "Do it"
    assert "turn: 2\n" in auteryn("context", run).out and auteryn("context", run, "--json").lines[0]["turn"] == 2
    assert "decisions:\n  We take the red one." in auteryn("notes", run).out
    assert list(auteryn("notes", run, "--json").lines[0]) == ["decisions"]


def test_runs_are_listed_by_what_they_are(auteryn: Auteryn, created: Callable[[str], str]) -> None:
    red, other = created("Compare the red ones"), created("Look")
    assert auteryn("ls", "-q").out.split() == [other, red]
    assert auteryn("ls", "-q", "--text", "RED").out.split() == [red]
    assert auteryn("ls", "-q", "--label", "team=red").out == auteryn("ls", "-q", "--asking").out == ""
    assert auteryn("ls", "-q", "--of", red).out == ""
    assert auteryn("ls", "--label", "team").code == 2
