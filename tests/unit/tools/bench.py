"""One call through the engine's own gate, ledger and caps: what the suites over all tools are made of.

    with sampled(bench, "file_write") as args:
        first = bench.facts_of("file_write", args)      # as in a slice
        bench.reborn()                                    # the process died before the answer was committed
        again = bench.facts_of("file_write", args, resumed=True)

A sample is one call of a tool that succeeds. `samples/<family>.py` holds them: a generator that prepares the bench (files, a
server, settings), yields the arguments, and cleans up.

    @sample
    def file_read(bench: Bench) -> Iterator[Args]:
        bench.put("a.txt", "one")
        yield {"path": "a.txt"}
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auteryn.adapters.embedded.blobs import FolderBlobs
from auteryn.adapters.embedded.bus import LocalBus
from auteryn.adapters.embedded.jobs import TaskJobs
from auteryn.adapters.embedded.queue import SqliteQueue
from auteryn.adapters.embedded.store import SqliteStore
from auteryn.agent.calls import answer_calls
from auteryn.agent.mind import Mind, Settings
from auteryn.agent.thread import Thread
from auteryn.policy.credits import price_of
from auteryn.ports import Services
from auteryn.schema import event as e
from auteryn.schema.event import AnyEvent, Entry
from auteryn.schema.fold import after
from auteryn.schema.record import from_json, to_json
from auteryn.schema.run import Input
from auteryn.testing.scripted import Script, ScriptedModel
from auteryn.tools.hidden import HIDDEN
from auteryn.tools.registry import Registry
from auteryn.tools.tool import THREADS, Tool
from auteryn.tools.workspace import Workspace
from unit.tools.fault_server import FaultServer
from unit.tools.room import Room

Args = dict[str, Any]
SAMPLES: dict[str, Callable[[Bench], Iterator[Args]]] = {}


def sample(make: Callable[[Bench], Iterator[Args]]) -> Callable[[Bench], Iterator[Args]]:
    """Register a sample under its function's name, which is the tool's."""
    assert make.__name__ not in SAMPLES, f"{make.__name__} has a sample already"
    SAMPLES[make.__name__] = make
    return make


def load_samples() -> dict[str, Callable[[Bench], Iterator[Args]]]:
    from unit.tools import samples

    for module in pkgutil.iter_modules(samples.__path__):
        importlib.import_module(f"{samples.__name__}.{module.name}")
    return SAMPLES


@contextmanager
def sampled(bench: Bench, name: str) -> Generator[Args]:
    """The bench prepared for the tool's sample, and its arguments."""
    steps = load_samples()[name](bench)
    args = next(steps)
    try:
        yield args
    finally:
        next(steps, None)


