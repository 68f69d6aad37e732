"""Scripts that call tools."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample


@sample
def script_run(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", "one\ntwo\n")
    yield {"code": "lines = file_read(path='a.txt')\nfile_write(path='b.txt', content=lines['text'])\n'done'"}
