"""The whole cloud on this machine: emulators, stand-ins, the three functions as processes, as the image starts them.

async with LocalCloud(folder, {"GEMINI_API_KEY": key}) as cloud:
    print(cloud.url, await cloud.key())
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from auteryn.adapters.gcp.id_tokens import EMULATOR
from auteryn.api.keys import Role, issue
from auteryn.compose import cloud
from auteryn.policy import cloud as names
from auteryn.runtime.host import Host
from auteryn.schema.record import new_id
from auteryn.testing.emulators.apis import Apis
from auteryn.testing.emulators.clock import SharedClock
from auteryn.testing.emulators.executions import CloudRunJobs, Execution, Job
from auteryn.testing.emulators.nursery import Nursery
from auteryn.testing.emulators.peers import session_of
from auteryn.testing.emulators.pubsub import Pushes, lay_out
from auteryn.testing.emulators.servers import FIRESTORE, PUBSUB, held_port, host_of, household
from auteryn.testing.emulators.storage import Storage
from auteryn.testing.emulators.tasks import CloudTasks, Rules, token_for

ACCOUNT = "tasks@localhost"
REGION = "here"
START_SECONDS = 60.0
"""For a function to answer; about one is usual, a loaded machine takes more."""
LOOK_SECONDS = 0.05
STOP_SECONDS = 10.0


class FunctionDied(RuntimeError):
    """A function ended, or never answered; the message has its last words."""


class LocalCloud:
    """From entering to leaving, `url` is the API of a project that is this machine's alone. Everything ends with it."""

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        *,
        functions: Path | None = None,
        port: int = 0,
        emulators: tuple[str, str] | None = None,
        firestore: str | None = None,
        pubsub: str | None = None,
        grace: timedelta = timedelta(seconds=10),
        rules: Rules | None = None,
        sweep_every: timedelta = names.SWEEP_EVERY,
        ack_seconds: int = 600,
        within: Sequence[str] = (),
    ) -> None:
        """`emulators`: of Firestore and Pub/Sub, instead of this process's own; `firestore` and `pubsub`: where the functions
        reach them, if something lies between. `environ` goes to every process. `within` starts the image's own commands, as
        its arguments; without it they start from `functions`."""
        self._within = within
        self.folder, self.functions = folder, functions or source()
        self.project = f"local-{new_id('p')[-8:]}"
        self._given, self._port, self._ack = dict(environ or {}), port, ack_seconds
        self._emulators, self._firestore, self._pubsub = emulators, firestore, pubsub
        self._rules, self._sweep_every = rules or Rules(first=timedelta(milliseconds=100)), sweep_every
        self.clock = SharedClock(folder / "clock")
        self.tasks = CloudTasks(self.clock)
        self.nursery = Nursery()
        self.jobs = CloudRunJobs(self.clock, grace=grace, spawn=None if within else self.nursery.spawn)
        self.frozen: set[str] = set()
        """Executions that are no work, for a while."""
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self._open = contextlib.AsyncExitStack()

    @property
    def queue(self) -> str:
        return f"projects/{self.project}/locations/{REGION}/queues/{names.QUEUE}"

    async def __aenter__(self) -> LocalCloud:
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.emulators = self._emulators or (host_of(FIRESTORE), host_of(PUBSUB))
        firestore, pubsub = self._firestore or self.emulators[0], self._pubsub or self.emulators[1]
        self.storage, self.apis = Storage(), Apis()
        self._open.callback(self.storage.stop)
        self._open.callback(self.apis.stop)
        await self._open.enter_async_context(self.tasks)
        if not self._within:
            await self._open.enter_async_context(self.nursery)
        await self._open.enter_async_context(self.jobs)
        api = self._port or self._open.enter_context(held_port())
        dispatch = self._open.enter_context(held_port())
        self.url, self.dispatch_url = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{dispatch}"
        self.environ = self._environ(firestore, pubsub)
        self.tasks.add_queue(self.queue, self._rules)
        job = f"projects/{self.project}/locations/{REGION}/jobs/"
        here = [sys.executable, str(self.functions / "slice" / "main.py")]
        slice_ = [*self._within, *names.COMMANDS["slice"]] if self._within else here
        for name in (names.JOB, names.JOB_LARGE):
            self.jobs.add_job(job + name, Job(slice_, {**self.environ, "AUTERYN_JOB": ""}, names.JOB_TIMEOUT))
        self._deployed()
        self.pushes = await self._open.enter_async_context(Pushes(self.dispatch_url, self.clock))
        await self.lay_out()
        self._open.push_async_callback(self._stop_functions)
        await asyncio.gather(self.start("api"), self.start("dispatch"))
        sweeping = asyncio.create_task(self._sweep())
        self._open.push_async_callback(_ended, sweeping)

    async def lay_out(self) -> None:
        """Topics and subscriptions are there, as Terraform makes them."""
        push, topics = self.pushes.url + names.STEPS_PATH, (names.STEPS_TOPIC, names.EVENTS_TOPIC)
        await lay_out(self.emulators[1], f"projects/{self.project}", topics=topics, push_to=push, ack_seconds=self._ack)

    def _environ(self, firestore: str, pubsub: str) -> dict[str, str]:
        """As Terraform would set it, and where the stand-ins are."""
        return {
            "AUTERYN_APIS_HOST": self.apis.host,
            "AUTERYN_BACKEND": "gcp",
            "AUTERYN_BUCKET": "auteryn-blobs",
            "AUTERYN_CALLERS": f"{ACCOUNT},{EMULATOR}",
            "AUTERYN_CLOCK_FILE": str(self.folder / "clock"),
            "AUTERYN_DATABASE": names.DATABASE,
            "AUTERYN_DISPATCH_URL": self.dispatch_url,
            "AUTERYN_EVENTS_TOPIC": names.EVENTS_TOPIC,
            "AUTERYN_HOME": str(self.folder / "scratch"),
            "AUTERYN_JOB": names.JOB,
            "AUTERYN_JOB_LARGE": names.JOB_LARGE,
            "AUTERYN_LOCAL_CLOUD": "1",
            "AUTERYN_QUEUE": names.QUEUE,
            "AUTERYN_REGION": REGION,
            "AUTERYN_RUN_HOST": self.jobs.host,
            "AUTERYN_STEPS_TOPIC": names.STEPS_TOPIC,
            "AUTERYN_TASKS_ACCOUNT": ACCOUNT,
            "AUTERYN_TASKS_HOST": self.tasks.host,
            "FIRESTORE_EMULATOR_HOST": firestore,
            "GOOGLE_CLOUD_PROJECT": self.project,
            "PUBSUB_EMULATOR_HOST": pubsub,
            "STORAGE_EMULATOR_HOST": self.storage.endpoint,
            **self._given,
        }

    def _deployed(self) -> None:
        """What a person who looks from outside finds: everything is on, and no process is given a secret."""
        self.apis.enable(self.project, *names.APIS)
        for kind, name in (
            *(("services", name) for name in (names.API, names.DISPATCH)),
            *(("jobs", name) for name in (names.JOB, names.JOB_LARGE)),
        ):
            self.apis.deploy(f"projects/{self.project}/locations/{REGION}", kind, name, ACCOUNT, [])

    @property
    def at_work(self) -> bool:
        """A slice, a delivery, a push, or a wake whose time has come."""
        now = self.clock.now()
        slices = any(one.state == "running" and one.name not in self.frozen for one in self.executions)
        on_the_way = self.tasks.sending + self.pushes.sending + self.jobs.starting
        return slices or on_the_way > 0 or any(one.at <= now for one in self.tasks.tasks(self.queue))

    def sender(self, peer: str) -> Execution | str | None:
        """Who called from this end of a connection: an execution, a function by its name, or nobody of ours."""
        session = session_of(peer)
        if execution := next((one for one in self.executions if one.pid == session and one.state == "running"), None):
            return execution
        return next((name for name, process in self.running.items() if process.pid == session), None)

    # ---- what is in it

    def host(self) -> Host:
        """A process's share of this cloud that only looks, past whatever lies between the functions and the store: close it."""
        direct = {"AUTERYN_JOB": "", "FIRESTORE_EMULATOR_HOST": self.emulators[0]}
        return cloud({**os.environ, **self.environ, **direct}, "slice", clock=self.clock)

    async def key(self, *, role: Role = "admin", owner: str = "local") -> str:
        """A new API key."""
        host = self.host()
        try:
            lifetime = timedelta(days=365)
            _, key = await issue(
                host.engine.services.store, self.clock.now(), name="local", owner=owner, role=role, lifetime=lifetime
            )
        finally:
            await host.close()
        return key

    @property
    def executions(self) -> Sequence[Execution]:
        return list(self.jobs.executions.values())

    # ---- the functions

    async def start(self, name: str) -> None:
        """The function runs and answers."""
        url = {"api": self.url, "dispatch": self.dispatch_url}[name]
        framework = str(Path(sys.executable).parent / "functions-framework")
        here = [framework, f"--source={self.functions / name / 'main.py'}", f"--target={name}", "--asgi"]
        command = [*self._within, *names.COMMANDS["api" if name == "api" else "dispatch"]] if self._within else here
        with self.log(name).open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *household([*command, "--host=127.0.0.1"]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environ_of(name), "PORT": url.rpartition(":")[2]},
                start_new_session=True,
            )
        await self._answers(name, url + names.HEALTH_PATH)

    def _environ_of(self, name: str) -> dict[str, str]:
        return self.environ if name == "dispatch" else {**self.environ, "AUTERYN_JOB": "", "AUTERYN_CALLERS": ""}

    def log(self, name: str) -> Path:
        """What the function said."""
        return self.folder / f"{name}.log"

    def kill(self, name: str) -> None:
        """The function, its workers too, is dead at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, 9)

    async def restart(self, name: str) -> None:
        """A function that was killed runs again, and answers."""
        await self.stop(name, 9)
        await self.start(name)

    async def stop(self, name: str, number: int = 15) -> None:
        """The function has ended, by this signal."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            await process.wait()

    async def _stop_functions(self) -> None:
        await asyncio.gather(*(self.stop(name) for name in list(self.running)))

    async def _answers(self, name: str, url: str) -> None:
        give_up_at = datetime.now(UTC) + timedelta(seconds=START_SECONDS)
        async with httpx2.AsyncClient(timeout=5) as http:
            while datetime.now(UTC) < give_up_at and self.running[name].returncode is None:
                with contextlib.suppress(httpx2.TransportError):
                    await http.get(url)
                    return
                await asyncio.sleep(LOOK_SECONDS)
        raise FunctionDied(f"the function {name} does not answer; it said:\n{self.log(name).read_text()[-4_000:]}")

    async def sweep(self) -> int:
        """The scheduler's call of every minute; gives the status."""
        async with httpx2.AsyncClient(timeout=names.SWEEP_DEADLINE.total_seconds()) as http:
            headers = token_for(ACCOUNT, self.dispatch_url, self.clock.now())
            return (await http.post(self.dispatch_url + names.SWEEP_PATH, headers=headers)).status_code

    async def _sweep(self) -> None:
        while True:
            await self.clock.sleep(self._sweep_every)
            with contextlib.suppress(httpx2.HTTPError):  # the next minute brings the next
                await self.sweep()


def source() -> Path:
    """The folder of the three functions in a checkout."""
    return Path(__file__).resolve().parents[4] / "functions"


async def _ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
