"""A task: one run, as the person who started it sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import isnan
from typing import TYPE_CHECKING, Any, Self

from auteryn.client.events import Event
from auteryn.client.typed import typed
from auteryn.errors import Invalid, RunCancelled, RunFailed
from auteryn.policy.durations import LONGEST
from auteryn.schema.human import Ask
from auteryn.schema.inbox import When
from auteryn.schema.run import Artifact, Effects, Run, Verdict
from auteryn.service.context import Ledger, RunContext
from auteryn.service.erase import Erased
from auteryn.service.fork import Fork
from auteryn.service.listing import MOST_RUNS, Planned
from auteryn.service.progress import Standing
from auteryn.service.reading import Revision
from auteryn.service.steer import Unheard
from auteryn.service.tree import Version

if TYPE_CHECKING:
    from auteryn.api.views import RunView
    from auteryn.client.agent import Agent


class Status(str):
    """`pending`, `running`, `completed`, `failed` or `cancelled`, as a plain string, and what stands behind it."""

    detail: str
    """Such as "Day 2 of 7, Step 3/6 complete"."""
    state: str
    """The engine's own word: beside those five, `waiting` and `paused`."""
    why: str
    """One sentence: why nothing happens now, or that something does."""
    day: int
    days: int
    step: int
    """Completed steps."""
    steps: int

    @classmethod
    def of(cls, standing: Standing) -> Self:
        status = cls(standing.status)
        status.detail, status.state, status.why = standing.detail, standing.state, standing.why
        status.day, status.days, status.step, status.steps = standing.day, standing.days, standing.step, standing.steps
        return status


class Result(str):
    """The result's text, and what came with it."""

    run_id: str
    artifacts: tuple[Artifact, ...]
    """Published files; `task.artifact(path)` reads one."""
    verdicts: tuple[Verdict, ...]
    """On every declared deliverable."""

    @classmethod
    def of(cls, run: Run | RunView) -> Self:
        """Raises `RunFailed` or `RunCancelled` for a run that has no result."""
        if run.status == "cancelled":
            raise RunCancelled("cancelled", f"run {run.id!r} was cancelled", partial=run.result)
        if run.failure:
            raise RunFailed(run.failure.reason, f"run {run.id!r} failed: {run.failure.message}", partial=run.result)
        result = cls(run.result or "")
        result.run_id, result.artifacts, result.verdicts = run.id, run.artifacts, run.verdicts
        return result


