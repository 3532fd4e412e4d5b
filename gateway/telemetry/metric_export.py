"""Metric export: the Prometheus registry as OTLP metrics, so that nothing is counted twice."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from gateway.telemetry.span_export import ExportTally

log = logging.getLogger("dialtree.telemetry")
CUMULATIVE = AggregationTemporality.CUMULATIVE
LabelKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Period:
    """The time metrics are about: from the start of the process until now, ns since 1970."""

    start: int
    end: int


def convert_registry(registry: CollectorRegistry, resource: Resource, period: Period) -> MetricsData:
    """Return all metrics of a registry as OTLP metrics, with the names and labels they have there."""
    families = [family for family in registry.collect() if family.samples]
    metrics = [each for family in families for each in _convert_family(family, period)]
    scope = ScopeMetrics(InstrumentationScope("dialtree"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _convert_family(family: Family, period: Period) -> Iterator[Metric]:
    """Yield the OTLP metric of a family; none for a kind the gateway has no metrics of."""
    if family.type == "counter":
        name = f"{family.name}_total"
        points = _number_points(family.samples, name, period)
        yield Metric(name, family.documentation, "", Sum(points, CUMULATIVE, is_monotonic=True))
    elif family.type == "gauge":
        yield Metric(
            family.name, family.documentation, "", Gauge(_number_points(family.samples, family.name, period))
        )
    elif family.type == "histogram":
        points_by_labels = _group_samples(family)
        histograms = [_histogram_point(labels, each, period) for labels, each in points_by_labels.items()]
        yield Metric(family.name, family.documentation, "s", Histogram(histograms, CUMULATIVE))


def _number_points(samples: Sequence[Sample], name: str, period: Period) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(each.labels, period.start, period.end, float(each.value))
        for each in samples
        if each.name == name
    ]


def _group_samples(family: Family) -> dict[LabelKey, list[Sample]]:
    """Return the samples of a histogram by their labels without `le`."""
    groups: dict[LabelKey, list[Sample]] = defaultdict(list)
    for sample in family.samples:
        groups[tuple((name, value) for name, value in sample.labels.items() if name != "le")].append(sample)
    return groups


def _histogram_point(labels: LabelKey, samples: Sequence[Sample], period: Period) -> HistogramDataPoint:
    """Return one histogram: Prometheus counts each bucket with all below it, OTLP each by itself."""
    buckets = sorted((float(each.labels["le"]), int(each.value)) for each in samples if "le" in each.labels)
    counts = [count for _, count in buckets]
    own = [count - below for count, below in zip(counts, [0, *counts], strict=False)]
    total = sum(each.value for each in samples if each.name.endswith("_sum"))
    bounds = [bound for bound, _ in buckets[:-1]]
    return HistogramDataPoint(
        dict(labels),
        *(period.start, period.end, sum(own), total, own, bounds),
        min=None,  # type: ignore[arg-type]  # Prometheus knows neither; the encoder leaves out None
        max=None,  # type: ignore[arg-type]
    )


@dataclass(slots=True)
class MetricExport:
    """Exports a registry at an interval; a slow or failing collector delays only the next export."""

    registry: CollectorRegistry = field(repr=False)
    refresh: Callable[[], Awaitable[None]] = field(repr=False)
    """Updates the gauges that are measured on demand."""
    exporter: MetricExporter = field(repr=False)
    resource: Resource = field(repr=False)
    tally: ExportTally
    interval_seconds: float
    started_at: int = field(default_factory=time.time_ns)
    thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="metric-export"), repr=False
    )

    async def run(self) -> None:
        """Export for ever, first after one interval."""
        while True:
            await asyncio.sleep(self.interval_seconds)
            await self.export_once()

    async def export_once(self) -> None:
        """Export the metrics of now; whatever fails is counted and logged."""
        try:
            await self.refresh()
            data = convert_registry(self.registry, self.resource, Period(self.started_at, time.time_ns()))
            result = await asyncio.get_running_loop().run_in_executor(self.thread, self.exporter.export, data)
        except Exception as error:  # outermost handler: telemetry must not end the process
            log.error("telemetry.metrics_failed", exc_info=error, extra={"part": "metrics"})
            result = MetricExportResult.FAILURE
        self.tally.record(1, succeeded=result is MetricExportResult.SUCCESS)

    def close(self) -> None:
        """Close the exporter and its thread without waiting for an export under way."""
        self.exporter.shutdown()
        self.thread.shutdown(wait=False, cancel_futures=True)
