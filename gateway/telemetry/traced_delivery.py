"""Traced deliveries: a trace each, from claim to recorded outcome, linked to the turn."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from flows.domain.failures import Failure
from flows.domain.records import ClaimedMessage, DeliveryOutcome, OutboundMessage
from flows.domain.trace_scope import CURRENT_SCOPE
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.route import RouteProvider, SendOutcome
from gateway.telemetry.spans import AttributeValues, OpenSpan, SpanFactory, link_to

OutcomeListener = Callable[[ClaimedMessage, DeliveryOutcome], None]
"""Called with every attempt once it is recorded."""


@dataclass(slots=True)
class TracedOutboxWorker(OutboxWorker):
    """An outbox worker that makes each delivery in a trace of its own."""

    spans: SpanFactory = field(kw_only=True, repr=False)

    async def deliver_group(self, group: Sequence[ClaimedMessage]) -> None:
        """Deliver one group in a span with links to the turns and runs its messages come from, each once."""
        parents = dict.fromkeys(message.item.trace_parent for message in group)
        links = [link for each in parents for link in link_to(each)]
        claimed_at = min(int(group[0].claimed_at.timestamp() * 1e9), time.time_ns())
        with self.spans.open_delivery(describe_delivery(group), links, claimed_at):
            await OutboxWorker.deliver_group(self, group)


def describe_delivery(group: Sequence[ClaimedMessage]) -> AttributeValues:
    """Return the attributes of a delivery: nothing of the recipient or the text."""
    item = group[0].item
    values: AttributeValues = {"operator": item.operator, "attempt": group[0].attempt, "messages": len(group)}
    if isinstance(item, OutboundMessage):
        return {**values, "route": item.route, "kind": item.kind, "language": item.language}
    return {**values, "kind": "deferred_step", "step": item.step}


def describe_outcomes(on_outcome: OutcomeListener) -> OutcomeListener:
    """Return a listener that sets the outcome on the span of the delivery, besides calling `on_outcome`."""
    return partial(_record_outcome, on_outcome)


def _record_outcome(on_outcome: OutcomeListener, message: ClaimedMessage, outcome: DeliveryOutcome) -> None:
    on_outcome(message, outcome)
    scope = CURRENT_SCOPE.get()
    if isinstance(scope, OpenSpan):
        values = {"state": outcome.state, "provider": outcome.provider}
        scope.set_attributes(values)
        scope.add_event("outcome", values)


@dataclass(slots=True)
class TracedRouteProvider(RouteProvider):
    """A provider of a route, each call to which is a span."""

    spans: SpanFactory = field(kw_only=True, repr=False)

    async def send(self, notices: Sequence[OutboundMessage]) -> list[SendOutcome]:
        """Make one call in a span with the classes of its failures."""
        operator, route, provider = self.breaker.name.split("/")
        names = {"operator": operator, "route": route, "provider": provider}
        with self.spans.open_call("provider.send", {**names, "messages": len(notices)}) as span:
            outcomes = await RouteProvider.send(self, notices)
            failures = [each for each in outcomes if isinstance(each, Failure)]
            for failure in failures:
                span.record_failure(failure)
            span.set_attributes({"outcome": "failed" if failures else "accepted"})
            return outcomes
