"""Calculating, asking, planning, remembering, waiting."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from unit.tools.bench import Args, Bench, sample


@sample
def calculate(bench: Bench) -> Iterator[Args]:
    yield {"expression": "(1299 - 949) / 1299"}


@sample
def json_query(bench: Bench) -> Iterator[Args]:
    bench.put("a.json", '{"items": [{"price": 12, "name": "a"}, {"price": 9, "name": "b"}]}')
    yield {"source": "a.json", "expression": "items[?price > `10`].name"}


@sample
def tool_search(bench: Bench) -> Iterator[Args]:
    yield {"query": "make a chart"}


@sample
def note_write(bench: Bench) -> Iterator[Args]:
    yield {"section": "findings", "text": "prices rose"}


@sample
def note_read(bench: Bench) -> Iterator[Args]:
    bench.facts_of("note_write", {"section": "findings", "text": "prices rose"})
    yield {"section": "findings"}


@sample
def memory_save(bench: Bench) -> Iterator[Args]:
    yield {"text": "The owner likes short reports", "tags": ["style"]}


@sample
def memory_search(bench: Bench) -> Iterator[Args]:
    bench.facts_of("memory_save", {"text": "The owner likes short reports"})
    yield {"query": "reports"}


@sample
def plan_create(bench: Bench) -> Iterator[Args]:
    yield {"goal": "Compare", "steps": [{"description": "Look"}, {"description": "Write", "depends_on": [1]}]}


@sample
def plan_update(bench: Bench) -> Iterator[Args]:
    bench.take(bench.facts_of("plan_create", {"goal": "Compare", "steps": [{"description": "Look"}]}))
    yield {"add": [{"description": "Write", "depends_on": [1]}], "note": "a second step"}


@sample
def go_deep(bench: Bench) -> Iterator[Args]:
    bench.run = replace(bench.run, mode="fast")
    yield {"reason": "it takes research"}


@sample
def ask_approval(bench: Bench) -> Iterator[Args]:
    yield {"message": "Delete 20 records?", "options": ["Yes", "No", "Show me first"]}


@sample
def ask_input(bench: Bench) -> Iterator[Args]:
    yield {"message": "Your address?", "validation": "email"}


@sample
def notify(bench: Bench) -> Iterator[Args]:
    yield {"message": "Half of it is done"}


@sample
def wait(bench: Bench) -> Iterator[Args]:
    yield {"until": "6h", "reason": "prices change"}


@sample
def schedule(bench: Bench) -> Iterator[Args]:
    yield {"every": "6h", "instruction": "Look at the prices", "until": "7d"}
