"""Prometheus registry and a cheap counter-plus-histogram collector; labels never identify a person."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BUCKET_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
"""Histogram bounds in seconds; the last two are double the action budget and the hard limit of a USSD turn."""
_BUCKET_LABELS = (*map(floatToGoString, BUCKET_SECONDS), "+Inf")
LabelValues = tuple[str, ...]


@dataclass(slots=True)
class DurationTally:
    """Number of events by duration: one row of a `TimedCounter`."""

    bucket_counts: list[int] = field(default_factory=lambda: [0] * len(_BUCKET_LABELS))
    """One count per bound of `BUCKET_SECONDS`, and one for longer durations."""
    total_seconds: float = 0.0

    def add_duration(self, seconds: float) -> None:
        """Count one event of this duration."""
        self.bucket_counts[bisect_left(BUCKET_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    def merge_tally(self, other: "DurationTally") -> None:
        """Add another tally's counts to this one."""
        self.bucket_counts = [
            own + others for own, others in zip(self.bucket_counts, other.bucket_counts, strict=True)
        ]
        self.total_seconds += other.total_seconds


@dataclass(eq=False, slots=True)
class TimedCounter(Collector):
    """A counter by all labels and a histogram by the first few, kept in one table.

    The client library's own counter and histogram cost six times as much on every request; this table is
    converted to their format when Prometheus scrapes.
    """

    name: str
    help_text: str
    label_names: LabelValues
    histogram_label_count: int
    """How many of the labels, from the first, the histogram has."""
    tallies: dict[LabelValues, DurationTally] = field(default_factory=dict, repr=False)

    def add_duration(self, labels: LabelValues, seconds: float) -> None:
        """Count one event of this duration."""
        times = self.tallies.get(labels)
        if times is None:
            times = self.tallies[labels] = DurationTally()
        times.add_duration(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield the counter `{name}s_total` and the histogram `{name}_seconds`."""
        counter = CounterMetricFamily(f"{self.name}s", self.help_text, labels=self.label_names)
        merged: dict[LabelValues, DurationTally] = {}
        for labels, times in self.tallies.items():
            counter.add_metric(labels, sum(times.bucket_counts))
            merged.setdefault(labels[: self.histogram_label_count], DurationTally()).merge_tally(times)
        yield counter
        yield self._histogram(merged)

    def _histogram(self, merged: dict[LabelValues, DurationTally]) -> Metric:
        """Return the histogram of the merged tallies."""
        name, what = f"{self.name}_seconds", f"{self.help_text}: duration in seconds"
        histogram = HistogramMetricFamily(name, what, labels=self.label_names[: self.histogram_label_count])
        for labels, times in merged.items():
            buckets = list(zip(_BUCKET_LABELS, accumulate(times.bucket_counts), strict=True))
            histogram.add_metric(labels, buckets, times.total_seconds)
        return histogram


@dataclass(frozen=True, slots=True)
class MetricsRegistry:
    """The gateway's Prometheus registry, with the webhook metrics."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry, repr=False)
    webhooks: TimedCounter = field(
        default_factory=lambda: TimedCounter(
            "dialtree_webhook", "Webhooks answered", ("endpoint", "status"), histogram_label_count=1
        ),
        repr=False,
    )

    def __post_init__(self) -> None:
        self.registry.register(self.webhooks)

    def record_webhook(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answered webhook."""
        self.webhooks.add_duration((endpoint, str(status)), seconds)

    def render_exposition(self) -> bytes:
        """Return the exposition text for a Prometheus scrape."""
        return generate_latest(self.registry)
