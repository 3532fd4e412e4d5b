"""Prometheus metrics of turns, screens, deliveries, circuit breakers and outbox; no personal labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.failures import Failure
from flows.domain.ports import SessionStore
from flows.domain.records import ClaimedMessage, DeliveryOutcome, OutboundMessage, Receipt
from flows.engine.conversation import TurnEngine
from flows.engine.load_shedding import LoadShedder
from flows.engine.turn_event import TurnEvent
from gateway.clock import MonotonicClock
from gateway.delivery.route import OutboundRoute
from gateway.observability.conversation_log import ConversationLog
from gateway.observability.funnel import Funnel, ScreenCounts
from gateway.observability.host_clock import HostClockCollector
from gateway.observability.metrics import TimedCounter
from storage.outbox.backlog import read_backlog
from storage.sessions.fallback import FallbackSessions
from storage.sql.engine import Database

TURN_LABELS = ("operator", "channel", "screen", "outcome")
SCREEN_LABELS = ("operator", "channel", "screen")
STEP_LABELS = ("operator", "channel", "step", "outcome")
DELIVERY_LABELS = ("operator", "route", "kind", "state")
BREAKER_LABELS = ("operator", "route", "provider")
SCREEN_METRICS: Sequence[tuple[str, str, Callable[[ScreenCounts], int]]] = (
    ("dialtree_screen_visits", "Conversations that reached the screen", lambda counts: counts.visits),
    (
        "dialtree_screen_abandonments",
        "Conversations abandoned on the screen",
        lambda counts: counts.abandonments,
    ),
    (
        "dialtree_screen_failures",
        "Wrong answers and failed steps on the screen",
        lambda counts: counts.failures,
    ),
)
"""Counters of the funnel: name, help text, value."""


@dataclass(slots=True)
class GatewayMetrics:
    """All metrics except those of webhooks; also feeds the funnel and the conversation log."""

    registry: CollectorRegistry = field(repr=False)
    routes: Mapping[tuple[str, str], OutboundRoute] = field(repr=False)
    """Outbound routes by operator and route name (`sms`, `email`)."""
    funnel: Funnel = field(default_factory=Funnel, repr=False)
    conversation_log: ConversationLog = field(init=False, repr=False)
    turns: TimedCounter = field(init=False, repr=False)
    step_outcomes: Counter = field(init=False, repr=False)
    deliveries: Counter = field(init=False, repr=False)
    receipts: Counter = field(init=False, repr=False)
    outbox_age: Gauge = field(init=False, repr=False)
    outbox_rows: Gauge = field(init=False, repr=False)
    open_breakers: Gauge = field(init=False, repr=False)
    withheld_codes: Counter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        registry = self.registry
        self.conversation_log = ConversationLog(self.funnel)
        self.turns = TimedCounter(
            "dialtree_turn", "Turns answered, by screen and outcome", TURN_LABELS, histogram_label_count=2
        )
        self.step_outcomes = Counter(
            "dialtree_step_outcomes", "Outcomes of the actions menus run", STEP_LABELS, registry=registry
        )
        self.deliveries = Counter(
            "dialtree_delivery_attempts", "Delivery attempts recorded", DELIVERY_LABELS, registry=registry
        )
        self.receipts = Counter(
            "dialtree_delivery_receipts", "Delivery receipts", ("provider", "state"), registry=registry
        )
        self.outbox_age = Gauge(
            "dialtree_outbox_age_seconds",
            "Age of the oldest unfinished message since it was enqueued",
            registry=registry,
        )
        self.outbox_rows = Gauge(
            "dialtree_outbox_rows", "Rows by state, each counted up to 10,000", ("state",), registry=registry
        )
        self.open_breakers = Gauge(
            "dialtree_circuit_breaker_open",
            "1 while the provider is not used",
            BREAKER_LABELS,
            registry=registry,
        )
        self.withheld_codes = Counter(
            "dialtree_codes_withheld",
            "One-time codes not sent because the SIM or the owner of the number changed",
            ("operator", "reason"),
            registry=registry,
        )
        registry.register(self.turns)
        registry.register(ScreenCollector(self.funnel))

    def record_turn(self, turn: TurnEvent) -> None:
        """Count an answered turn and the outcomes of its steps."""
        self.turns.add_duration(
            (turn.operator, turn.channel, turn.origin_screen, turn.answer_result), turn.duration_seconds
        )
        for step, outcome in turn.steps:
            self.step_outcomes.labels(turn.operator, turn.channel, step, outcome).inc()
        self.funnel.record_turn(turn)
        self.conversation_log.record_turn(turn)

    def watch_limits(self, limits: Mapping[str, ConcurrencyLimit]) -> None:
        """Export the load of concurrency limits, by name."""
        self.registry.register(LimitCollector(limits))

    def watch_conversations(self, conversations: TurnEngine) -> None:
        """Subscribe to the turns and ends of these conversations, and export their load."""
        self.registry.register(LoadCollector(conversations.load_shedder))
        conversations.turn_listeners.append(self.record_turn)
        conversations.close_listeners.append(self.conversation_log.record_end)

    def watch_funnel_only(self, conversations: TurnEngine) -> None:
        """Feed only the funnel from these conversations; another object counts and logs them."""
        conversations.turn_listeners.append(self.funnel.record_turn)
        conversations.close_listeners.append(self.funnel.record_end)

    def record_delivery(self, message: ClaimedMessage, outcome: DeliveryOutcome) -> None:
        """Count a recorded delivery attempt."""
        item = message.item
        route, kind = (
            (item.route, item.kind) if isinstance(item, OutboundMessage) else ("deferred_step", item.step)
        )
        self.deliveries.labels(item.operator, route, kind, outcome.state).inc()

    def record_receipt(self, receipt: Receipt) -> None:
        """Count a delivery receipt."""
        self.receipts.labels(receipt.provider, receipt.state).inc()

    def record_withheld_code(self, operator: str, reason: str) -> None:
        """Count a one-time code that was not sent."""
        self.withheld_codes.labels(operator, reason).inc()

    def watch_sessions(self, sessions: SessionStore) -> None:
        """Export whether sessions are kept in this process's memory because Redis does not answer."""
        if isinstance(sessions, FallbackSessions):
            self.registry.register(SessionStoreCollector(sessions))

    def watch_clock(self, clock: Callable[[], datetime]) -> None:
        """Export how far the host's clock is from the database's, for a clock that the database sets."""
        if isinstance(clock, MonotonicClock):
            self.registry.register(HostClockCollector(clock))

    async def refresh_gauges(self, database: Database, now: datetime) -> None:
        """Update the gauges that are measured on demand; an unreachable outbox keeps its last age."""
        for (operator, route), outbound_route in self.routes.items():
            for route_provider in outbound_route.providers:
                provider = route_provider.breaker.name.rpartition("/")[2]
                self.open_breakers.labels(operator, route, provider).set(
                    route_provider.breaker.probe_at is not None
                )
        try:
            backlog = await read_backlog(database, now)
        except Failure:
            return
        self.outbox_age.set(backlog.age_seconds(now))
        for state, rows in backlog.counts.items():
            self.outbox_rows.labels(state).set(rows)


