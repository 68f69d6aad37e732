"""The runs whose histories are kept. As a program it records in today's shape what its version's folder does not have yet."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from auteryn.schema.event import Entry
from auteryn.schema.files import KIND, FileChanges, FileState, Receipt
from auteryn.schema.human import People
from auteryn.schema.post import ENDPOINT, POST, POSTS, Endpoint, Post, Secret
from auteryn.schema.record import to_json
from auteryn.schema.run import VERSION, Channel, Options, Run
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import Ask, Line, call
from auteryn.testing.world import World
from auteryn.tools.calculate import calculate
from auteryn.tools.deliver import artifact_publish
from auteryn.tools.files import file_write
from auteryn.tools.human import ask_approval, notify
from auteryn.tools.notes import note_write
from auteryn.tools.time import wait


@dataclass(frozen=True)
class Story:
    """A run that any release plays to the same end, from wherever another left it."""

    task: str
    script: Any
    tools: list[Any]
    options: dict[str, Any] = field(default_factory=dict[str, Any])


def _told(ask: Ask) -> Line:
    """Everything people and programs see of a run."""
    script: list[Line] = [
        [call("note_write", section="constraints", text="in euros"), call("notify", message="It begins.", level="info")],
        call("file_write", path="report.txt", content="the report"),
        call("artifact_publish", path="report.txt", title="Report"),
        call("ask_approval", message="Send it?", options=["Yes", "No"], timeout="48h"),
        call("wait", until="1h", reason="a last look"),
    ]
    return script[ask.turn] if ask.turn < len(script) else "sent"


STORIES = {
    "figures": Story(
        "Work out two figures, note them, look again in an hour",
        [
            [call("calculate", expression="6*7"), call("calculate", expression="2**10")],
            call("note_write", section="decisions", text="the figures are 42 and 1024"),
            call("wait", until="1h", reason="look again"),
            "42 and 1024",
        ],
        [calculate, note_write, wait],
    ),
    "people": Story(
        "Write a report, and ask before it is sent",
        _told,
        [note_write, notify, file_write, artifact_publish, ask_approval, wait],
        {
            "credits": 500_000,
            "options": Options(
                include_thoughts=True,
                notify=(Channel(kind="email", to="ann@example.com"),),
                people=People(approvers=("ann",), timeout=timedelta(hours=1), on_timeout="escalate", escalate_to=("cy",)),
            ),
        },
    ),
}
SHAPES: dict[str, Any] = {POST: Post, ENDPOINT: Endpoint, KIND: FileChanges}
"""Kinds of documents beside the journal → how they are read."""


def shapes(posts: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    """A document of each kind: posts as a run left them, the others with every field set."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    secret = Secret(text="whsec_1", until=noon)
    endpoint = Endpoint(
        id="end_1", owner="ann", url="https://example.com/hook", types=("run.completed",), secrets=(secret,), created_at=noon
    )
    state = FileState(path="report.txt", sha256="ab" * 32, size_bytes=9, executable=True, modified_at=noon)
    changes = FileChanges(
        files=(state, FileState(path="gone.txt")), receipts=(Receipt(key="call_1", output={"path": "report.txt"}),)
    )
    return [*((POST, body) for body in posts), (ENDPOINT, endpoint), (KIND, changes)]


def record(folder: Path) -> None:
    """`<story>.jsonl` (one entry a line), `<story>.run.json` (what they fold to) and `documents.jsonl`."""

    async def play(story: Story) -> tuple[Run, Sequence[Entry], list[dict[str, Any]]]:
        async with World(Path(tempfile.mkdtemp()), model=story.script, tools=story.tools) as world:
            run = await world.start(story.task, **story.options)
            if story is STORIES["people"]:
                await world.asked(run)
                await world.after(timedelta(hours=1))  # Ann says nothing, and Cy is asked
                await world.answer(run, "Yes", by="cy")
            ended = await world.ended(run)
            posts = [doc.body for doc in await world.services.store.docs(POST, POSTS)]
            return ended, await world.journal(run), posts

    folder.mkdir(parents=True, exist_ok=True)
    for name, story in STORIES.items():
        if not (folder / f"{name}.jsonl").exists():
            run, entries, posts = skipping(play(story))
            (folder / f"{name}.jsonl").write_bytes(b"".join(to_json(entry) + b"\n" for entry in entries))
            (folder / f"{name}.run.json").write_bytes(to_json(run))
            if posts:
                lines = [msgspec.json.encode([kind, body]) for kind, body in shapes(posts)]
                (folder / "documents.jsonl").write_bytes(b"\n".join(lines) + b"\n")


if __name__ == "__main__":
    record(Path(__file__).parent / str(VERSION))