@typed
class Task:
    """A run that was started here, before, or in another process: `Task("run_…", agent)` attaches to any of them."""

    def __init__(self, id: str, agent: Agent) -> None:
        self.id, self._agent, self._world = id, agent, agent.world

    def __repr__(self) -> str:
        return f"Task({self.id!r})"

    def status(self) -> Status:
        """Where the run stands; equal to one of the five words."""
        return Status.of(self._world.call(self._world.desk.standing(self.id)))

    def result(self, timeout: float | timedelta | None = None) -> Result:
        """Wait for the end and return the result, the same every time.

        Raises `TimeoutError` after `timeout` seconds (and the run goes on), `RunFailed` with reason and partial result,
        `RunCancelled`.
        """
        run = self._world.call(self._world.desk.result(self.id, _patience(timeout)))
        self._agent.heard_out(self.id)
        return Result.of(run)

    def cancel(self, by: str = "owner") -> None:
        """Stop the run and its steps within seconds; what it has so far stays. Repeating it changes nothing."""
        self._world.call(self._world.desk.cancel(self.id, by))

    def pause(self) -> None:
        """No new slice, call or step starts until it is resumed."""
        self._world.call(self._world.desk.pause(self.id))

    def resume(self) -> None:
        """Let a paused run go on."""
        self._world.call(self._world.desk.resume(self.id))

    def send(self, text: str, mode: When = "steer") -> None:
        """A message to the agent: `steer` before its next model call, `interrupt` at once, whatever it and its steps
        think or do right now, `queue` when it would otherwise end."""
        self._world.call(self._world.desk.send(self.id, text, mode))

    def unheard(self) -> list[Unheard]:
        """Messages the agent has not heard yet, oldest first."""
        return self._world.call(self._world.desk.unheard(self.id))

    def reword(self, message: str, text: str | None) -> None:
        """Give an unheard message (its id) other words, or take it back (None). Raises `WrongState` if it was heard."""
        self._world.call(self._world.desk.reword(self.id, message, text))

    def rename(self, title: str) -> None:
        """Give a run under way another title."""
        self._world.call(self._world.desk.rename(self.id, title))

    def change_step(self, step: int, description: str | None) -> None:
        """A new description for a step that has not begun; None leaves the step out."""
        self._world.call(self._world.desk.change_step(self.id, step, description))

    def retry(self, step: int | None = None) -> Task:
        """Do a failed step again; of a run that has failed, a new run that keeps what its completed steps found."""
        run = self._world.call(self._world.desk.retry(self.id, step))
        return self._agent.started(run.id)

    def fork(
        self,
        after: Event | str | int | None = None,
        *,
        input: str | None = None,
        message: str | None = None,
        effects: Effects = "ask",
    ) -> Task:
        """A new run with this one's past up to an event (None: all but its last answer), and another future.

        `input` is the task as it should have been, `message` is said before it goes on. What was recorded costs nothing. With
        `effects="ask"` every call that would change something outside waits until a person allows it, with `"dry"` it is not
        made.
        """
        where = after.id if isinstance(after, Event) else after
        run = self._world.call(self._world.desk.fork(self.id, Fork(after=where, input=input, message=message, effects=effects)))
        return self._agent.started(run.id)

    def export(self) -> bytes:
        """This run, its steps, notes and published files as one zip, secrets struck out; `agent.take_in` reads it back."""
        return self._world.call(self._world.desk.export(self.id))

    def erase(self) -> Erased:
        """Erase every copy of this run, its steps, questions, notes and files. It must have ended."""
        return self._world.call(self._world.desk.erase(self.id))

    def events(self, after: str | None = None) -> Iterator[Event]:
        """Everything that happened, from the beginning or after an event's `id`, then what happens, until the end."""
        for event in self._world.iterate(self._world.desk.events(self.id, after)):
            yield Event(event)

    def artifacts(self) -> tuple[Artifact, ...]:
        """Published files, the newest of each path, those of steps under way included."""
        return self._world.call(self._world.desk.artifacts(self.id))

    def artifact(self, path_or_id: str) -> bytes:
        """A published file, as it was published: the newest of that path, or any version by its id."""
        return self._world.call(self._world.desk.artifact(self.id, path_or_id))

    def versions(self, path_or_id: str) -> list[Version]:
        """Every version published under a file's path, oldest first; `artifact` reads each by its id."""
        return self._world.call(self._world.desk.versions(self.id, path_or_id))

    def revisions(self) -> list[Revision]:
        """How its plan changed, oldest first."""
        return self._world.call(self._world.desk.revisions(self.id))

    def scratchpad(self) -> dict[str, list[str]]:
        """What the agent noted, by section."""
        return self._world.call(self._world.desk.scratchpad(self.id))

    def progress(self) -> dict[str, Any]:
        return self._world.call(self._world.desk.progress(self.id))

    def children(self) -> list[Task]:
        """The runs of its steps and ticks, newest first."""
        found, cursor = list[Task](), None
        while True:
            page = self._world.call(self._world.desk.children(self.id, limit=MOST_RUNS, cursor=cursor))
            found += [Task(run.id, self._agent) for run in page.runs]
            if (cursor := page.next) is None:
                return found

    def asks(self, *, open_only: bool = True) -> list[Ask]:
        """Questions of this run and its steps, oldest first; answered and expired ones, too, if not `open_only`."""
        return self._world.call(self._world.desk.asks(self.id, open_only))

    def schedules(self) -> list[Planned]:
        """The schedules of this run, with their next ticks."""
        return self._world.call(self._world.desk.schedules(self.id))

    def end_schedule(self, schedule: str) -> None:
        """Start no further tick of the schedule (its id or name); the run goes on."""
        self._world.call(self._world.desk.end_schedule(self.id, schedule))

    def context(self) -> RunContext:
        """Which model has how much in mind, when it was last summarised, and where the run's trace is."""
        return self._world.call(self._world.desk.context(self.id))

    def ledger(self) -> Ledger:
        """What every turn of the model is shown word for word, whatever was summarised."""
        return self._world.call(self._world.desk.ledger(self.id))


def _patience(timeout: float | timedelta | None) -> timedelta | None:
    """How long to wait; None for what is longer than any run lives."""
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isnan(seconds):
        raise Invalid("timeout", timeout, "must be a number of seconds")
    return timedelta(seconds=seconds) if abs(seconds) < LONGEST else None if seconds > 0 else timedelta()
