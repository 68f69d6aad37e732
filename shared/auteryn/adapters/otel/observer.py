"""Spans and metrics of runs, read off their journals.

A trace is a tree of runs, and every id in it is derived from the journal: the slices of a week, in as many processes, draw one
trace without handing each other anything. A span is made when the fact that ends it is committed, so what was not committed is
in no trace, and what a slice did before it was killed is.

    invoke_workflow TITLE                 the run, from its first slice to its end
      plan                                when it was made
        invoke_agent STEP                 a step's run
          invoke_agent slice 1            one sitting; linked to the sitting before
            chat MODEL
            execute_tool TOOL

What was said is in no span unless OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is set to true.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from auteryn.schema import event as e
from auteryn.schema.plan import Plan
from auteryn.schema.record import to_json
from auteryn.schema.run import Run

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

    from auteryn.adapters.otel.pen import Pen

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SHOWN = 8_000
"""Characters of content in one attribute."""
UNKNOWN = "unknown"
"""The model of requests whose fact does not name it."""

_log = logging.getLogger(__name__)


class OtelObserver:
    """`processor` and `reader` take the place of the exporters the environment names. Nothing is imported before a commit."""

    def __init__(
        self,
        *,
        provider: str = "gcp.gemini",
        content: bool = False,
        processor: SpanProcessor | None = None,
        reader: MetricReader | None = None,
    ) -> None:
        self._provider, self._content, self._processor, self._reader = provider, content, processor, reader
        self._pen: Pen | None = None
        self._previous: dict[tuple[str, int], int] = {}
        """(run, slice) → the slice before it, while it is at work here."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> OtelObserver | None:
        """As the standard variables say; None where none names an endpoint."""
        if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(environ.get(name) for name in ENDPOINTS):
            return None
        vertex = environ.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() in ("1", "true")
        content = environ.get(CONTENT, "").lower() == "true"
        return cls(provider="gcp.vertex_ai" if vertex else "gcp.gemini", content=content)

    def trace(self, root: str) -> str:
        return f"{digest(root, 16):032x}"

    def committed(self, before: Run, run: Run, entry: e.Entry) -> None:
        try:
            pen = self._pen or self._opened()
            if pen.draws(run.root):
                self._draw(pen, before, run, entry)
            self._count(pen, run, entry)
        except Exception:  # noqa: BLE001 - V2: watching must not harm what is watched
            _log.warning("a commit of run %s was not traced", run.id, exc_info=True)

    async def close(self) -> None:
        if self._pen is not None:
            await asyncio.to_thread(self._pen.close)

    def _opened(self) -> Pen:
        from auteryn.adapters.otel.pen import Pen

        self._pen = Pen(self._processor, self._reader)
        return self._pen

    # ---- spans

    def _draw(self, pen: Pen, before: Run, run: Run, entry: e.Entry) -> None:
        for event in entry.events:
            match event:
                case e.SliceStarted():
                    self._previous[(run.id, event.slice)] = before.slice
                    if before.plan and not before.slice:  # it came with the task
                        self._plan(pen, run, before.plan, run.created_at)
                case e.ModelAnswered():
                    self._chat(pen, run, entry, event)
                case e.ModelConsulted():
                    self._model(pen, run, entry, event.call, event.model, 0, _paid(event))
                case e.Compacted() if event.attempts:
                    self._model(pen, run, entry, f"summary {entry.seq}", UNKNOWN, 0, _paid(event))
                case e.ModelFailed():
                    key, more = f"failed {entry.seq}", {**_paid(event), "error.type": event.reason}
                    self._model(pen, run, entry, key, event.model or UNKNOWN, 0, more, error=event.message)
                case e.CallAnswered():
                    self._tool(pen, run, entry, event)
                case e.PlanCreated():
                    self._plan(pen, run, event.plan, entry.at)
                case e.Left():
                    self._slice(pen, run, entry, event.active_ms, event.why)
                case e.RunCompleted() | e.RunFailed() | e.RunCancelled():
                    self._slice(pen, run, entry, event.active_ms, run.status)
                    self._run(pen, run)
                case _:
                    pass

    def _run(self, pen: Pen, run: Run) -> None:
        """The whole run: a workflow, or the agent that did one step of one."""
        step = run.parent is not None
        name = f"invoke_agent {run.title}" if step else f"invoke_workflow {run.title}"
        attributes = {
            "gen_ai.operation.name": "invoke_agent" if step else "invoke_workflow",
            "gen_ai.agent.name" if step else "gen_ai.workflow.name": run.title,
            "auteryn.mode": run.mode,
            "auteryn.status": run.status,
            "auteryn.credits": run.usage.credits.total / 1000,
            "gen_ai.usage.input_tokens": run.usage.tokens.prompt,
            "gen_ai.usage.output_tokens": run.usage.tokens.output + run.usage.tokens.thoughts,
        }
        if run.failure:
            attributes["error.type"] = run.failure.reason
        pen.span(
            name,
            trace=run.root,
            key=run.id,
            parent=_above(run),
            start=run.started_at or run.created_at,
            end=run.ended_at or run.created_at,
            attributes=self._common(run) | attributes,
            error=run.failure.message if run.failure else "",
        )

    def _slice(self, pen: Pen, run: Run, entry: e.Entry, active_ms: int, why: str) -> None:
        if entry.slice == 0:
            return
        before = self._previous.pop((run.id, entry.slice), 0)
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": run.title, "auteryn.left": why}
        pen.span(
            f"invoke_agent slice {entry.slice}",
            trace=run.root,
            key=_slice(run, entry.slice),
            parent=run.id,
            start=entry.at - timedelta(milliseconds=active_ms),
            end=entry.at,
            attributes=self._common(run) | attributes | {"auteryn.slice": entry.slice},
            link=_slice(run, before) if before else "",
        )

    def _plan(self, pen: Pen, run: Run, plan: Plan, at: datetime) -> None:
        attributes = {
            "gen_ai.operation.name": "plan",
            "auteryn.plan.id": plan.id,
            "auteryn.plan.steps": len(plan.steps),
        }
        pen.span(
            "plan",
            trace=run.root,
            key=plan.id,
            parent=run.id,
            start=at,
            end=at,
            attributes=self._common(run) | attributes,
        )

    def _chat(self, pen: Pen, run: Run, entry: e.Entry, event: e.ModelAnswered) -> None:
        attributes: dict[str, Any] = {
            **_paid(event),
            "gen_ai.usage.reasoning.output_tokens": event.tokens.thoughts,
            "gen_ai.response.finish_reasons": (event.finish,),
            "auteryn.turn": event.turn,
            "auteryn.attempts": event.attempts,
        }
        if self._content:
            attributes["gen_ai.output.messages"] = _short(event.content)
        self._model(pen, run, entry, f"turn {event.turn}", event.model, event.ms, attributes)

    def _model(
        self, pen: Pen, run: Run, entry: e.Entry, key: str, model: str, ms: int, more: dict[str, Any], error: str = ""
    ) -> None:
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self._provider,
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            **more,
        }
        pen.span(
            f"chat {model}",
            trace=run.root,
            key=f"{run.id} chat {key}",
            parent=_slice(run, entry.slice),
            start=entry.at - timedelta(milliseconds=ms),
            end=entry.at,
            attributes=self._common(run) | attributes,
            error=error,
            client=True,
        )

    def _tool(self, pen: Pen, run: Run, entry: e.Entry, event: e.CallAnswered) -> None:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.call.id": event.call,
            "gen_ai.tool.type": "function",
            "auteryn.attempts": event.attempts,
            "auteryn.credits": event.credits / 1000,
        }
        if event.error:
            attributes["error.type"] = event.error
        if self._content:
            attributes["gen_ai.tool.call.result"] = _short(event.output)
        pen.span(
            f"execute_tool {event.tool}",
            trace=run.root,
            key=event.call,
            parent=_slice(run, entry.slice),
            start=entry.at - timedelta(milliseconds=event.ms),
            end=entry.at,
            attributes=self._common(run) | attributes,
            error=event.error or "",
        )

    def _common(self, run: Run) -> dict[str, Any]:
        """Of every span: the conversation is the tree of runs, whatever process is at work on it."""
        return {"gen_ai.conversation.id": run.root, "gen_ai.agent.id": run.id}

    # ---- metrics

    def _count(self, pen: Pen, run: Run, entry: e.Entry) -> None:
        for event in entry.events:
            match event:
                case e.ModelAnswered() | e.ModelConsulted() | e.ModelFailed() | e.Compacted():
                    model = UNKNOWN if isinstance(event, e.Compacted) else event.model or UNKNOWN
                    common = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": self._provider}
                    common |= {"gen_ai.request.model": model, "gen_ai.response.model": model}
                    if event.tokens.total:
                        pen.tokens.record(event.tokens.prompt, common | {"gen_ai.token.type": "input"})
                        output = event.tokens.output + event.tokens.thoughts
                        pen.tokens.record(output, common | {"gen_ai.token.type": "output"})
                    if isinstance(event, e.ModelAnswered):
                        pen.duration.record(event.ms / 1000, common)
                    pen.credits.add(event.credits / 1000, {"auteryn.kind": "llm_calls"})
                case e.CallAnswered():
                    common = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": event.tool}
                    pen.duration.record(event.ms / 1000, common | ({"error.type": event.error} if event.error else {}))
                    pen.credits.add(event.credits / 1000, {"auteryn.kind": "tool_calls"})
                case e.ArtifactPublished():
                    pen.credits.add(event.credits / 1000, {"auteryn.kind": "storage"})
                case e.RunCompleted() | e.RunFailed() | e.RunCancelled():
                    pen.runs.add(
                        1, {"auteryn.mode": run.mode, "auteryn.status": run.status, "auteryn.step": run.parent is not None}
                    )
                case _:
                    pass


def _above(run: Run) -> str:
    """The key of the span a run hangs below: its plan, else the run it belongs to; none for a whole run."""
    if run.parent is None:
        return ""
    return run.parent.of if run.parent.kind == "step" and run.parent.of else run.parent.run


def _slice(run: Run, number: int) -> str:
    return f"{run.id} slice {number}"


def _paid(event: e.ModelAnswered | e.ModelConsulted | e.ModelFailed | e.Compacted) -> dict[str, Any]:
    """What the requests behind a fact used and cost."""
    return {
        "gen_ai.usage.input_tokens": event.tokens.prompt,
        "gen_ai.usage.cache_read.input_tokens": event.tokens.cached,
        "gen_ai.usage.output_tokens": event.tokens.output + event.tokens.thoughts,
        "auteryn.credits": event.credits / 1000,
    }


def _short(value: Any) -> str:
    text = to_json(value).decode()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def digest(text: str, size: int) -> int:
    """The id that belongs to a key, never 0."""
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big") or 1


def nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000
