"""Go on with a run and follow it: host it here, show what happens, ask what it asks, and end with its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from auteryn.cli import exits, output
from auteryn.cli.artifacts import FOLDER, copied
from auteryn.cli.home import Home
from auteryn.cli.prompt import can_prompt, prompted, whoever, words
from auteryn.cli.root import Common
from auteryn.cli.screen import Screen, clean
from auteryn.cli.stalled import needs_person
from auteryn.cli.view import View
from auteryn.errors import DiskFull, NotAllowed, WrongState
from auteryn.policy.durations import shown
from auteryn.schema.event import beginning
from auteryn.schema.human import Ask
from auteryn.schema.run import Run
from auteryn.service.delivery import StreamEvent
from auteryn.service.why import silence_means
from auteryn.tools.workspace import OUTPUTS

TICK = timedelta(seconds=1)
"""Between two looks at the clock and at whether only a person can move the run."""
MOST_NAMED = 10
"""Files that a run has made and not handed over."""
NOW = "now"
"""A cursor no run has: the stream begins with a snapshot of how things stand."""


class Follow(Struct):
    """How a run is followed."""

    after: str = ""
    """Event id to go on from; empty: from the run's beginning."""
    from_now: bool = False
    thoughts: bool = False
    out: Path | None = None
    background: bool = False
    """Nobody watches: no files are copied, no progress is shown."""
    screen: Screen | None = None
    seen: Callable[[StreamEvent], None] | None = None
    """Called with every event."""
    answers: Callable[[Ask], Awaitable[Any]] | None = None
    """Who answers questions, if it is not the terminal."""


async def follow(common: Common, home: Home, run_id: str, how: Follow) -> int:
    """Work on the run here until it has ended, or until only a person who is not here can move it; gives the exit code."""
    run = await home.desk.get(run_id)
    screen = how.screen or Screen(quiet=common.quiet or common.json or how.background)
    following = _Following(common, home, run.root, how, screen)
    try:
        if not run.terminal:
            await home.host.start()
        return await following.to_the_end()
    except asyncio.CancelledError:
        screen.close()
        click.echo(
            f"Detached from {run.root}. It goes on when its home is opened again: {home.command} watch {run.root}", err=True
        )
        return exits.DETACHED
    finally:
        screen.close()


