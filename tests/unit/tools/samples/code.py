"""Code, commands, repositories and patches."""

from __future__ import annotations

from collections.abc import Iterator

from unit.tools.bench import Args, Bench, sample


@sample
def python_run(bench: Bench) -> Iterator[Args]:
    yield {"code": "open('log.txt', 'a').write('once ')\nprint(6 * 7)"}


@sample
def shell_run(bench: Bench) -> Iterator[Args]:
    yield {"command": "echo once >> log.txt; cat log.txt"}


@sample
def git(bench: Bench) -> Iterator[Args]:
    bench.put("shop/a.txt", "one\n")
    bench.facts_of("shell_run", {"command": "git init -q -b main shop"})
    yield {"action": "commit", "repo": "shop", "message": "First"}


@sample
def patch_apply(bench: Bench) -> Iterator[Args]:
    bench.put("a.txt", "one\ntwo\n")
    yield {"diff": "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"}


@sample
def code_check(bench: Bench) -> Iterator[Args]:
    bench.put("a.py", "import os\nprint(1)\n")
    yield {"path": "a.py", "fix": True}


@sample
def code_test(bench: Bench) -> Iterator[Args]:
    bench.put("p/test_a.py", "def test_one():\n    assert True\n")
    yield {"path": "p"}
