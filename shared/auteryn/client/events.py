"""Events of runs for the caller's own functions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, get_args

from auteryn.errors import AuterynError, Invalid
from auteryn.service.delivery import StreamEvent
from auteryn.service.feed import Kind

if TYPE_CHECKING:
    from auteryn.client.task import Task

_log = logging.getLogger(__name__)

HEARD_OUT_SECONDS = 5.0
"""How long the end of a run waits for callbacks that are still at work on its events."""


class Event:
    """One event of a run; the fields of its kind are attributes (`event.current_step`, `event.text`). What has the name of one
    below, such as the `id` of a question or a step, is in `data`."""

    def __init__(self, event: StreamEvent) -> None:
        self.id: str = event.id
        """Resume after this event with it."""
        self.kind: str = event.kind
        self.run: str = event.run
        self.at: datetime | None = event.at
        self.delta: bool = event.delta
        self.data: dict[str, Any] = event.data

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(f"event {self.kind!r} has no {name!r}; it has {', '.join(self.data)}") from None

    def __repr__(self) -> str:
        return f"Event({self.kind!r}, run={self.run!r}, {self.data!r})"


Callback = Callable[[Event], Any]


class Listeners:
    """Who wants to hear of what. Each run that is followed has a daemon thread, so a slow callback delays nobody else."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[str, Callback]] = []
        self._threads: dict[str, threading.Thread] = {}
        self._starting = threading.Lock()

    def add(self, kind: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` with every event of this kind; returns what ends that. `progress` means `task_progress`."""
        wanted = "task_progress" if kind == "progress" else kind
        if wanted not in get_args(Kind):
            raise Invalid("event", kind, f"is none of progress, {', '.join(get_args(Kind))}")
        if not callable(callback):
            raise Invalid("callback", callback, "must be a function of one event")
        if iscoroutinefunction(callback):
            raise Invalid(
                "callback",
                callback,
                "is async, and events are told from a thread: give a function that hands them over, such as "
                "lambda event: loop.call_soon_threadsafe(queue.put_nowait, event)",
            )
        pair = (wanted, callback)
        self._callbacks.append(pair)

        def unsubscribe() -> None:
            if pair in self._callbacks:
                self._callbacks.remove(pair)

        return unsubscribe

    def follow(self, task: Task) -> None:
        """From now on, and from the run's beginning, the listeners hear of this run."""
        with self._starting:  # two threads of the caller's would hear everything twice
            if self._callbacks and task.id not in self._threads:
                thread = threading.Thread(target=self._listen, args=(task,), name=f"events of {task.id}", daemon=True)
                self._threads[task.id] = thread
                thread.start()

    def heard_out(self, run: str) -> None:
        """Wait until the callbacks have seen the end of the run. Returns at once when called from a callback."""
        thread = self._threads.get(run)
        if thread is not None and thread is not threading.current_thread():
            thread.join(HEARD_OUT_SECONDS)

    def _listen(self, task: Task) -> None:
        try:
            for event in task.events():
                self._tell(event)
        except AuterynError as error:
            _log.info("events of %s are not heard any more: %s", task.id, error)
        finally:
            self._threads.pop(task.id, None)

    def _tell(self, event: Event) -> None:
        for kind, callback in list(self._callbacks):
            if kind == event.kind:
                try:
                    callback(event)
                except Exception:  # noqa: BLE001 - the caller's own code: its errors are told of and harm nobody
                    _log.exception("a callback for %r failed", kind)
