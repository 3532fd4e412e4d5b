"""Prometheus metrics of turns, screens, deliveries, circuit breakers and the outbox; no personal labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flows.domain.failures import Failure
from flows.domain.records import Notice, Parcel, Receipt, Settlement
from flows.engine.conversation import Conversations
from flows.engine.load_shedding import Crowd
from flows.engine.turn_event import Turn
from gateway.delivery.route import Lane
from gateway.observability.conversation_log import Journal
from gateway.observability.funnel import Count, Funnel
from gateway.observability.metrics import Timed
from storage.outbox.store import SqlOutbox

TURN = ("operator", "channel", "screen", "outcome")
SCREEN = ("operator", "channel", "screen")
OUTCOME = ("operator", "channel", "step", "outcome")
DELIVERY = ("operator", "route", "kind", "state")
BREAKER = ("operator", "route", "provider")
SCREEN_METRICS: Sequence[tuple[str, str, Callable[[Count], int]]] = (
    ("dialtree_screen_visits", "Conversations that reached the screen", lambda counts: counts.reached),
    ("dialtree_screen_abandonments", "Conversations abandoned on the screen", lambda counts: counts.left),
    ("dialtree_screen_failures", "Wrong answers and failed steps on the screen", lambda counts: counts.failed),
)
"""Counters of the funnel: name, help text, value."""


@dataclass(slots=True)
class Counting:
    """All metrics except those of webhooks; also feeds the funnel and the conversation log."""

    registry: CollectorRegistry = field(repr=False)
    lanes: Mapping[tuple[str, str], Lane] = field(repr=False)
    """Outbound routes by operator and route name (`sms`, `email`)."""
    funnel: Funnel = field(default_factory=Funnel, repr=False)
    journal: Journal = field(init=False, repr=False)
    turns: Timed = field(init=False, repr=False)
    outcomes: Counter = field(init=False, repr=False)
    deliveries: Counter = field(init=False, repr=False)
    receipts: Counter = field(init=False, repr=False)
    age: Gauge = field(init=False, repr=False)
    breakers: Gauge = field(init=False, repr=False)

    def __post_init__(self) -> None:
        registry = self.registry
        self.journal = Journal(self.funnel)
        self.turns = Timed("dialtree_turn", "Turns answered, by screen and outcome", TURN, by=2)
        self.outcomes = Counter(
            "dialtree_step_outcomes", "Outcomes of the actions menus run", OUTCOME, registry=registry
        )
        self.deliveries = Counter(
            "dialtree_delivery_attempts", "Delivery attempts recorded", DELIVERY, registry=registry
        )
        self.receipts = Counter(
            "dialtree_delivery_receipts", "Delivery receipts", ("provider", "state"), registry=registry
        )
        self.age = Gauge("dialtree_outbox_age_seconds", "Age of the oldest due message", registry=registry)
        self.breakers = Gauge(
            "dialtree_circuit_breaker_open", "1 while the provider is not used", BREAKER, registry=registry
        )
        registry.register(self.turns)
        registry.register(Screens(self.funnel))

    def saw(self, turn: Turn) -> None:
        """Count an answered turn and the outcomes of its steps."""
        self.turns.add((turn.operator, turn.channel, turn.origin, turn.said), turn.seconds)
        for step, outcome in turn.steps:
            self.outcomes.labels(turn.operator, turn.channel, step, outcome).inc()
        self.funnel.saw(turn)
        self.journal.saw(turn)

    def watch(self, conversations: Conversations) -> None:
        """Subscribe to the turns and ends of these conversations, and export their load."""
        self.registry.register(Crowded(conversations.crowd))
        conversations.watchers.append(self.saw)
        conversations.leavers.append(self.journal.gone)

    def show(self, conversations: Conversations) -> None:
        """Feed only the funnel from these conversations; another object counts and logs them."""
        conversations.watchers.append(self.funnel.saw)
        conversations.leavers.append(self.funnel.gone)

    def settled(self, parcel: Parcel, settlement: Settlement) -> None:
        """Count a recorded delivery attempt."""
        item = parcel.item
        route, kind = (item.route, item.kind) if isinstance(item, Notice) else ("deferred_step", item.step)
        self.deliveries.labels(item.operator, route, kind, settlement.state).inc()

    def reported(self, receipt: Receipt) -> None:
        """Count a delivery receipt."""
        self.receipts.labels(receipt.provider, receipt.state).inc()

    async def look(self, outbox: SqlOutbox, now: datetime) -> None:
        """Update the gauges that are measured on demand; an unreachable outbox keeps its last age."""
        for (operator, route), outbound_route in self.lanes.items():
            for route_provider in outbound_route.ways:
                provider = route_provider.breaker.name.rpartition("/")[2]
                self.breakers.labels(operator, route, provider).set(route_provider.breaker.probe_at is not None)
        try:
            self.age.set(await outbox.oldest(now))
        except Failure:
            return


@dataclass(eq=False, slots=True)
class Screens(Collector):
    """Exports the funnel as Prometheus counters."""

    funnel: Funnel

    def collect(self) -> Iterator[Metric]:
        """Yield three counters, each with one sample per screen."""
        rows = list(self.funnel.rows())
        for name, help_text, value_of in SCREEN_METRICS:
            family = CounterMetricFamily(name, help_text, labels=SCREEN)
            for screen, counts in rows:
                family.add_metric(screen, value_of(counts))
            yield family


@dataclass(eq=False, slots=True)
class Crowded(Collector):
    """Exports the load shedder's state."""

    crowd: Crowd
    """Counts and limits the concurrent turns of this process."""

    def collect(self) -> Iterator[Metric]:
        """Yield the turns in progress and the sessions shed."""
        yield GaugeMetricFamily("dialtree_turns_in_progress", "Concurrent turns", self.crowd.inside)
        yield CounterMetricFamily(
            "dialtree_sessions_shed", "New sessions refused by load shedding", self.crowd.turned_away
        )
