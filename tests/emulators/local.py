"""One local cloud for a whole test session, its processes started once; every test has runs and a script of its own in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from auteryn.ports.model import ModelRequest
from auteryn.runtime.host import Host
from auteryn.schema.record import new_id
from auteryn.schema.run import Run
from auteryn.testing.emulators.cloud import LocalCloud
from auteryn.testing.emulators.target import Target
from auteryn.testing.gemini import ScriptedGemini
from auteryn.testing.scripted import Ask, Line
from emulators.loop_thread import LoopThread
from emulators.receivers import Receivers
from sse import Frame, frames

T = TypeVar("T")

HANG = 120
SELDOM = timedelta(days=300)
"""A sweep just as a run begins makes a second execution of it, which ends at once; tests count them, and sweep themselves."""
OWN = {
    "AUTERYN_EGRESS_ALLOW": "webhooks go to a server of the test, whose address is not a public one",
    "AUTERYN_MAIL_FROM": "mail comes from somebody",
    "AUTERYN_SLACK_URL": "a Slack of the test keeps what is posted",
    "AUTERYN_SMTP_URL": "a mail server of the test keeps what is sent",
    "GOOGLE_GEMINI_BASE_URL": "the scripted model answers",
    "SLACK_BOT_TOKEN": "the test's Slack knows it",
}
"""What the rig sets, and a deployment only where it is asked for: variable → why."""
Script = Callable[[Ask], Line]


class Rig:
    """The cloud, the model behind it, a server outside that webhooks may reach, a client with a key, and a host that looks."""

    def __init__(self, folder: Path, environ: dict[str, str] | None = None, **how: Any) -> None:
        self._scripts: dict[str, Script] = {}
        self._gates: dict[str, Gate] = {}
        self._folder, self._given, self._how = folder, environ or {}, {"sweep_every": SELDOM, **how}

    async def open(self, stack: AsyncExitStack) -> None:
        self.gemini = await stack.enter_async_context(ScriptedGemini(self._say, before=self._held))
        self.hooked = await stack.enter_async_context(Target())
        self.receivers = Receivers()
        stack.callback(self.receivers.close)
        environ = {
            **self.receivers.environ,
            "AUTERYN_EGRESS_ALLOW": self.hooked.url.removeprefix("http://"),
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": self.gemini.url,
            **self._given,
        }
        self.cloud = await stack.enter_async_context(LocalCloud(self._folder, environ, **self._how))
        self.host: Host = self.cloud.host()
        stack.push_async_callback(self.host.close)
        key = await self.cloud.key()
        headers = {"Authorization": f"Bearer {key}"}
        fresh = httpx2.Limits(max_keepalive_connections=0)  # a server closes idle ones after 2 s, perhaps as a request leaves
        client = httpx2.AsyncClient(base_url=self.cloud.url, headers=headers, timeout=90, limits=fresh)
        self.http = await stack.enter_async_context(client)

    def _say(self, ask: Ask) -> Line:
        return self._scripts[_mark(ask.task)](ask)

    async def _held(self, request: ModelRequest) -> None:
        if gate := self._gates.get(_mark(request.contents[0]["parts"][0]["text"])):
            await gate.passing()

    @contextlib.contextmanager
    def held(self, mark: str) -> Generator[Gate]:
        """The model does not answer these tasks before the block ends, or the gate lets it."""
        gate = self._gates[mark] = Gate()
        try:
            yield gate
        finally:
            del self._gates[mark]
            gate.let(1_000_000)

    def script(self, script: Script) -> str:
        """A mark: tasks and steps whose text begins with it are answered by this script."""
        mark = f"[{new_id('m')[-6:]}]"
        self._scripts[mark] = script
        return mark

    # ---- what people do

    async def create(self, **body: Any) -> str:
        key = {"Idempotency-Key": body.pop("key")} if "key" in body else {}
        answer = await self.http.post("/v1/runs", json=body, headers=key)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def ended(self, run: str) -> dict[str, Any]:
        """The run at its end, as the API shows it."""
        async with asyncio.timeout(HANG):
            while (answer := await self.http.get(f"/v1/runs/{run}/result?wait=20")).status_code == 202:
                pass
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, run: str, holds: Callable[[Run], bool]) -> Run:
        async with asyncio.timeout(HANG):
            while not holds(found := await self.store.get(run)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return found

    @property
    def store(self) -> Any:
        return self.host.engine.services.store

    async def tree(self, root: str) -> list[Run]:
        found, left = list[Run](), [root]
        while left:
            run = await self.store.get(left.pop(0))
            found.append(run)
            left += [one.id for one in reversed((await self.store.runs(parent=run.id, roots_only=False, limit=500)).runs)]
        return found

    async def outline(self, run: str) -> list[str]:
        return [type(event).__name__ for entry in await self.store.journal(run) for event in entry.events]

    async def started(self, run: str) -> None:
        """An execution of it was made, whether or not it runs."""
        async with asyncio.timeout(HANG):
            while not self.executions_of(run):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)

    async def read(self, run: str, enough: Callable[[list[Frame]], bool], *, after: str | None = None) -> list[Frame]:
        """What the event stream says, until that is enough."""
        raw, headers = bytearray(), {"Last-Event-ID": after} if after else {}
        async with asyncio.timeout(HANG), self.http.stream("GET", f"/v1/runs/{run}/events", headers=headers) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_bytes():
                raw += piece
                if enough(frames(bytes(raw))):
                    break
        return frames(bytes(raw))

    def executions_of(self, run: str) -> list[Any]:
        return [one for one in self.cloud.executions if one.env["AUTERYN_RUN"] == run]

    async def quiet(self, runs: list[str]) -> None:
        """No execution of these runs is under way."""
        for one in self.cloud.executions:
            if one.env["AUTERYN_RUN"] in runs:
                await asyncio.wait_for(one.over.wait(), HANG)


class Gate:
    """Where requests to the model wait."""

    def __init__(self) -> None:
        self.count = 0
        self._allowed = 0
        self._changed = asyncio.Condition()

    async def passing(self) -> None:
        async with self._changed:
            self.count += 1
            mine = self.count
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._allowed >= mine)

    async def reached(self, count: int) -> None:
        """So many requests have come."""
        async with asyncio.timeout(HANG), self._changed:
            await self._changed.wait_for(lambda: self.count >= count)

    def let(self, count: int) -> None:
        """The first so many may pass."""
        self._allowed = count
        task = asyncio.ensure_future(self._told())
        task.add_done_callback(lambda _: None)

    async def _told(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _mark(task: str) -> str:
    return task[: task.find("]") + 1]


class Threaded(LoopThread):
    """A rig on an event loop in a thread of its own, so that many tests can share it."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig = rig

    async def open(self, stack: AsyncExitStack) -> None:
        await self.rig.open(stack)

    def do(self, story: Awaitable[T]) -> T:
        return super().do(asyncio.wait_for(story, HANG + 60))