@dataclass(eq=False, slots=True)
class ScreenCollector(Collector):
    """Exports the funnel as Prometheus counters."""

    funnel: Funnel

    def collect(self) -> Iterator[Metric]:
        """Yield three counters, each with one sample per screen."""
        rows = list(self.funnel.all_counts())
        for name, help_text, value_of in SCREEN_METRICS:
            family = CounterMetricFamily(name, help_text, labels=SCREEN_LABELS)
            for screen, counts in rows:
                family.add_metric(screen, value_of(counts))
            yield family


@dataclass(eq=False, slots=True)
class LoadCollector(Collector):
    """Exports the load shedder's state."""

    load_shedder: LoadShedder
    """Counts and limits the concurrent turns of this process."""

    def collect(self) -> Iterator[Metric]:
        """Yield the turns in progress and the sessions shed."""
        yield GaugeMetricFamily(
            "dialtree_turns_in_progress", "Concurrent turns", self.load_shedder.active_turns
        )
        yield CounterMetricFamily(
            "dialtree_sessions_shed", "New sessions refused by load shedding", self.load_shedder.shed_count
        )


@dataclass(eq=False, slots=True)
class SessionStoreCollector(Collector):
    """Exports the state of the session store: Redis, or this process's memory in its place."""

    sessions: FallbackSessions

    def collect(self) -> Iterator[Metric]:
        """Yield whether Redis is given up for the moment, and the turns served without it."""
        yield GaugeMetricFamily(
            "dialtree_sessions_degraded",
            "1 while Redis does not answer and sessions are kept in this process's memory",
            self.sessions.is_degraded,
        )
        yield CounterMetricFamily(
            "dialtree_sessions_memory_turns",
            "Turns served from this process's memory because Redis did not answer",
            self.sessions.memory_turn_count,
        )


@dataclass(eq=False, slots=True)
class LimitCollector(Collector):
    """Exports the state of concurrency limits."""

    limits: Mapping[str, ConcurrencyLimit]

    def collect(self) -> Iterator[Metric]:
        """Yield the calls that run or wait under each limit, and the calls it shed."""
        in_use = GaugeMetricFamily(
            "dialtree_limit_calls", "Calls that run or wait under a concurrency limit", labels=("limit",)
        )
        shed = CounterMetricFamily(
            "dialtree_limit_shed", "Calls a concurrency limit refused", labels=("limit",)
        )
        for name, limit in self.limits.items():
            in_use.add_metric((name,), limit.in_use)
            shed.add_metric((name,), limit.shed_count)
        yield from (in_use, shed)
