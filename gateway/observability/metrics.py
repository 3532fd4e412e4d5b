"""Prometheus registry and a cheap counter-plus-histogram collector; labels never identify a person."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
"""Histogram bounds in seconds; the last two are double the action budget and the hard limit of a USSD turn."""
_BOUNDS = (*map(floatToGoString, BUCKETS), "+Inf")
Labels = tuple[str, ...]


@dataclass(slots=True)
class Times:
    """Number of events by duration: one row of a `TimedCounter`."""

    counts: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    """One count per bound of `BUCKET_SECONDS`, and one for longer durations."""
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one event of this duration."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: "Times") -> None:
        """Add another tally's counts to this one."""
        self.counts = [own + others for own, others in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


@dataclass(eq=False, slots=True)
class Timed(Collector):
    """A counter by all labels and a histogram by the first few, kept in one table.

    The client library's own counter and histogram cost six times as much on every request; this table is
    converted to their format when Prometheus scrapes.
    """

    name: str
    what: str
    labels: Labels
    by: int
    """How many of the labels, from the first, the histogram has."""
    rows: dict[Labels, Times] = field(default_factory=dict, repr=False)

    def add(self, labels: Labels, seconds: float) -> None:
        """Count one event of this duration."""
        times = self.rows.get(labels)
        if times is None:
            times = self.rows[labels] = Times()
        times.add(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield the counter `{name}s_total` and the histogram `{name}_seconds`."""
        counter = CounterMetricFamily(f"{self.name}s", self.what, labels=self.labels)
        merged: dict[Labels, Times] = {}
        for labels, times in self.rows.items():
            counter.add_metric(labels, sum(times.counts))
            merged.setdefault(labels[: self.by], Times()).merge(times)
        yield counter
        yield self._histogram(merged)

    def _histogram(self, merged: dict[Labels, Times]) -> Metric:
        """Return the histogram of the merged tallies."""
        name, what = f"{self.name}_seconds", f"{self.what}: duration in seconds"
        histogram = HistogramMetricFamily(name, what, labels=self.labels[: self.by])
        for labels, times in merged.items():
            buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
            histogram.add_metric(labels, buckets, times.seconds)
        return histogram


@dataclass(frozen=True, slots=True)
class Metrics:
    """The gateway's Prometheus registry, with the webhook metrics."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry, repr=False)
    webhooks: Timed = field(
        default_factory=lambda: Timed("dialtree_webhook", "Webhooks answered", ("endpoint", "status"), by=1),
        repr=False,
    )

    def __post_init__(self) -> None:
        self.registry.register(self.webhooks)

    def answered(self, door: str, status: int, seconds: float) -> None:
        """Count an answered webhook."""
        self.webhooks.add((door, str(status)), seconds)

    def page(self) -> bytes:
        """Return the exposition text for a Prometheus scrape."""
        return generate_latest(self.registry)
