"""Metrics: counters and latencies for Prometheus; never a number or a name of a person as a label."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
"""Seconds; the last two are the action budget's double and the hard limit of a USSD turn."""
_BOUNDS = (*map(floatToGoString, BUCKETS), "+Inf")
Labels = tuple[str, ...]


@dataclass(slots=True)
class Times:
    """How often something happened, by how long it took."""

    counts: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    """One for each of `BUCKETS`, and one for what took longer."""
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """It happened once more and took so long."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: "Times") -> None:
        """Count in what another has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


@dataclass(eq=False, slots=True)
class Timed(Collector):
    """A counter by all of its labels and a histogram by the first few, kept in one table.

    The client's own counters and histograms cost six times as much, paid on every request; this one is
    put into their form when Prometheus asks.
    """

    name: str
    what: str
    labels: Labels
    by: int
    """How many of the labels the histogram has."""
    rows: dict[Labels, Times] = field(default_factory=dict, repr=False)

    def add(self, labels: Labels, seconds: float) -> None:
        """It happened once more and took so long."""
        times = self.rows.get(labels)
        if times is None:
            times = self.rows[labels] = Times()
        times.add(seconds)

    def collect(self) -> Iterator[Metric]:
        """`NAMEs_total` and `NAME_seconds`."""
        counter = CounterMetricFamily(f"{self.name}s", self.what, labels=self.labels)
        merged: dict[Labels, Times] = {}
        for labels, times in self.rows.items():
            counter.add_metric(labels, sum(times.counts))
            merged.setdefault(labels[: self.by], Times()).merge(times)
        yield counter
        yield self._histogram(merged)

    def _histogram(self, merged: dict[Labels, Times]) -> Metric:
        name, what = f"{self.name}_seconds", f"{self.what}: seconds"
        histogram = HistogramMetricFamily(name, what, labels=self.labels[: self.by])
        for labels, times in merged.items():
            buckets = list(zip(_BOUNDS, accumulate(times.counts), strict=True))
            histogram.add_metric(labels, buckets, times.seconds)
        return histogram


@dataclass(frozen=True, slots=True)
class Metrics:
    """The gateway's own registry."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry, repr=False)
    webhooks: Timed = field(
        default_factory=lambda: Timed("dialtree_webhook", "Webhooks answered", ("door", "status"), by=1),
        repr=False,
    )

    def __post_init__(self) -> None:
        self.registry.register(self.webhooks)

    def answered(self, door: str, status: int, seconds: float) -> None:
        """Count one answered webhook."""
        self.webhooks.add((door, str(status)), seconds)

    def page(self) -> bytes:
        """The exposition text Prometheus scrapes."""
        return generate_latest(self.registry)
