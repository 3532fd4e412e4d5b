"""Metrics: counters and latencies for Prometheus; never a number or a name of a person as a label."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
"""Seconds; the last two are the action budget's double and the hard limit of a USSD turn."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The gateway's own registry."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry, repr=False)
    requests: Counter = field(init=False, repr=False)
    seconds: Histogram = field(init=False, repr=False)
    rows: dict[tuple[str, int], tuple[Counter, Histogram]] = field(default_factory=dict, repr=False)
    """The series already looked up: finding them by label costs more than counting."""

    def __post_init__(self) -> None:
        requests = Counter("dialtree_webhooks", "Webhooks answered", ("door", "status"), registry=self.registry)
        seconds = Histogram(
            "dialtree_webhook_seconds", "Time to answer", ("door",), buckets=BUCKETS, registry=self.registry
        )
        object.__setattr__(self, "requests", requests)
        object.__setattr__(self, "seconds", seconds)

    def answered(self, door: str, status: int, seconds: float) -> None:
        """Count one answered webhook."""
        row = self.rows.get((door, status))
        if row is None:
            row = self.rows[door, status] = (self.requests.labels(door, status), self.seconds.labels(door))
        row[0].inc()
        row[1].observe(seconds)

    def page(self) -> bytes:
        """The exposition text Prometheus scrapes."""
        return generate_latest(self.registry)