class _Following:
    def __init__(self, common: Common, home: Home, root: str, how: Follow, screen: Screen) -> None:
        self.common, self.home, self.root, self.how, self.screen = common, home, root, how, screen
        self.view = View(screen, root, thoughts=how.thoughts)
        self.asks: dict[str, Ask] = {}
        self.asking: tuple[str, asyncio.Task[None]] | None = None

    async def to_the_end(self) -> int:
        cursor = NOW if self.how.from_now else self.how.after or None
        stream = self.home.desk.events(self.root, cursor)
        async for event in _ticking(stream):
            if event is None:
                if await self._left_to_a_person():
                    return await self._needs_person()
            else:
                await self._take(event)
            self._ask_next()
            self.screen.status(self.view.status_line())
        return await self._ended()

    async def _take(self, event: StreamEvent) -> None:
        if self.common.json:
            output.json_line(event)
        if self.how.seen:
            self.how.seen(event)
        self.view.take(event)
        if event.kind == "log" and event.data["kind"] in ("plan_created", "plan_revised") and event.run == self.root:
            await self._show_plan()
        for ask in [event.data] if event.kind == "ask" else event.data["asks"] if event.kind == "reset" else ():
            await self._question(event.run, {"state": "open", **ask})

    async def _show_plan(self) -> None:
        if plan := (await self.home.desk.get(self.root)).plan:
            self.view.plan(plan)

    # ---- questions

    async def _question(self, run: str, data: dict[str, Any]) -> None:
        if data["state"] != "open":
            self._closed(data)
            return
        asked = next((one for one in (await self.home.desk.get(run)).asks if one.id == data["id"]), None)
        if asked:  # else it was answered before we came, and what was asked explains what follows
            self.asks[asked.id] = asked
            self.view.question({**data, "run": run}, silence_means(asked))
        else:
            self.screen.paragraph(data["message"], first="? ")

    def _closed(self, data: dict[str, Any]) -> None:
        self.asks.pop(data["id"], None)
        if self.asking and self.asking[0] == data["id"]:
            self.asking[1].cancel()
        if data["state"] != "answered":
            self.screen.parts(("  ◦ ", "dim"), (f"the question has {data['state']}", "dim"))
        elif data["by"] == whoever():
            self.screen.parts(("  ✓ ", "green"), str(data["value"]))
        else:
            self.screen.parts(("  ✓ ", "green"), str(data["value"]), (f"  (by {data['by']})", "dim"))

    def _ask_next(self) -> None:
        """One question at a time, where somebody can answer."""
        if self.asking and self.asking[1].done():
            self.asking = None
        if self.asks and not self.asking and (self.how.answers or can_prompt(self.screen)):
            ask = next(iter(self.asks.values()))
            self.asking = (ask.id, asyncio.create_task(self._answered(ask)))

    async def _answered(self, ask: Ask) -> None:
        if self.how.answers:
            value = await self.how.answers(ask)
        else:
            self.screen.hold()
            try:
                value = await prompted(self.screen, ask)
            finally:
                self.screen.go_on()
        if value is not None:
            try:
                await self.home.desk.answer(ask.id, value, by=whoever())
            except (NotAllowed, WrongState) as error:  # it is somebody else's to answer, or somebody was faster
                self.screen.paragraph(str(error), "dim", indent="    ", first="  ◦ ")
        self.asks.pop(ask.id, None)

    async def _left_to_a_person(self) -> bool:
        if self.how.answers or can_prompt(self.screen):
            return False
        services = self.home.host.engine.services
        return await needs_person(services.store, self.root, services.clock.now())

    async def _needs_person(self) -> int:
        """Say exactly what answers each open question."""
        self.screen.close()
        for ask in await self.home.desk.asks(self.root):
            click.echo(f"{self.root} waits for a person: {clean(ask.message)}  {silence_means(ask)}".rstrip(), err=True)
            for value in words(ask):
                click.echo(f"  {self.home.command} answer {ask.id} {value}", err=True)
        return exits.NEEDS_PERSON

    # ---- the end

    async def _ended(self) -> int:
        run = await self.home.desk.get(self.root)
        self.screen.close()
        if not self.common.json:
            self._result(run)
        placed = self.how.background or await self._files(run)
        self._cost(run)
        if run.failure:
            click.echo(f"auteryn: {run.id} failed ({run.failure.reason}): {clean(run.failure.message)}", err=True)
        elif run.status == "cancelled":
            click.echo(f"auteryn: {run.id} was cancelled", err=True)
        for one in (await self.home.desk.health(run.id)).undelivered:
            click.echo(f"auteryn: not delivered: {clean(one)}", err=True)
        code = exits.of_run(run.status, run.failure.reason if run.failure else None)
        if not placed:
            return code or exits.FAILED
        if code == exits.FAILED:
            self.screen.line(
                f"  {self.home.command} retry {run.id}  begins again with what it has made and found", "dim", whole=True
            )
        return code

    def _result(self, run: Run) -> None:
        self.screen.line()
        if run.result:
            if run.status != "completed":
                self.screen.line("The last it said:", "dim")
            output.result(run.result)
            self.screen.line()

    async def _files(self, run: Run) -> bool:
        """Copy what it made to where the person works; whether they could be written there."""
        folder = self.how.out or FOLDER / run.id
        try:
            placed = [await copied(self.home, one, folder) for one in run.artifacts]
            placed += await asyncio.to_thread(_deliverables, self.home, run, self.how.out)
        except (OSError, DiskFull) as error:
            why = error.strerror if isinstance(error, OSError) else error
            elsewhere = f"{self.home.command} artifacts get {run.id} --out DIR"
            click.echo(f"auteryn: {str(folder)!r} does not take the files ({why}); they are kept: {elsewhere}", err=True)
            return False
        for path in placed:
            self.screen.line(f"▪ {path}", "green", whole=True)
        incomplete = run.status != "completed" or not placed
        if incomplete and (left := await self._made_only({str(path.relative_to(folder)) for path in placed})):
            where = self.home.host.engine.files.of(self.root).root
            names = ", ".join([*left[:MOST_NAMED], *([f"{len(left) - MOST_NAMED} more"] if len(left) > MOST_NAMED else [])])
            self.screen.line(f"▪ not handed over, in {where}: {names}", "yellow", whole=True)
        return True

    async def _made_only(self, placed: set[str]) -> list[str]:
        """Files it was not given and that are nowhere but in its workspace; long answers of its calls are none."""
        [first] = await self.home.host.engine.services.store.journal(self.root, limit=1)
        given = set(beginning(first).input.files)
        files = self.home.host.engine.files.of(self.root)
        made = await asyncio.to_thread(lambda: [found.path for found in files.walk() if found.path not in given | placed])
        return [path for path in made if not path.startswith(f"{OUTPUTS}/call_")]

    def _cost(self, run: Run) -> None:
        usage, span = run.usage, (run.ended_at or run.created_at) - run.created_at
        took = f"{_span(span)} with {_span(timedelta(milliseconds=usage.active_ms))} of work"
        calls = f"{_many(usage.llm_calls, 'model call')} · {_many(usage.tool_calls, 'tool call')}"
        self.screen.line(f"{took} · {calls} · {usage.credits.total / 1000:.1f} credits", "dim", whole=True)


async def _ticking(stream: Any) -> AsyncGenerator[StreamEvent | None]:
    """The stream's events, and None whenever a second has passed without one."""
    events = aiter(stream)
    coming: asyncio.Future[StreamEvent] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([coming], timeout=TICK.total_seconds())
            if not done:
                yield None
                continue
            arrived, coming = coming, None
            try:
                event = arrived.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        with contextlib.suppress(RuntimeError):
            await events.aclose()


def _deliverables(home: Home, run: Run, out: Path | None) -> list[Path]:
    """Copies of declared deliverables that were made and not published."""
    files, published = home.host.engine.files.of(run.root), {artifact.path for artifact in run.artifacts}
    placed = list[Path]()
    for found in files.walk() if run.options.deliverables else ():
        wanted = any(Path(found.path).match(check.path) for check in run.options.deliverables)
        if wanted and found.path not in published:
            target = (out or FOLDER / run.id) / found.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.reading(found.path) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            placed.append(target)
    return placed


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():.1f}s" if span < timedelta(seconds=10) else shown(span)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
