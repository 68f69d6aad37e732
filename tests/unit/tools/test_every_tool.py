"""What every built-in tool promises, asked of each by its sample: a known contract, one effect after a crash, caps, an end.

A tool counts when its five tests exist. Three are here for all tools at once; the happy path and each own failure are written
by hand in the tool's family and marked `@pytest.mark.tool("name", "happy")` and `"failure"`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.agent import output
from auteryn.schema import event as e
from auteryn.tools.builtin import builtin_tools
from auteryn.tools.catalogue import shipped
from auteryn.tools.signature import shape_of
from auteryn.tools.tool import Tool
from unit.tools.bench import Bench, load_samples, sampled

TOOLS = {one.name: one for one in builtin_tools()}
MOST_TIME = timedelta(minutes=10)
SAMPLED = sorted(set(TOOLS) & set(load_samples()))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.fixture(params=SAMPLED)
def one(request: pytest.FixtureRequest) -> Tool:
    return TOOLS[request.param]


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_schema_snapshot(name: str) -> None:
    """Else run `python -m auteryn.tools.catalogue`, and look at the difference."""
    known = shipped(TOOLS[name].fn)
    assert known is not None and known.parameters == shape_of(TOOLS[name].fn).schema == TOOLS[name].parameters


@pytest.mark.proves("L6")
def test_crash_replay(bench: Bench, one: Tool) -> None:
    """The process dies after the effect and before the answer is committed; another one resumes the call."""
    with sampled(bench, one.name) as args:
        first = bench.facts_of(one, args)
        assert not _error(first), _error(first)
        after = bench.state()
        bench.reborn()
        again = bench.facts_of(one, args, resumed=one.effect in ("keyed", "once"))
        assert bench.state() == after
        unknown = _error(again) == "ambiguous" and one.effect in ("keyed", "once")
        assert unknown or bench.outcome(again) == bench.outcome(first)


def test_cap(bench: Bench, one: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too much output goes to a file, whole; too much time is a failure that says so."""
    monkeypatch.setattr(output, "OUTPUT_CAP", 4)
    with sampled(bench, one.name) as args:
        for fact in bench.facts_of(one, args):
            if isinstance(fact, e.CallAnswered) and fact.error is None and fact.within is None:
                assert fact.cut and isinstance(fact.output, dict)
                kept: Any = fact.output
                assert len(bench.files.read(kept["path"]).decode()) == kept["chars_total"] > 4
    assert one.timeout <= MOST_TIME
    bench.reborn(anew=True)
    with sampled(bench, one.name) as args:
        assert _error(bench.facts_of(one, args, timeout=timedelta(microseconds=1))) in (None, "timeout", "ambiguous")
        assert bench.half_made() == []


@pytest.mark.parametrize("after_seconds", [0.0, 0.02])
def test_cancel(bench: Bench, one: Tool, after_seconds: float) -> None:
    """A cancelled call leaves no thread, no process and nothing half-made, and its repeat is the one call."""
    with sampled(bench, one.name) as args:
        threads, children = set(threading.enumerate()), _children()
        bench.facts_of(one, args, cancel_after=after_seconds)
        assert not [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
        assert _children() == children and bench.half_made() == []
        facts = bench.facts_of(one, args, resumed=one.effect in ("keyed", "once"))
        assert not _error(facts) or (_error(facts) == "ambiguous" and one.effect in ("keyed", "once"))
        settled = bench.state()
        bench.facts_of(one, args, resumed=one.effect in ("keyed", "once"))
        assert bench.state() == settled


def _error(facts: list[Any]) -> str | None:
    errors = [fact.error for fact in facts if isinstance(fact, e.CallAnswered) and fact.within is None]
    return errors[0] if errors else None


def _children() -> set[str]:
    """Processes of this one, by id."""
    found = set[str]()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has ended meanwhile
            found.update((task / "children").read_text().split())
    return found
