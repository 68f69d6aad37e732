"""A run whose disk is full: what can go without loss goes first, the same call succeeds, and every failure says what it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auteryn.agent import output
from auteryn.errors import ToolFailed
from auteryn.schema import event as e
from auteryn.schema.run import FileCheck
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.tool import ToolContext, tool
from auteryn.tools.workspace import TRASH, Workspace
from unit.tools.bench import Bench

MB = 1 << 20


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Bench]]:
    """A run whose files lie on a disk of so many megabytes; its blobs lie elsewhere."""
    disk, benches = tmp_path / "disk", list[Bench]()
    disk.mkdir()

    def made(megabytes: int) -> Bench:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
        mounted = subprocess.run(mount, capture_output=True, check=False)
        assert mounted.returncode == 0, "a small disk must be mounted for this: run the tests as root"
        bench = Bench(tmp_path, monkeypatch)
        bench.files = Workspace(disk / "files")
        benches.append(bench)
        return bench

    yield made
    for bench in benches:
        bench.close()
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def small(on_disk: Callable[[int], Bench]) -> Bench:
    return on_disk(2)


def failures(facts: Iterable[Any]) -> list[str | None]:
    return [fact.error for fact in facts if isinstance(fact, e.CallAnswered)]


def logged(facts: Iterable[Any]) -> str:
    return "\n".join(fact.message for fact in facts if isinstance(fact, e.Logged))


def published(bench: Bench, path: str, body: bytes) -> None:
    """A file of the run that was published."""
    bench.files.write(path, body)
    facts = bench.facts_of("artifact_publish", {"path": path})
    assert failures(facts) == [None]
    bench.take(facts)


def on_the_disk(bench: Bench) -> set[str]:
    return {one.name for one in bench.files.root.iterdir()}


@pytest.mark.tool("file_write", "failure")
@pytest.mark.proves("P47")
def test_a_full_disk_is_cleaned_the_same_write_succeeds_and_the_run_is_told(small: Bench) -> None:
    small.put("old.txt", "x" * 1_200_000)
    small.facts_of("file_delete", {"paths": ["old.txt"]})
    facts = small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_500_000})
    assert failures(facts) == [None] and "the disk was full" in logged(facts)
    assert small.files.stat("new.txt").size_bytes == 1_500_000
    assert failures(small.facts_of("file_write", {"path": "more.txt", "content": "z" * 1_500_000})) == ["quota"]
    assert not small.files.exists("more.txt") and small.half_made() == []


@pytest.mark.proves("P47")
def test_published_files_go_first_and_come_back_when_they_are_asked_for(small: Bench) -> None:
    """Nothing of the run is lost: what is gone from the disk is listed, read, compared and edited as before."""
    report = os.urandom(700_000).hex().encode()
    published(small, "report.txt", report)
    before = small.files.stat("report.txt")
    facts = small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_500_000})
    assert failures(facts) == [None] and "report.txt lie with the published files only" in logged(facts)
    assert on_the_disk(small) == {"new.txt"}
    assert small.files.exists("report.txt") and small.files.stat("report.txt") == before
    assert [found.path for found in small.files.walk()] == ["new.txt", "report.txt"]

    small.facts_of("file_delete", {"paths": ["new.txt"]})
    facts = small.facts_of("file_read", {"path": "report.txt"})  # the trash goes to make room for it
    assert failures(facts) == [None] and "were removed" in logged(facts)
    assert small.files.read("report.txt") == report and small.files.stat("report.txt") == before
    assert small.files.all_away() == [] and list((small.files.own / "away").iterdir()) == []


@pytest.mark.proves("P47")
def test_only_what_the_blobs_hold_is_put_away(small: Bench) -> None:
    """A published file that was changed since is the only copy of the change; one whose blob is gone is the only one at all."""
    published(small, "changed.txt", b"a" * 400_000)
    published(small, "erased.txt", b"b" * 400_000)
    small.files.write("changed.txt", b"c" * 400_000)
    erased = next(one for one in small.run.artifacts if one.path == "erased.txt")
    small.loop.run(small.blobs.delete(erased.sha256))
    assert failures(small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_500_000})) == ["quota"]
    assert on_the_disk(small) == {"changed.txt", "erased.txt"} and small.half_made() == []


@pytest.mark.proves("P47")
def test_what_was_put_away_can_be_written_moved_and_deleted(small: Bench) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        published(small, name, name.encode() * 60_000)
    assert failures(small.facts_of("file_write", {"path": "big.txt", "content": "y" * 1_300_000})) == [None]
    assert on_the_disk(small) == {"big.txt"}
    assert failures(small.facts_of("file_write", {"path": "a.txt", "content": "new", "mode": "create"})) == ["conflict"]
    assert failures(small.facts_of("file_write", {"path": "a.txt", "content": "new", "mode": "overwrite"})) == [None]
    assert failures(small.facts_of("file_move", {"src": "b.txt", "dst": "d.txt"})) == [None]
    assert failures(small.facts_of("file_delete", {"paths": ["c.txt", "a.txt"]})) == [None]
    assert small.files.read("d.txt") == b"b.txt" * 60_000
    assert [found.path for found in small.files.walk()] == ["big.txt", "d.txt"] and not small.files.exists("a.txt")


@pytest.mark.proves("P47")
def test_another_process_and_a_copied_tree_know_what_was_put_away(small: Bench, tmp_path: Path) -> None:
    from auteryn.runtime.files import Files

    published(small, "report.txt", b"r" * 900_000)
    small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_500_000})
    small.files.write("new.txt", b"y")
    again = Workspace(small.files.root)
    assert again.stat("report.txt").size_bytes == 900_000
    small.loop.run(Files(small.files.root.parent).copied("files", "copy", small.clock.now()))
    assert Workspace(small.files.root.parent / "copy").stat("report.txt") == again.stat("report.txt")


@pytest.mark.proves("P47", "L6")
def test_a_letter_is_sent_with_an_attachment_that_was_put_away(small: Bench) -> None:
    """What must not happen twice is not begun before its files are there; the question before it names the very same file."""
    from auteryn.tools import foreseen

    published(small, "report.txt", b"r" * 900_000)
    asked = foreseen.attached(["report.txt"], small.files)
    small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_500_000})
    assert on_the_disk(small) == {"new.txt"} and foreseen.attached(["report.txt"], small.files) == asked
    tries = list[str]()

    @tool(effect="once")
    async def post(ctx: ToolContext, path: str) -> int:
        """Post a file."""
        tries.append(path)
        return len(ctx.files.read(path))

    facts = small.facts_of(post, {"path": "report.txt"})
    assert failures(facts) == ["quota"] and tries == ["report.txt"]  # there is no room for it, and it is not tried twice
    small.files.write("new.txt", b"y")
    assert failures(small.facts_of(post, {"path": "report.txt"})) == [None]
    assert hashlib.sha256(small.files.read("report.txt")).hexdigest() in asked[0]


@pytest.mark.proves("P47")
def test_a_library_that_writes_on_a_full_disk_is_called_once_more(small: Bench) -> None:
    """An archive is written piece by piece by another hand, and so is whatever a library makes or a download brings."""
    small.files.write("noise.bin", os.urandom(700_000))
    small.put("old.txt", "x" * 1_000_000)
    small.facts_of("file_delete", {"paths": ["old.txt"]})
    pack = {"action": "pack", "path": "out.zip", "members": ["noise.bin"]}
    facts = small.facts_of("archive", pack)
    assert failures(facts) == [None] and small.files.stat("out.zip").size_bytes > 700_000
    assert "the disk was full" in logged(facts)
    assert failures(small.facts_of("archive", {**pack, "path": "more.zip"})) == ["quota"]
    assert not small.files.exists("more.zip") and small.half_made() == []


@pytest.mark.proves("P47")
@pytest.mark.parametrize("save_as", ["out.csv", "out.parquet", "out.jsonl"])
def test_a_query_that_fills_the_disk_is_made_again_when_there_is_room(small: Bench, save_as: str) -> None:
    published(small, "report.txt", b"r" * 1_500_000)
    sql = "SELECT hash(range) AS a, hash(range + 1) AS b FROM range({rows})"
    facts = small.facts_of("data_query", {"sql": sql.format(rows=40_000), "save_as": save_as})
    assert failures(facts) == [None] and "report.txt" in logged(facts)
    assert small.files.stat(save_as).size_bytes > 600_000
    facts = small.facts_of("data_query", {"sql": sql.format(rows=400_000), "save_as": f"more.{save_as}"})
    assert failures(facts) == ["quota"] and not small.files.exists(f"more.{save_as}") and small.half_made() == []


@pytest.mark.proves("P47", "L6")
def test_a_script_writes_on_when_the_disk_was_full(small: Bench) -> None:
    published(small, "report.txt", b"r" * 1_500_000)
    facts = small.facts_of("script_run", {"code": "file_write(path='new.txt', content='y' * 1_200_000)['size_bytes']"})
    (answer,) = [fact for fact in facts if isinstance(fact, e.CallAnswered) and fact.within is None]
    assert answer.error is None and answer.output["result"] == 1_200_000
    facts = small.facts_of("script_run", {"code": "file_write(path='more.txt', content='y' * 1_900_000)"})
    assert failures(facts) == ["quota", "invalid"] and "file_write failed (quota)" in str(facts[-1])


@pytest.mark.proves("P47")
def test_a_command_finds_the_room_it_needs_and_one_that_fills_the_disk_is_stopped(on_disk: Callable[[int], Bench]) -> None:
    """Below 64 MB of free disk nothing is run: the engine's own last blocks are not a command's."""
    bench = on_disk(160)
    published(bench, "a.bin", os.urandom(50 * MB))
    published(bench, "b.bin", os.urandom(50 * MB))
    facts = bench.facts_of("shell_run", {"command": "sleep 1.2; ls"})
    (answer,) = [fact for fact in facts if isinstance(fact, e.CallAnswered)]
    assert answer.error is None and answer.output["stdout"].split() == ["b.bin"]
    assert "these lie with the published files only: a.bin)" in answer.output["stderr"]

    facts = bench.facts_of("python_run", {"code": "open('out', 'wb').write(bytes(150 << 20)); print('not reached')"})
    assert failures(facts) == ["quota"] and "the disk is full, so it was stopped" in str(facts)
    facts = bench.facts_of("shell_run", {"command": "for n in 1 2 3; do head -c 60000000 /dev/zero > $n.bin || exit 1; done"})
    assert failures(facts) == ["quota"]

    for name in ("1.bin", "2.bin", "3.bin", "out"):
        (bench.files.root / name).unlink(missing_ok=True)
    facts = bench.facts_of("shell_run", {"command": "wc -c b.bin"})
    (answer,) = [fact for fact in facts if isinstance(fact, e.CallAnswered)]
    assert answer.error is None and answer.output["stdout"].split() == [str(50 * MB), "b.bin"]


@pytest.mark.proves("P47")
def test_what_was_done_is_told_though_its_long_answer_cannot_be_kept(small: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "OUTPUT_CAP", 100)
    small.files.write("ballast", bytes(2 * MB - 300_000))
    small.files.write("text.txt", b"line\n" * 20_000)
    with (small.files.root / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError, match="No space"):
        while True:
            rest.write(bytes(4_096))
    facts = small.facts_of("file_read", {"path": "text.txt"})
    (answer,) = [fact for fact in facts if isinstance(fact, e.CallAnswered)]
    assert answer.error is None and answer.cut and "could not be kept" in answer.output["note"]
    assert answer.output["chars_total"] > 4_000 and "path" not in answer.output


@pytest.mark.proves("P47", "L14")
def test_deliverables_that_were_put_away_are_there_for_the_verdict(small: Bench) -> None:
    from auteryn.agent.deliverables import verify
    from auteryn.tools.away import all_back

    published(small, "report.txt", b"r" * 900_000)
    small.facts_of("file_write", {"path": "new.txt", "content": "y" * 1_000_000})
    small.facts_of("file_write", {"path": "new.txt", "content": "y", "mode": "overwrite"})
    small.loop.run(all_back(small.files, small.blobs))
    ((verdict, _),) = verify((FileCheck(path="report.txt", min_bytes=900_000),), small.files)
    assert verdict.ok


# ---- what counts


@pytest.mark.proves("P47")
def test_files_in_hidden_folders_count_and_are_kept(tmp_path: Path) -> None:
    """Wherever code puts its files, and whatever the folder is called, they take room; and tidying takes only what is ours."""
    files = Workspace(tmp_path / "files", tree_bytes=10_000)
    files.write(".config/settings", b"s" * 1_000)
    for folder in (".cache", ".git", "node_modules", HIDDEN, f"deep/{HIDDEN}"):
        (files.root / folder).mkdir(parents=True)
        (files.root / folder / "file").write_bytes(b"x" * 1_000)
    files.write("gone", b"g" * 1_000)
    files.trash("gone", "batch")
    files.keep("browser/cookies", b"c" * 1_000)
    os.link(files.root / ".cache" / "file", files.root / "second-name")
    Workspace(files.root, tree_bytes=8_001).check_room()
    with pytest.raises(ToolFailed, match="more than 8,000 bytes"):
        Workspace(files.root, tree_bytes=8_000).check_room()
    assert {found.path for found in files.walk()} == {".cache/file", ".config/settings", "second-name", f"deep/{HIDDEN}/file"}
    assert files.tidy() and files.kept("browser/cookies") == b"c" * 1_000
    assert not list((files.root / TRASH).glob("*")) and (files.root / ".git" / "file").exists()
