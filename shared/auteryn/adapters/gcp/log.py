"""Lines as Cloud Logging reads them: one JSON object on stdout, with the trace they belong to. No client library is needed."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import logging
import re
import secrets
import sys
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any

_TRACE = re.compile(r"(?:00-)?([0-9a-f]{32})[-/]([0-9a-f]{16}|\d+)?")
"""`traceparent` (W3C) and `X-Cloud-Trace-Context` (Google) begin with the same 32 digits."""
_USUAL = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}

_where: contextvars.ContextVar[Mapping[str, str] | None] = contextvars.ContextVar("where", default=None)


@contextlib.contextmanager
def traced(headers: Mapping[str, str] | None = None, run: str = "") -> Generator[None]:
    """Lines of this block, and of the tasks it starts, carry the request's trace; those of a job carry one made of its run."""
    found = next((match for name in ("traceparent", "x-cloud-trace-context") if (match := _match(headers, name))), None)
    trace = found[1] if found else trace_of(run) if run else ""
    before = _where.set({**({"trace": trace} if trace else {}), **({"run": run} if run else {})})
    try:
        yield
    finally:
        _where.reset(before)


def trace_of(run: str) -> str:
    """Everything about a run is one trace, in whichever process and week it happens."""
    return hashlib.sha256(run.encode()).hexdigest()[:32]


def traceparent(run: str) -> str:
    """The header that makes a request part of a run's trace (W3C)."""
    return f"00-{trace_of(run)}-{secrets.token_hex(8)}-01"


def _match(headers: Mapping[str, str] | None, name: str) -> re.Match[str] | None:
    return _TRACE.match((headers or {}).get(name, "").lower())


class CloudFormatter(logging.Formatter):
    """`severity`, `message`, the trace, who logged, and every field given as `extra`."""

    def __init__(self, project: str, execution: str = "") -> None:
        super().__init__()
        self._project, self._execution = project, execution

    def format(self, record: logging.LogRecord) -> str:
        where = dict(_where.get() or {})
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **{name: value for name, value in record.__dict__.items() if name not in _USUAL},
        }
        if trace := where.pop("trace", None):
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace}"
        if self._execution:
            line["execution"] = self._execution
        if record.exc_info:
            line["message"] += "\n" + self.formatException(record.exc_info)
        return json.dumps({**where, **line}, default=str, ensure_ascii=False)


def log_to_stdout(project: str, execution: str = "") -> None:
    """From here on everything of ours from INFO, and of others from WARNING, is such a line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(CloudFormatter(project, execution))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("auteryn").setLevel(logging.INFO)
