"""The run whose histories are kept: several turns, tools, a wait and a note. As a program it records today's shape."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from auteryn.schema.event import Entry
from auteryn.schema.record import to_json
from auteryn.schema.run import VERSION, Run
from auteryn.testing.clock import skipping
from auteryn.testing.scripted import call
from auteryn.testing.world import World
from auteryn.tools.calculate import calculate
from auteryn.tools.notes import note_write
from auteryn.tools.time import wait

TASK = "Work out two figures, note them, look again in an hour"
SCRIPT = [
    [call("calculate", expression="6*7"), call("calculate", expression="2**10")],
    call("note_write", section="decisions", text="the figures are 42 and 1024"),
    call("wait", until="1h", reason="look again"),
    "42 and 1024",
]
TOOLS = [calculate, note_write, wait]


def record(folder: Path) -> None:
    """`figures.jsonl` (one entry a line) and `figures.run.json` (what they fold to)."""

    async def story() -> tuple[Run, Sequence[Entry]]:
        async with World(Path(tempfile.mkdtemp()), model=SCRIPT, tools=TOOLS) as world:
            run = await world.ended(await world.start(TASK))
            return run, await world.journal(run.id)

    run, entries = skipping(story())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.jsonl").write_bytes(b"".join(to_json(entry) + b"\n" for entry in entries))
    (folder / "figures.run.json").write_bytes(to_json(run))


if __name__ == "__main__":
    record(Path(__file__).parent / str(VERSION))
