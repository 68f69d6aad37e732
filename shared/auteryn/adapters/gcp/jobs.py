"""Slices as executions of one Cloud Run job (`ports.jobs`)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError
from google.api_core.exceptions import NotFound as Missing

from auteryn.adapters.gcp.clients import PerLoop, client_at, close_transport
from auteryn.adapters.gcp.faults import CALL_SECONDS, from_google, persist

if TYPE_CHECKING:
    from google.cloud.run_v2 import ExecutionsAsyncClient, JobsAsyncClient

START_SECONDS = 30.0
"""For the reply to `jobs.run`; without one the start may or may not have happened, and the caller's next try makes two."""

_log = logging.getLogger(__name__)


class CloudRunJobs:
    """`job` is its whole name, `large` that of its twin with more memory, if there is one. The run's id reaches the execution
    in `variable`; the handler of `on_start` is not called here.

    The service bounds how many run at once: beyond it `start` raises `RateLimited`, and the wake comes again.
    """

    def __init__(
        self,
        job: str,
        *,
        large: str | None = None,
        cap: timedelta = timedelta(hours=2),
        variable: str = "AUTERYN_RUN",
        host: str | None = None,
    ) -> None:
        self._job, self._large, self._cap, self._variable, self._host = job, large or job, cap, variable, host
        self._jobs: PerLoop[JobsAsyncClient] = PerLoop(self._connect, close_transport)
        self._executions: PerLoop[ExecutionsAsyncClient] = PerLoop(self._connect_executions, close_transport)

    async def start(self, run: str, *, roomy: bool = False) -> None:
        """Sent once: the service knows no request id, so a repeat after a lost reply would be a second execution."""
        overrides = {"container_overrides": [{"env": [{"name": self._variable, "value": run}]}], "timeout": self._cap}
        job = self._large if roomy else self._job
        request: Any = {"name": job, "overrides": overrides}
        try:
            operation: Any = await self._jobs.get().run_job(request, retry=None, timeout=START_SECONDS)
        except GoogleAPICallError as error:
            raise from_google(error, f"job {job!r}") from error
        _log.info("slice of %r is execution %r", run, operation.metadata.name)

    async def stop(self, run: str) -> None:
        """Every execution of this run that has not ended is told to stop, and killed by the service if it does not listen."""
        try:
            for job in dict.fromkeys((self._job, self._large)):
                for execution in await persist(lambda job=job: self._of(job, run)):
                    await persist(lambda name=execution: self._cancel(name))
        except GoogleAPICallError as error:
            raise from_google(error, f"executions of job {self._job!r}") from error

    def on_start(self, handler: Callable[[str], Awaitable[None]]) -> None:
        """Nothing to do: the execution's own program is the slice."""

    async def close(self) -> None:
        await self._jobs.close()
        await self._executions.close()

    async def _of(self, job: str, run: str) -> list[str]:
        pages = await self._executions.get().list_executions({"parent": job}, retry=None, timeout=CALL_SECONDS)
        return [one.name async for one in pages if not one.completion_time and self._run_of(one) == run]

    def _run_of(self, execution: Any) -> str | None:
        containers = execution.template.containers
        return next((env.value for one in containers for env in one.env if env.name == self._variable), None)

    async def _cancel(self, execution: str) -> None:
        try:
            await self._executions.get().cancel_execution({"name": execution}, retry=None, timeout=CALL_SECONDS)
        except (Missing, FailedPrecondition):
            return  # it has ended meanwhile

    def _connect(self) -> JobsAsyncClient:
        from google.cloud.run_v2 import JobsAsyncClient
        from google.cloud.run_v2.services.jobs.transports import JobsGrpcAsyncIOTransport

        return client_at(JobsAsyncClient, JobsGrpcAsyncIOTransport, self._host)

    def _connect_executions(self) -> ExecutionsAsyncClient:
        from google.cloud.run_v2 import ExecutionsAsyncClient
        from google.cloud.run_v2.services.executions.transports import ExecutionsGrpcAsyncIOTransport

        return client_at(ExecutionsAsyncClient, ExecutionsGrpcAsyncIOTransport, self._host)
