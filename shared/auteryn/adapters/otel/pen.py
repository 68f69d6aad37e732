"""The OpenTelemetry SDK, set up to draw spans whose ids and times are known beforehand. Imported with the first commit only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

from auteryn.adapters.otel.observer import digest, nanoseconds
from auteryn.schema.release import RELEASE

CLOSE_MILLIS = 5_000


class _Ids(IdGenerator):
    """Hands out the ids that were set: the journal decides what a span is called, not chance."""

    trace_id = span_id = 1

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


class Pen:
    """Exports over OTLP to where the environment says, unless it is given a processor and a reader."""

    def __init__(self, processor: SpanProcessor | None, reader: MetricReader | None) -> None:
        about = Resource.create({"service.name": "auteryn", "service.version": RELEASE})
        self._ids = _Ids()
        self._traces = TracerProvider(resource=about, id_generator=self._ids)
        self._traces.add_span_processor(processor or _exporting_spans())
        self._tracer = self._traces.get_tracer("auteryn", RELEASE)
        self._metrics = MeterProvider([reader or _exporting_metrics()], about)
        meter = self._metrics.get_meter("auteryn", RELEASE)
        self.tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of one model call")
        self.duration = meter.create_histogram("gen_ai.client.operation.duration", "s", "Time of one model or tool call")
        self.credits = meter.create_counter("auteryn.credits", "{credit}", "Credits spent: 1 is 0.1 US cent at list price")
        self.runs = meter.create_counter("auteryn.runs", "{run}", "Runs that have ended, steps included")

    def draws(self, trace: str) -> bool:
        """Whether this trace is one of those that are sampled: for all its spans alike."""
        found = self._traces.sampler.should_sample(None, digest(trace, 16), "run")
        return found.decision.is_sampled()

    def span(
        self,
        name: str,
        *,
        trace: str,
        key: str,
        parent: str,
        start: datetime,
        end: datetime,
        attributes: Mapping[str, Any],
        error: str = "",
        link: str = "",
        client: bool = False,
    ) -> None:
        """One whole span. `key`, `parent` and `link` are what ids are made of; no parent: the top of its trace."""
        self._ids.trace_id, self._ids.span_id = digest(trace, 16), digest(key, 8)
        above = api.set_span_in_context(_other(trace, parent), Context()) if parent else Context()
        span = self._tracer.start_span(
            name,
            above,
            api.SpanKind.CLIENT if client else api.SpanKind.INTERNAL,
            dict(attributes),
            [api.Link(_other(trace, link).get_span_context())] if link else [],
            nanoseconds(start),
        )
        if error:
            span.set_status(api.StatusCode.ERROR, error[:300])
        span.end(nanoseconds(end))

    def close(self) -> None:
        """What was drawn and counted leaves now, or within `CLOSE_MILLIS`."""
        self._traces.force_flush(CLOSE_MILLIS)
        self._traces.shutdown()
        self._metrics.shutdown(CLOSE_MILLIS)


def _other(trace: str, key: str) -> api.NonRecordingSpan:
    """A span drawn elsewhere, perhaps by another process, perhaps later."""
    flags = api.TraceFlags(api.TraceFlags.SAMPLED)
    return api.NonRecordingSpan(api.SpanContext(digest(trace, 16), digest(key, 8), is_remote=True, trace_flags=flags))


def _exporting_spans() -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())


def _exporting_metrics() -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return PeriodicExportingMetricReader(OTLPMetricExporter())
