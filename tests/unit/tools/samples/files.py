"""Files and archives, artifacts."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample

TEXT = "one\ntwo\nthree\n" * 20


@sample
def file_read(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", TEXT)
    yield {"path": "a.txt"}


@sample
def file_write(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", TEXT)
    yield {"path": "a.txt", "content": "four\n", "mode": "append"}


@sample
def file_edit(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", "one two")
    yield {"path": "a.txt", "old": "one", "new": "one one"}


@sample
def file_find(bench: Bench) -> Iterator[Args]:
    for number in range(30):
        bench.put(f"in/{number}.csv", "a")
    yield {"glob": "*.csv"}


@sample
def file_grep(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", TEXT)
    yield {"pattern": "t(wo|hree)"}


@sample
def file_move(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", TEXT)
    yield {"src": "a.txt", "dst": "b/c.txt"}


@sample
def file_delete(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", TEXT)
    yield {"paths": ["a.txt"]}


@sample
def archive(bench: Bench) -> Iterator[Args]:
    bench.put("in/a.txt", TEXT)
    bench.put("in/b.txt", TEXT)
    bench.facts_of("archive", {"action": "pack", "path": "all.zip", "members": ["in"]})
    yield {"action": "unpack", "path": "all.zip", "dest": "out"}


@sample
def artifact_publish(bench: Bench) -> Iterator[Args]:
    bench.put("report.md", "# Report")
    yield {"path": "report.md", "title": "Report"}
