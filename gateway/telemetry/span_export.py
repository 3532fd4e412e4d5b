"""Span export: a bounded queue before the exporter; dropped and failed spans are counted."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.telemetry.spans import RUN_SPAN

log = logging.getLogger("dialtree.telemetry")
BATCH_SPANS = 256
"""Spans of one export."""
BATCH_SECONDS = 2.0
"""Longest time a span waits for others."""


@dataclass(slots=True)
class ExportTally:
    """Results of the exports of one kind, `traces` or `metrics`; a change between them is logged."""

    part: str
    exported: int = 0
    failed: int = 0
    is_failing: bool = False

    def record(self, count: int, *, succeeded: bool) -> None:
        """Count spans or exports; log the first failure after a success, and the first success after it."""
        if succeeded:
            self.exported += count
        else:
            self.failed += count
        if succeeded and self.is_failing:
            log.warning("telemetry.export_recovered", extra={"part": self.part})
        if not succeeded and not self.is_failing:
            log.warning("telemetry.export_failed", extra={"part": self.part})
        self.is_failing = not succeeded


class TalliedExporter(SpanExporter):
    """An exporter whose results are counted; runs in the thread of the batch processor."""

    def __init__(self, inner: SpanExporter, tally: ExportTally) -> None:
        self.inner, self.tally = inner, tally
        self.taken = 0
        """Spans handed over so far."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch and count its spans."""
        self.taken += len(spans)
        result = self.inner.export(spans)
        self.tally.record(len(spans), succeeded=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Close the exporter: an export under way is not retried."""
        self.inner.shutdown()


class BoundedSpans(SpanProcessor):
    """Queue of ended spans, exported in batches by a thread; ending a span never waits.

    Once `most` spans wait, further ones are dropped and counted.
    """

    def __init__(self, exporter: SpanExporter, tally: ExportTally, most: int) -> None:
        self.exporter = TalliedExporter(exporter, tally)
        self.most = most
        self.queued = self.dropped = 0
        self.batches = BatchSpanProcessor(
            self.exporter,
            max_queue_size=2 * most,
            schedule_delay_millis=BATCH_SECONDS * 1000,
            max_export_batch_size=min(BATCH_SPANS, most),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span, or count it as dropped."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self.queued - self.exporter.taken >= self.most:
            self.dropped += 1
            return
        self.queued += 1
        self.batches.on_end(span)

    def shutdown(self) -> None:
        """Export what waits and stop; may take as long as an export."""
        self.batches.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits."""
        return self.batches.force_flush(timeout_millis)


class LinkedRatio(Sampler):
    """Samples a share of new traces and every bulk run; a trace with links follows what it is linked to."""

    def __init__(self, ratio: float) -> None:
        self.ratio = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide by the name, by the links, else by the trace id."""
        chosen: Sampler = self.ratio
        if name == RUN_SPAN and self.ratio.rate > 0:
            chosen = ALWAYS_ON
        elif links:
            chosen = ALWAYS_ON if any(each.context.trace_flags.sampled for each in links) else ALWAYS_OFF
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return the name of this sampler."""
        return f"LinkedRatio{{{self.ratio.rate}}}"


def build_sampler(ratio: float) -> Sampler:
    """Return the sampler: a child follows its parent, a root the ratio or its links."""
    return ParentBased(LinkedRatio(ratio))


@dataclass(eq=False, slots=True)
class ExportCollector(Collector):
    """Exports what became of spans and of metric exports, as Prometheus counters."""

    metrics: ExportTally = field(repr=False)
    spans: BoundedSpans | None = field(default=None, repr=False)

    def collect(self) -> Iterator[Metric]:
        """Yield spans and exports by result."""
        spans = CounterMetricFamily("dialtree_telemetry_spans", "Spans by result", labels=("result",))
        if self.spans is not None:
            tally = self.spans.exporter.tally
            spans.add_metric(("exported",), tally.exported)
            spans.add_metric(("failed",), tally.failed)
            spans.add_metric(("dropped",), self.spans.dropped)
        exports = CounterMetricFamily(
            "dialtree_telemetry_metric_exports", "Exports of metrics by result", labels=("result",)
        )
        exports.add_metric(("exported",), self.metrics.exported)
        exports.add_metric(("failed",), self.metrics.failed)
        yield from (spans, exports)
