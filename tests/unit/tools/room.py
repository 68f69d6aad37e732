"""A room to call tools in, as the engine does: arguments read from JSON, real files, real store, real blobs."""

from __future__ import annotations

import asyncio
import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.errors import ToolFailed
from auteryn.ports.model import Model
from auteryn.schema.event import Entry
from auteryn.schema.fold import after
from auteryn.schema.record import from_json, to_json
from auteryn.schema.routing import Decision
from auteryn.schema.run import Limits, Run
from auteryn.testing.clock import START, SkippingClock
from auteryn.testing.scripted import ScriptedModel
from auteryn.tools.builtin import builtin_tools
from auteryn.tools.egress import Egress
from auteryn.tools.registry import Registry
from auteryn.tools.signature import arguments
from auteryn.tools.sitting import Sitting
from auteryn.tools.tool import Pause, Result, Tool, ToolContext
from auteryn.tools.workspace import Workspace


class Room:
    """`run` is the run the calls belong to; a repeated call id is a call repeated after a crash."""

    def __init__(self, folder: Path) -> None:
        self.clock = SkippingClock()
        (folder / "files").mkdir(parents=True, exist_ok=True)
        self.files = Workspace(folder / "files")
        self.store = SqliteStore.open(folder, synchronous="off")
        self.blobs = FolderBlobs(folder / "blobs")
        self.registry = Registry(builtin_tools())
        self.egress = Egress()
        self.run = Run(
            id="run_1",
            title="a test",
            mode="deep",
            routing=Decision(mode="deep", stage="forced", confidence=1.0, sure=True, reason="test"),
            created_at=START,
            deadline_at=START + timedelta(days=7),
            limits=Limits(llm_calls=100),
            reserved_calls=100,
            status="running",
            seq=1,
        )
        self.context: ToolContext | None = None
        self.sitting = Sitting()
        self.labels = frozenset[str]()
        """What the run has read."""
        self.model: Model = ScriptedModel(["done"])
        """Whom tools ask that ask a model."""
        self.loop = asyncio.Runner()
        """All calls share one, so what stays open between them goes on living."""
        self._calls = 0

    def call(self, tool: Tool, /, call: str | None = None, **raw: Any) -> Any:
        """What the tool returns. A record that comes back has been through JSON, as everything stored has."""
        self._calls += 1
        call = call or f"call_{self._calls}"
        self.context = ToolContext(
            run=self.run,
            call=call,
            files=self.files,
            store=self.store,
            blobs=self.blobs,
            clock=self.clock,
            registry=self.registry,
            egress=self.egress,
            sitting=self.sitting,
            consult=self.model.generate,
            labels=self.labels,
        )
        given = {"ctx": self.context, **arguments(tool, from_json(to_json(raw), dict[str, Any]))}
        outcome = self.loop.run(tool.fn(**given)) if inspect.iscoroutinefunction(tool.fn) else tool.fn(**given)
        return from_json(to_json(outcome), type(outcome)) if isinstance(outcome, Pause | Result) else outcome

    def refusal(self, tool: Tool, /, call: str | None = None, **raw: Any) -> ToolFailed:
        """The failure of a call that must fail."""
        with pytest.raises(ToolFailed) as failed:
            self.call(tool, call, **raw)
        return failed.value

    def commit(self, outcome: Pause | Result) -> None:
        """Take the outcome's facts into the run, as a slice would."""
        entry = Entry(seq=self.run.seq + 1, at=self.clock.now(), slice=1, commit=f"c{self.run.seq}", events=outcome.events)
        self.run = after(self.run, from_json(to_json(entry), Entry))

    def put(self, path: str, text: str | bytes) -> None:
        self.files.write(path, text.encode() if isinstance(text, str) else text)

    def close(self) -> None:
        self.loop.run(self.sitting.close())
        self.loop.run(self.store.close())
        self.loop.close()
