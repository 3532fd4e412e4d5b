"""Prometheus metrics of links: by operator, provider and slot."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.links.link_pool import LinkPool
from gateway.providers.contract import LinkReport

LINK_LABELS = ("operator", "provider", "slot")
GAUGES: Sequence[tuple[str, str, Callable[[LinkReport], float]]] = (
    ("dialtree_link_up", "1 while the link held here is bound", lambda each: each.state == "up"),
    (
        "dialtree_link_refused",
        "1 while the network rejects our name or password",
        lambda each: each.state == "refused",
    ),
    ("dialtree_link_window", "Requests sent and not answered yet", lambda each: each.window),
)
COUNTERS: Sequence[tuple[str, str, Callable[[LinkReport], int]]] = (
    ("dialtree_link_unanswered", "Requests the network never answered", lambda each: each.unanswered),
    ("dialtree_link_throttled", "Requests refused because they came too fast", lambda each: each.throttled),
    (
        "dialtree_link_turned_away",
        "Messages and new sessions refused because too many were in work",
        lambda each: each.turned_away,
    ),
)
AGE_NAME, AGE_HELP = "dialtree_link_last_pdu_age_seconds", "Time since the network was last heard of"


@dataclass(eq=False, slots=True)
class LinkCollector(Collector):
    """Exports the links this process holds; one that waits for a lease exports none."""

    pool: LinkPool
    monotonic: Callable[[], float] = field(default=time.monotonic)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with one sample per link."""
        reports = {
            (slot.operator, slot.provider, str(slot.number)): link.report()
            for slot, link in self.pool.links.items()
        }
        for name, help_text, value_of in GAUGES:
            gauge = GaugeMetricFamily(name, help_text, labels=LINK_LABELS)
            for labels, report in reports.items():
                gauge.add_metric(labels, float(value_of(report)))
            yield gauge
        for name, help_text, count_of in COUNTERS:
            counter = CounterMetricFamily(name, help_text, labels=LINK_LABELS)
            for labels, report in reports.items():
                counter.add_metric(labels, count_of(report))
            yield counter
        age = GaugeMetricFamily(AGE_NAME, AGE_HELP, labels=LINK_LABELS)
        for labels, report in reports.items():
            if report.last_heard_at:
                age.add_metric(labels, self.monotonic() - report.last_heard_at)
        yield age