class Bench(Room):
    """A room whose calls go through the engine. `outside` counts what a sample's stand-ins have received."""

    def __init__(self, folder: Path, env: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.folder, self.env = folder, env
        self.outside: Callable[[], Any] = lambda: None
        self.volatile = set[str]()
        """Keys of an output that differ from call to call: times, durations."""
        self.model: Script = ("Done.",)
        """What a tool that asks the model hears."""
        self._site: FaultServer | None = None

    @property
    def site(self) -> FaultServer:
        """A web server on this machine, reached under `shop.test`."""
        if self._site is None:
            self._site = FaultServer()
            self.egress = self._site.egress("shop.test")
        return self._site

    def reborn(self, *, anew: bool = False) -> None:
        """Another process opens the same folder, or an empty one."""
        asyncio.run(self.store.close())
        if anew:
            self.folder /= "anew"
            self.folder.mkdir()
        self.store = SqliteStore.open(self.folder, synchronous="off")
        self.blobs = FolderBlobs(self.folder / "blobs")
        self.files = Workspace(self.folder / "files")

    def facts_of(
        self,
        tool: Tool | str,
        args: Args,
        *,
        resumed: bool = False,
        timeout: timedelta | None = None,
        cancel_after: float | None = None,
    ) -> list[AnyEvent]:
        """The facts of one call, as a slice would commit them. `resumed`: an earlier slice began it and died.

        `cancel_after`: the call is cancelled after so many seconds; there may be no facts then.
        """
        facts = asyncio.run(self._facts_of(tool, args, resumed, timeout, cancel_after))
        wait(set(THREADS.under_way))  # plain functions that nobody waits for any more end by themselves
        return facts

    async def _facts_of(
        self, tool: Tool | str, args: Args, resumed: bool, timeout: timedelta | None, cancel_after: float | None
    ) -> list[AnyEvent]:
        one = self.registry.get(tool) if isinstance(tool, str) else tool
        allowed = replace(one, permission="auto", decide=None, judge=None, timeout=timeout or one.timeout)
        mind = self._mind(allowed, args, resumed)
        facts = list[AnyEvent]()

        async def work() -> None:
            async for committed in answer_calls(mind):
                facts.extend(
                    from_json(to_json(Entry(seq=9, at=self.clock.now(), slice=1, commit="c", events=committed)), Entry).events
                )

        task = asyncio.create_task(work())
        if cancel_after is not None:
            await asyncio.wait([task], timeout=cancel_after)
            task.cancel()
        await asyncio.gather(task, return_exceptions=cancel_after is not None)
        await mind.sitting.close()
        return facts

    def _mind(self, tool: Tool, args: Args, resumed: bool) -> Mind:
        said = {
            "role": "model",
            "parts": [{"functionCall": {"name": tool.name, "args": from_json(to_json(args), dict[str, Any])}}],
        }
        thread = Thread(run=self.run.id)
        events: list[AnyEvent] = [
            e.RunCreated(run=self.run, input=Input(text="a test")),
            e.ModelAnswered(turn=0, model="scripted", content=said),
        ]
        thread.add(Entry(seq=1, at=self.clock.now(), slice=1, commit="c1", events=tuple(events)))
        if resumed:
            (call,) = thread.calls
            thread.add(
                Entry(seq=2, at=self.clock.now(), slice=1, commit="c2", events=(e.CallStarted(call=call, tool=tool.name),))
            )
        return Mind(
            run=self.run,
            thread=thread,
            services=self._services(),
            registry=Registry([tool, *(one for one in self.registry if one.name != tool.name)]),
            files=self.files,
            settings=Settings(compact_at_tokens=100_000, keep_tokens=10_000, price=price_of),
            egress=self.egress,
            on_delta=lambda delta: None,
            stop_at=self.clock.now() + timedelta(hours=1),
            room=_unlimited,
            commit=_unrecorded,
        )

    def _services(self) -> Services:
        return Services(
            store=self.store,
            queue=SqliteQueue(self.store.database, self.clock),
            bus=LocalBus(self.store.database),
            jobs=TaskJobs(max_slices=1),
            blobs=self.blobs,
            model=ScriptedModel(self.model),
            clock=self.clock,
        )

    def take(self, facts: list[AnyEvent]) -> None:
        """Commit the facts into the run, so that the next call builds on them."""
        kept = [fact for fact in facts if not isinstance(fact, e.CallAnswered | e.CallSuspended | e.CallStarted)]
        entry = Entry(seq=self.run.seq + 1, at=self.clock.now(), slice=1, commit=f"c{self.run.seq}", events=tuple(kept))
        self.run = after(self.run, entry)

    def outcome(self, facts: list[AnyEvent]) -> Any:
        """What is compared between two calls: the answer or the wait, and the facts beside it, without what is volatile."""
        dull = {"ms", "attempts", *self.volatile}
        return [
            _without(from_json(to_json(fact), dict[str, Any]), dull)
            for fact in facts
            if not isinstance(fact, e.CallStarted | e.Logged)
        ]

    def state(self) -> Any:
        """Everything a call may have changed: the run's files, what was delivered, nothing half-made."""
        root = self.files.root
        tree = {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not path.is_symlink() and HIDDEN not in path.parts
        }
        return tree, self.outside()

    def half_made(self) -> list[str]:
        """What a call that is over left in the engine's own folder."""
        return sorted(one.name for one in (self.files.own / "tmp").glob("*"))

    def close(self) -> None:
        super().close()
        if self._site is not None:
            self._site.close()


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, names) for key, one in value.items() if key not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else value


async def _unrecorded(*facts: AnyEvent) -> None:
    """What a call makes true before its answer: here nobody reads it."""


async def _unlimited(credits: int) -> None:
    """The owner of a test may spend what it takes."""
