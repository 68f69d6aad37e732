"""A home folder to play with: real SQLite, real files, virtual time, a scripted model.

    async def story() -> None:
        async with World(tmp_path, model=["Hello!"]) as world:
            run = await world.start("Say hello")
            assert (await world.ended(run)).result == "Hello!"

    skipping(story())

Every verb says what a person or a program outside would do, and may be repeated: the same thing said twice is said once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from auteryn.compose import Settings, embedded
from auteryn.errors import WrongState
from auteryn.plan.graph import checked
from auteryn.policy.modes import LONGEST_RUN, MODES
from auteryn.ports import Clock, Services
from auteryn.ports.model import Model
from auteryn.ports.store import children_of
from auteryn.runtime.children import birth, title_of
from auteryn.runtime.host import SWEEP_EVERY, Host
from auteryn.schema import inbox as m
from auteryn.schema.event import AnyEvent, Entry, PlanCreated, facts
from auteryn.schema.human import Answer
from auteryn.schema.plan import StepDraft
from auteryn.schema.record import derived_id, new_id
from auteryn.schema.routing import Decision
from auteryn.schema.run import Input, Limits, ModeName, Options, Run
from auteryn.testing.clock import SkippingClock
from auteryn.testing.scripted import Script, ScriptedModel
from auteryn.tools.tool import Tool

PATIENCE = timedelta(days=30)
"""Virtual time after which something that was waited for counts as never."""

PLAIN = Options()
CIRCLES = 60
"""Slices of one run at one moment that nobody can have meant."""

Around = Callable[[Services], Services]


class World:
    """One home folder and one process that hosts it, between `open` and `close`."""

    def __init__(
        self,
        home: Path,
        *,
        model: Model | Script = ("Done.",),
        tools: Iterable[Tool] = (),
        builtin: bool = False,
        clock: SkippingClock | None = None,
        real_time: bool = False,
        around: Around = lambda services: services,
        sweep_every: timedelta = SWEEP_EVERY,
        **settings: Any,
    ) -> None:
        """`sweep_every`: rarer sweeps make days of waiting cheaper to play; a lost message is then found later."""
        self.home, self.tools, self.builtin, self.around = home, tuple(tools), builtin, around
        self.clock: Clock = clock or SkippingClock()
        self._real_time = real_time
        self.model: Model = ScriptedModel(model) if callable(model) or isinstance(model, Sequence) else model
        how: dict[str, Any] = {"synchronous": "off", **settings}
        self.settings = Settings(home, **how)
        self._sweep_every = sweep_every
        self._host: Host | None = None

    # ---- the process

    async def __aenter__(self) -> World:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, *, hosting: bool = True) -> World:
        """A process hosts the folder: whatever is due in it is worked on. Not hosting, it only looks."""
        self._host = embedded(
            self.settings,
            model=self.model,
            clock=None if self._real_time else self.clock,
            tools=self.tools,
            builtin=self.builtin,
            around=self.around,
        )
        self.clock = self._host.engine.services.clock
        self._host.sweep_every = self._sweep_every
        if hosting:
            await self._host.start()
        return self

    async def close(self) -> None:
        if self._host:
            host, self._host = self._host, None
            await host.close()

    async def reopen(self, after: timedelta = timedelta()) -> World:
        """The process ends in order and, `after` that long, another one hosts the folder."""
        await self.close()
        if isinstance(self.clock, SkippingClock):
            self.clock.jump(after)
        return await self.open()

    @property
    def host(self) -> Host:
        if self._host is None:
            raise WrongState("the world is closed: use it inside `async with`")
        return self._host

    @property
    def services(self) -> Services:
        return self.host.engine.services

    def now(self) -> datetime:
        return self.clock.now()

    # ---- what people do

    async def start(
        self,
        text: str,
        *,
        mode: ModeName = "deep",
        plan: Sequence[str | StepDraft] = (),
        options: Options = PLAIN,
        llm_calls: int | None = None,
        credits: int | None = None,
        max_duration: timedelta = LONGEST_RUN,
        key: str | None = None,
    ) -> str:
        """A run's id. `credits` counts thousandths; the same `key` gives the same run."""
        now, run_id = self.now(), derived_id("run", key) if key else new_id("run")
        run = Run(
            id=run_id,
            title=title_of(text),
            mode=mode,
            routing=Decision(mode=mode, stage="forced", confidence=1.0, sure=True, reason="a test"),
            created_at=now,
            deadline_at=now + max_duration,
            limits=Limits(llm_calls=llm_calls or MODES[mode].llm_calls, credits=credits),
            options=options,
        )
        drafts = [StepDraft(description=step) if isinstance(step, str) else step for step in plan]
        facts = (PlanCreated(plan=checked(derived_id("plan", run_id), drafts)),) if drafts else ()
        made = await self.services.store.create(birth(run, Input(text=text), now, *facts), key=key)
        await self.services.queue.enqueue(made.id, now)
        return made.id

    async def tell(self, run: str, message: m.AnyMessage) -> bool:
        """Put a message into a run's inbox and wake the run; whether it was new."""
        return await self.host.engine.tell(await self.run(run), message)

    async def say(self, run: str, text: str, *, when: m.When = "steer", id: str | None = None) -> bool:
        return await self.tell(
            run, m.UserMessage(id=id or derived_id("said", run, text), sent_at=self.now(), text=text, mode=when)
        )

    async def cancel(self, run: str, *, id: str = "cancel") -> bool:
        return await self.tell(run, m.Cancel(id=id, sent_at=self.now()))

    async def pause(self, run: str, *, id: str = "pause") -> bool:
        return await self.tell(run, m.Pause(id=id, sent_at=self.now()))

    async def resume(self, run: str, *, id: str = "resume") -> bool:
        return await self.tell(run, m.Resume(id=id, sent_at=self.now()))

    async def retry(self, run: str, step: int, *, id: str = "retry") -> bool:
        return await self.tell(run, m.RetryStep(id=id, sent_at=self.now(), step=step))

    async def answer(self, run: str, value: Any, *, ask: str | None = None, by: str = "owner", remember: bool = False) -> bool:
        """Answer an open question, the oldest by default; whether this answer was the first."""
        if ask is None:
            ask = (await self.run(run)).asks[0].id
        answer = Answer(ask=ask, value=value, by=by, at=self.now(), remember=remember)
        return await self.tell(run, m.Answered(id=m.answer_message_id(ask), sent_at=self.now(), answer=answer))

    # ---- looking

    async def run(self, run: str) -> Run:
        return await self.services.store.get(run)

    async def journal(self, run: str) -> Sequence[Entry]:
        return await self.services.store.journal(run)

    async def events(self, run: str) -> list[AnyEvent]:
        return list(facts(await self.journal(run)))

    async def outline(self, run: str) -> list[str]:
        """The names of a run's facts in order: what a snapshot of a story holds."""
        return [type(event).__name__ for event in await self.events(run)]

    async def tree(self, root: str) -> list[Run]:
        """A run and everything below it, parents before children, children in order of birth."""
        found, left = list[Run](), [root]
        while left:
            run = await self.run(left.pop(0))
            found.append(run)
            left += reversed([child.id async for child in children_of(self.services.store, run.id)])
        return found

    async def until(self, run: str, condition: Callable[[Run], bool], patience: timedelta = PATIENCE) -> Run:
        """The run as soon as the condition holds; raises `AssertionError` when virtual patience is over."""
        give_up_at = self.now() + patience
        still_since, slices = self.now(), (await self.run(run)).slice
        root = (await self.run(run)).root
        watch = self.services.bus.watch(root)
        try:
            while not condition(found := await self.run(run)):
                if self.now() != still_since:
                    still_since, slices = self.now(), found.slice
                if found.slice > slices + CIRCLES:
                    raise AssertionError(f"{run} goes in circles: {CIRCLES} slices and no time has passed ({found.waits})")
                if self.now() >= give_up_at:
                    raise AssertionError(f"{run} is {found.status} ({found.waits}) after {patience}")
                await watch.next(min(give_up_at - self.now(), timedelta(minutes=10)))
        finally:
            watch.close()
        return found

    async def ended(self, run: str, patience: timedelta = PATIENCE) -> Run:
        """The run at its end."""
        return await self.until(run, lambda found: found.terminal, patience)

    async def waiting(self, run: str, patience: timedelta = PATIENCE) -> Run:
        """The run when it waits, rests or has ended."""
        return await self.until(run, lambda found: found.terminal or found.status in ("waiting", "paused"), patience)

    async def asked(self, run: str, patience: timedelta = PATIENCE) -> Run:
        """The run when it waits with a question open, or has ended."""
        return await self.until(run, lambda f: f.terminal or (f.status == "waiting" and bool(f.asks)), patience)

    async def after(self, span: timedelta) -> None:
        """Time passes."""
        await self.clock.sleep(span)

    async def at(self, moment: datetime, act: Callable[[], Awaitable[Any]]) -> None:
        await self.clock.sleep_until(moment)
        await act()
