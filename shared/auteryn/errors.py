"""What can go wrong, named by what happens next.

    AuterynError
    ├── Retryable            try again, after `retry_after` if it is known
    │   ├── RateLimited      the other side counts us
    │   │   └── SpendLimited an owner has spent what he may for now
    │   ├── Unavailable      it does not answer, or answers that it cannot
    │   ├── Conflict         another writer was first; read again or stop
    │   └── DiskFull         free space, then the same write succeeds
    ├── Refused              the caller's fault; nothing was changed
    │   ├── Invalid          a field, its value and the rule it breaks
    │   ├── NotFound
    │   ├── WrongState       right call, wrong time
    │   │   └── Unread       a run cannot complete over a message it has not read
    │   └── NotAllowed
    ├── ToolFailed           told to the model; never ends a run
    ├── Exhausted            a limit of the run was reached: calls, credits, time
    ├── RunFailed            what `task.result()` raises for a failed run
    │   └── RunCancelled
    ├── ModelRefused         the model will not answer this request, however often it is asked
    └── Corrupt              stored data that cannot be read: stop and say where

Waiting, finishing and handing over are values, never exceptions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar


class AuterynError(Exception):
    """Base of every error this package raises on purpose.

    `code` is stable and machine-readable; `http_status` is what the door answers with.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500


class Retryable(AuterynError):
    """The same call may succeed later."""

    code = "retryable"
    http_status = 503

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """A quota was used up. `per_day` quotas do not come back within minutes."""

    code = "rate_limited"
    http_status = 429

    def __init__(self, message: str, *, retry_after: timedelta | None = None, per_day: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.per_day = per_day


class SpendLimited(RateLimited):
    """The owner's limit on spending is used up. `retry_after` is when the next window begins."""

    code = "spend_limit"


class Unavailable(Retryable):
    """No answer, or an answer that says: not now."""

    code = "unavailable"


class Conflict(Retryable):
    """Another writer was first. Nothing of the refused write was applied."""

    code = "conflict"
    http_status = 409


class DiskFull(Retryable):
    """No space is left. The message says which disk and what may be removed."""

    code = "disk_full"
    http_status = 507


class Refused(AuterynError):
    """The caller asked for something that cannot be; nothing was changed."""

    code = "refused"
    http_status = 400


class Invalid(Refused, ValueError):
    """A value breaks a rule. The message names the field, the value and the rule."""

    code = "invalid"
    http_status = 422

    def __init__(self, field: str, value: Any, rule: str) -> None:
        shown = repr(value)
        super().__init__(f"{field}: {shown if len(shown) <= 120 else shown[:117] + '...'} {rule}")
        self.field, self.value, self.rule = field, value, rule


class NotFound(Refused, LookupError):
    """No such thing, or not yours."""

    code = "not_found"
    http_status = 404


class WrongState(Refused):
    """The thing exists and its state does not allow this."""

    code = "wrong_state"
    http_status = 409


class Unread(WrongState):
    """A run may not complete while a message lies in its inbox: read it first. Nothing was written."""

    code = "unread"


class NotAllowed(Refused, PermissionError):
    """The caller is known and may not do this."""

    code = "not_allowed"
    http_status = 403


class ToolFailed(AuterynError):
    """A tool call failed in a way the model should hear of.

    `kind` is one word of the tool contract (`invalid`, `not_found`, `too_large`, `denied`, `blocked`, `unsupported`,
    `unavailable`, `timeout`, `rate_limited`, `auth`, `quota`, `ambiguous`, `not_configured`, `missing_extra`, `conflict`);
    `retryable` calls are repeated by the engine before the model hears of them.
    """

    code = "tool_failed"

    def __init__(self, kind: str, message: str, *, retryable: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.kind, self.retryable, self.retry_after = kind, retryable, retry_after


class Exhausted(AuterynError):
    """A limit of the run was reached. `limit` names it: `llm_call_limit`, `credit_limit`, `deadline`, `timeout`."""

    code = "exhausted"
    http_status = 402

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class RunFailed(AuterynError):
    """A run ended without its result. `reason` is the run's typed reason; `partial` is what there was."""

    code = "run_failed"

    def __init__(self, reason: str, message: str, *, partial: str | None = None) -> None:
        super().__init__(message)
        self.reason, self.partial = reason, partial


class RunCancelled(RunFailed):
    """The run was cancelled before it had a result."""

    code = "run_cancelled"


class ModelRefused(AuterynError):
    """The model's answer to this request is no, and will be no again.

    `reason`: `safety`, `blocked`, `too_long`, `signature` (of the history, not this model's), `bad_request`, `no_key`,
    `no_model`, `bad_answer`.
    """

    code = "model_refused"
    http_status = 502

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Corrupt(AuterynError):
    """Stored data cannot be read. The message says where it lies and what still can be done."""

    code = "corrupt"
