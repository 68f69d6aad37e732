"""What a commit adds to the facts it was given: active time, and model calls that were sent, reserved, or brought nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from auteryn.agent.mind import Mind
from auteryn.agent.thread import Thread
from auteryn.policy.cloud import SLICE_LINE
from auteryn.policy.limits import MOST_STARTS_WITHOUT_PROGRESS, RESERVE_CHUNK
from auteryn.ports.store import Lease
from auteryn.schema import event as e
from auteryn.schema.run import Run

_log = logging.getLogger(__name__)

_COUNTED = (e.ModelAnswered, e.ModelFailed, e.Compacted)
_PAID = (e.CallAnswered, e.ModelAnswered, e.Compacted, e.ModelConsulted)


def completed(mind: Mind, events: tuple[e.AnyEvent, ...], first: int, active_ms: Callable[[], int]) -> tuple[e.AnyEvent, ...]:
    """The events as they are committed: requests that were sent and not answered become a `ModelFailed` at index `first`, and
    the run's end gets its active time."""
    out = list(events)
    counted = sum(event.attempts for event in out[first:] if isinstance(event, _COUNTED))
    if mind.sent > counted:  # sent, and then refused or interrupted: they count all the same
        failed = e.ModelFailed(attempts=mind.sent - counted, reason="no_answer", message="")
        out.insert(first, failed)
    if out and isinstance(out[-1], (e.RunCompleted, e.RunFailed)):  # a message that changes nothing makes no fact
        out[-1] = replace(out[-1], active_ms=active_ms())
    return tuple(out)


def spent(events: tuple[e.AnyEvent, ...]) -> int:
    """Thousandths of a credit that these facts cost: a run's own, not those of its children."""
    return sum(event.credits for event in events if isinstance(event, _PAID))


def log_slice(run: Run, credits: int) -> None:
    """The log line that the spending alert and the dashboard read."""
    _log.info(SLICE_LINE, extra={"run": run.id, "status": run.status, "credits": credits})


def may_call(run: Run) -> bool:
    """Whether the model may be called before anything is committed: a new step's first calls are reserved at its creation."""
    used = run.usage.llm_calls
    return run.reserved_calls > used or used >= run.limits.llm_calls


def reservation(run: Run) -> e.CallsReserved | None:
    """The next chunk of model calls, once the last is used up. Children's shares are not reserved here (L11)."""
    ceiling = run.limits.llm_calls - run.promised_calls
    if run.status != "running" or run.reserved_calls > run.usage.llm_calls or run.reserved_calls >= ceiling:
        return None
    return e.CallsReserved(total=min(ceiling, run.usage.llm_calls + RESERVE_CHUNK))


def cut_off(run: Run, lease: Lease, thread: Thread) -> tuple[e.ModelFailed, ...]:
    """The model request a lost slice may have sent without anybody knowing. It counts as sent, so crashes cannot exceed a cap
    (L11).

    Between two commits at most one is sent, and none while calls are open: what their tools send is counted before.
    """
    if run.status != "running" and (run.slice or lease.number == 1):
        return ()  # it left in order, or there was none
    if thread.calls or run.reserved_calls <= run.usage.llm_calls:
        return ()
    message = "the work was cut off: a request that may have been under way counts as sent"
    return (e.ModelFailed(attempts=1, reason="cut_off", message=message),)


def poison(run: Run, lease: Lease) -> e.RunFailed | None:
    """The end of a run that kills every slice that touches it; None if it does not (F29)."""
    starts = lease.number - run.slice - 1 + run.stalls
    if starts < MOST_STARTS_WITHOUT_PROGRESS:
        return None
    message = f"{starts} slices in a row began and did not come to a single fact: the run is not started again"
    return e.RunFailed(reason="poison", message=message)
