"""Runs of earlier releases, as they were stored: today's code reads them to the same end, and finishes them from anywhere.

A new stored shape gets a folder of its own: `python tests/histories/record.py` writes it. The older folders stay as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from record import SHAPES, STORIES

from auteryn.errors import Corrupt
from auteryn.schema.change import Change, Newborn
from auteryn.schema.fold import after, born
from auteryn.schema.record import to_json
from auteryn.schema.run import VERSION
from auteryn.schema.versions import read_entry, read_run
from auteryn.testing.clock import skipping
from auteryn.testing.world import World

HERE = Path(__file__).parent
HISTORIES = sorted(path.with_name(f"{path.name.split('.')[0]}.jsonl") for path in HERE.glob("*/*.run.json"))
DOCUMENTS = sorted(HERE.glob("*/documents.jsonl"))


def entries(history: Path):
    return [read_entry(line.encode()) for line in history.read_text(encoding="utf-8").splitlines()]


@pytest.mark.proves("L13")
def test_every_version_that_was_ever_released_has_a_history() -> None:
    assert {path.parent.name for path in HISTORIES} == {str(version) for version in range(1, VERSION + 1)}


@pytest.mark.proves("L13", "F28")
@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stored_run_folds_to_what_it_was(history: Path) -> None:
    first, *rest = entries(history)
    run = born(first)
    for entry in rest:
        run = after(run, entry)
    stored = read_run(history.with_suffix(".run.json").read_bytes())
    assert run == stored
    assert stored.status == "completed"


@pytest.mark.proves("L13", "F28", "P31")
@pytest.mark.parametrize("history", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_run_that_an_older_release_left_is_finished_by_this_one(history: Path, tmp_path: Path) -> None:
    first, *rest = entries(history)
    stored = read_run(history.with_suffix(".run.json").read_bytes())

    told = STORIES[history.stem]

    async def story(cut: int) -> str | None:
        async with World(tmp_path / str(cut), model=told.script, tools=told.tools) as world:
            store = world.services.store
            run = await store.create(Newborn(run=born(first), entry=first, wake_at=world.now()))
            for entry in rest[:cut]:
                run = after(run, entry)
                await store.commit(Change(run=run, entry=entry))
            await world.services.queue.enqueue(run.id, world.now())
            return (await world.ended(run.id)).result

    for cut in range(len(rest)):
        assert skipping(story(cut)) == stored.result, f"cut after entry {cut + 1}"


@pytest.mark.proves("L13")
@pytest.mark.parametrize("documents", DOCUMENTS, ids=lambda path: path.parent.name)
def test_documents_beside_the_journal_are_read_as_they_were_written(documents: Path) -> None:
    rows = [json.loads(line) for line in documents.read_text(encoding="utf-8").splitlines()]
    assert {kind for kind, _ in rows} == SHAPES.keys()
    for kind, body in rows:
        read = msgspec.convert(body, SHAPES[kind])
        assert json.loads(to_json(read)) == body


@pytest.mark.proves("F28")
def test_a_shape_from_the_future_is_refused_by_name() -> None:
    stored = json.loads(next(HERE.glob("1/*.run.json")).read_bytes())
    with pytest.raises(Corrupt, match=rf"written by a newer release \(shape {VERSION + 1}"):
        read_run(to_json({**stored, "v": VERSION + 1}))
