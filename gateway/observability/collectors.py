"""Counting: turns, screens, deliveries and the outbox's age for Prometheus; no label names a person."""

from collections.abc import Collection, Iterator, Mapping
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


@dataclass(slots=True)
class Counting:
    """Everything counted besides webhooks, in the gateway's own registry."""

    registry: CollectorRegistry = field(repr=False)
    lanes: Mapping[tuple[str, str], Lane] = field(repr=False)
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
        self.turns = Timed("dialtree_turn", "Turns by the screen answered", TURN, by=2)
        self.outcomes = Counter("dialtree_outcomes", "What steps came to", OUTCOME, registry=registry)
        self.deliveries = Counter("dialtree_deliveries", "Attempts settled", DELIVERY, registry=registry)
        self.receipts = Counter("dialtree_receipts", "Reports", ("provider", "state"), registry=registry)
        self.age = Gauge("dialtree_outbox_age_seconds", "Age of the oldest due row", registry=registry)
        self.breakers = Gauge("dialtree_breaker_open", "1: open", BREAKER, registry=registry)
        registry.register(self.turns)
        registry.register(Screens(self.funnel))

    def saw(self, turn: Turn) -> None:
        """A turn was answered."""
        self.turns.add((turn.operator, turn.channel, turn.origin, turn.said), turn.seconds)
        for step, outcome in turn.steps:
            self.outcomes.labels(turn.operator, turn.channel, step, outcome).inc()
        self.funnel.saw(turn)
        self.journal.saw(turn)

    def watch(self, conversations: Conversations) -> None:
        """Count what is said in these conversations, and how many are turned away."""
        self.registry.register(Crowded(conversations.crowd))
        conversations.watchers.append(self.saw)
        conversations.leavers.append(self.journal.gone)

    def show(self, conversations: Conversations) -> None:
        """Put these conversations into the funnel too: they are counted and written down elsewhere."""
        conversations.watchers.append(self.funnel.saw)
        conversations.leavers.append(self.funnel.gone)

    def settled(self, parcel: Parcel, settlement: Settlement) -> None:
        """An attempt to deliver was recorded."""
        item = parcel.item
        route, kind = (item.route, item.kind) if isinstance(item, Notice) else ("errand", item.step)
        self.deliveries.labels(item.operator, route, kind, settlement.state).inc()

    def reported(self, receipt: Receipt) -> None:
        """A provider said what became of a message."""
        self.receipts.labels(receipt.provider, receipt.state).inc()

    async def look(self, outbox: SqlOutbox, now: datetime) -> None:
        """Measure what is only known when asked for; an outbox out of reach keeps its last age."""
        for (operator, route), lane in self.lanes.items():
            for way in lane.ways:
                provider = way.breaker.name.rpartition("/")[2]
                self.breakers.labels(operator, route, provider).set(way.breaker.probe_at is not None)
        try:
            self.age.set(await outbox.oldest(now))
        except Failure:
            return


@dataclass(eq=False, slots=True)
class Screens(Collector):
    """The funnel as Prometheus reads it."""

    funnel: Funnel

    def collect(self) -> Iterator[Metric]:
        """Three families, a row for each screen."""
        rows = list(self.funnel.rows())
        for word in Count.__slots__:
            family = CounterMetricFamily(
                f"dialtree_screens_{word}", f"Conversations that {word}", labels=SCREEN
            )
            _fill(family, word, rows)
            yield family


@dataclass(eq=False, slots=True)
class Crowded(Collector):
    """The crowd as Prometheus reads it."""

    crowd: Crowd

    def collect(self) -> Iterator[Metric]:
        """How many turns are under way, and how many were turned away."""
        yield GaugeMetricFamily("dialtree_turns_under_way", "Turns under way", self.crowd.inside)
        yield CounterMetricFamily("dialtree_turned_away", "Conversations not begun", self.crowd.turned_away)


def _fill(family: CounterMetricFamily, word: str, rows: Collection[tuple[tuple[str, str, str], Count]]) -> None:
    for screen, count in rows:
        family.add_metric(screen, getattr(count, word))
