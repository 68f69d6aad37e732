"""A stand-in for Cloud Run jobs: its gRPC for the stock clients, each execution a real process in a session of its own.

As in the service: overrides replace arguments and merge variables, SIGTERM comes some seconds before SIGKILL, and a job
whose executions are as many as the quota allows answers 429.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import grpc
from google.cloud import run_v2
from google.longrunning import operations_pb2
from google.protobuf import any_pb2

from auteryn.ports.clock import Clock
from auteryn.testing.emulators.faults import Faults
from auteryn.testing.emulators.servers import leashed
from auteryn.testing.emulators.wire import Refusal, method, serve

GRACE = timedelta(seconds=10)
USUAL_TIMEOUT = timedelta(minutes=10)

State = Literal["waiting", "running", "succeeded", "failed", "cancelled"]

_log = logging.getLogger(__name__)


class Child(Protocol):
    @property
    def pid(self) -> int: ...

    async def wait(self) -> int: ...


Spawn = Callable[[Sequence[str], Mapping[str, str]], Awaitable[Child]]


@dataclass
class Job:
    """What runs: the container's command, and what it finds in its environment."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: timedelta = USUAL_TIMEOUT


@dataclass
class Execution:
    name: str
    job: str
    command: Sequence[str]
    env: dict[str, str]
    timeout: timedelta
    made_at: datetime
    state: State = "waiting"
    ended_at: datetime | None = None
    pid: int | None = None
    code: int | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """It was told to stop."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class CloudRunJobs:
    """Jobs and their executions. Faults are planned for `RunJob` and the other methods, and for `start`."""

    def __init__(self, clock: Clock, *, grace: timedelta = GRACE, quota: int = 1_000, spawn: Spawn | None = None) -> None:
        """`spawn` starts the processes; each must be in a session of its own."""
        self._spawn = spawn or _spawned
        self.faults = Faults()
        self.executions: dict[str, Execution] = {}
        self._clock, self._grace, self._quota = clock, grace, quota
        self._jobs: dict[str, Job] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self.starting = 0
        """Executions whose process is being made."""

    def add_job(self, name: str, job: Job) -> None:
        self._jobs[name] = job

    async def ended(self, count: int = 1) -> list[Execution]:
        """All executions, once so many of them have ended."""
        while sum(one.over.is_set() for one in self.executions.values()) < count:
            open_ones = [asyncio.create_task(one.over.wait()) for one in self.executions.values() if not one.over.is_set()]
            assert open_ones, f"{count} executions were to end, and there are only {len(self.executions)}"
            await asyncio.wait(open_ones, return_when=asyncio.FIRST_COMPLETED)
            for one in open_ones:
                one.cancel()
        return list(self.executions.values())

    def kill(self, execution: Execution) -> None:
        """As when its memory is used up: SIGKILL, without a word."""
        _signal(execution, signal.SIGKILL)

    def tell(self, execution: Execution) -> None:
        """SIGTERM, as the service sends it some seconds before it kills."""
        _signal(execution, signal.SIGTERM)

    def freeze(self, execution: Execution) -> None:
        _signal(execution, signal.SIGSTOP)

    def thaw(self, execution: Execution) -> None:
        _signal(execution, signal.SIGCONT)

    async def __aenter__(self) -> CloudRunJobs:
        types: Any = run_v2
        jobs = {
            "CreateJob": method(self._create_job, types.CreateJobRequest, operations_pb2.Operation),
            "GetJob": method(self._get_job, types.GetJobRequest, types.Job),
            "RunJob": method(self._run_job, types.RunJobRequest, operations_pb2.Operation),
        }
        executions = {
            "GetExecution": method(self._get, types.GetExecutionRequest, types.Execution),
            "ListExecutions": method(self._list, types.ListExecutionsRequest, types.ListExecutionsResponse),
            "CancelExecution": method(self._cancel, types.CancelExecutionRequest, operations_pb2.Operation),
        }
        services = {"google.cloud.run.v2.Jobs": jobs, "google.cloud.run.v2.Executions": executions}
        self._server, self.host = await serve(services, self.faults)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Every process is gone."""
        for execution in self.executions.values():
            _signal(execution, signal.SIGKILL)
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        await self._server.stop(None)

    # ---- calls

    async def _create_job(self, request: Any) -> Any:
        task = request.job.template.template
        container = task.containers[0]
        env = {one.name: one.value for one in container.env}
        command = [*container.command, *container.args]
        name = f"{request.parent}/jobs/{request.job_id}"
        self.add_job(name, Job(command, env, task.timeout or USUAL_TIMEOUT))
        return _operation(run_v2.Job(name=name), done=True)

    async def _get_job(self, request: Any) -> Any:
        self._job(request.name)
        return run_v2.Job(name=request.name)

    async def _run_job(self, request: Any) -> Any:
        job = self._job(request.name)
        if sum(not one.over.is_set() for one in self.executions.values()) >= self._quota:
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota exceeded: running executions")
        fault = self.faults.next("start")
        made = [self._new(request, job) for _ in range(2 if fault and fault.kind == "twice" else 1)]
        for execution in made:
            if not (fault and fault.kind == "never"):
                delay = fault.span if fault and fault.kind == "delay" else timedelta(0)
                task = asyncio.create_task(self._execute(execution, delay), name=execution.name)
                self._at_work.add(task)
                task.add_done_callback(self._worked)
        return _operation(_described(made[0]), done=False)

    def _new(self, request: Any, job: Job) -> Execution:
        overrides = request.overrides
        mine = overrides.container_overrides[0] if overrides.container_overrides else None
        env = {**job.env, **({one.name: one.value for one in mine.env} if mine else {})}
        command = [job.command[0], *mine.args] if mine and mine.args else job.command
        name = f"{request.name}/executions/{request.name.rpartition('/')[2]}-{len(self.executions):05d}"
        timeout = overrides.timeout or job.timeout
        execution = Execution(name, request.name, command, env, timeout, self._clock.now())
        self.executions[name] = execution
        return execution

    async def _get(self, request: Any) -> Any:
        return _described(self._execution(request.name))

    async def _list(self, request: Any) -> Any:
        """Newest first, in pages."""
        mine = [_described(one) for one in reversed(self.executions.values()) if one.job == request.parent]
        first, size = int(request.page_token or 0), request.page_size or 100
        more = str(first + size) if len(mine) > first + size else ""
        return run_v2.ListExecutionsResponse(executions=mine[first : first + size], next_page_token=more)

    async def _cancel(self, request: Any) -> Any:
        execution = self._execution(request.name)
        if execution.over.is_set():
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"{execution.name} has ended")
        execution.told.set()
        if execution.pid is None and not any(task.get_name() == execution.name for task in self._at_work):
            self._end(execution, "cancelled")  # accepted, and never started
        return _operation(_described(execution), done=False)

    def _job(self, name: str) -> Job:
        if name not in self._jobs:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"job {name} does not exist")
        return self._jobs[name]

    def _execution(self, name: str) -> Execution:
        if name not in self.executions:
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"execution {name} does not exist")
        return self.executions[name]

    # ---- processes

    async def _execute(self, execution: Execution, delay: timedelta) -> None:
        told = asyncio.create_task(execution.told.wait())
        try:
            if not await self._wait(told, delay):
                await self._run(execution, told)
        finally:
            told.cancel()
            if not execution.over.is_set():
                self._end(execution, "cancelled")

    async def _run(self, execution: Execution, told: asyncio.Task[Any]) -> None:
        self.starting += 1
        try:
            child = await self._spawn(execution.command, {**os.environ, **execution.env, **_platform_env(execution)})
            execution.pid, execution.state = child.pid, "running"
        finally:
            self.starting -= 1
        ended = asyncio.create_task(child.wait())
        limit = asyncio.ensure_future(self._clock.sleep(execution.timeout))
        try:
            await asyncio.wait([ended, told, limit], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                _signal(execution, signal.SIGTERM)
                await self._wait(ended, self._grace)
        finally:
            limit.cancel()
            _signal(execution, signal.SIGKILL)
            execution.code = await ended
            self._end(execution, "cancelled" if told.done() else "failed" if execution.code or limit.done() else "succeeded")

    async def _wait(self, for_what: asyncio.Future[Any], span: timedelta) -> bool:
        """Whether it came within this time of the clock."""
        if for_what.done() or not span:
            return for_what.done()
        patience = asyncio.ensure_future(self._clock.sleep(span))
        await asyncio.wait([for_what, patience], return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        return for_what.done()

    def _end(self, execution: Execution, state: State) -> None:
        execution.state, execution.ended_at = state, self._clock.now()
        execution.over.set()

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s could not be run", task.get_name(), exc_info=error)


async def _spawned(command: Sequence[str], env: Mapping[str, str]) -> Child:
    return await asyncio.create_subprocess_exec(
        *leashed(command), stdin=asyncio.subprocess.DEVNULL, env=env, start_new_session=True
    )


def _platform_env(execution: Execution) -> dict[str, str]:
    return {
        "CLOUD_RUN_JOB": execution.job.rpartition("/")[2],
        "CLOUD_RUN_EXECUTION": execution.name.rpartition("/")[2],
        "CLOUD_RUN_TASK_INDEX": "0",
        "CLOUD_RUN_TASK_ATTEMPT": "0",
        "CLOUD_RUN_TASK_COUNT": "1",
    }


def _signal(execution: Execution, number: signal.Signals) -> None:
    if execution.pid is not None and execution.code is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(execution.pid, number)


def _described(execution: Execution) -> Any:
    env = [{"name": name, "value": value} for name, value in execution.env.items()]
    counts: dict[str, Any] = {f"{execution.state}_count": 1} if execution.state != "waiting" else {}
    return run_v2.Execution(
        name=execution.name,
        job=execution.job,
        create_time=execution.made_at,
        completion_time=execution.ended_at,
        task_count=1,
        template={"containers": [{"command": list(execution.command), "env": env}], "timeout": execution.timeout},
        **counts,
    )


def _operation(metadata: Any, *, done: bool) -> Any:
    packed = any_pb2.Any()
    kinds: Any = run_v2
    message = kinds.Job if isinstance(metadata, kinds.Job) else kinds.Execution
    packed.Pack(message.pb(metadata))
    operation = operations_pb2.Operation(name=f"operations/{metadata.name.rpartition('/')[2]}", done=done, metadata=packed)
    if done:
        operation.response.CopyFrom(packed)
    return operation
