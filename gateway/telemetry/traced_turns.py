"""Traced turns: a span from the request to the committed reply, and that of its webhook."""

from dataclasses import dataclass, field
from types import TracebackType

from opentelemetry.context import Context

from flows.domain.trace_scope import CURRENT_SCOPE
from flows.engine.conversation import TurnEngine
from flows.engine.inbound import Inbound
from flows.engine.turn import Turn
from flows.engine.turn_event import TurnEvent
from gateway.http.client_address import Networks, in_networks, resolve_client_ip
from gateway.http.webhook_messages import WebhookAnswer, WebhookRequest
from gateway.http.webhooks import WebhookHandler
from gateway.telemetry.spans import TRACE_PARENT, OpenSpan, SpanFactory, parse_trace_parent


@dataclass(slots=True)
class TracedTurn(Turn):
    """A turn whose span ends with it."""

    span: OpenSpan = field(kw_only=True, repr=False)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the turn, then end the span."""
        try:
            await Turn.__aexit__(self, kind, error, trace)
        finally:
            self.span.__exit__(kind, error, trace)


@dataclass(frozen=True, slots=True)
class TracedTurnEngine(TurnEngine):
    """A turn engine that runs each turn in a span."""

    spans: SpanFactory = field(kw_only=True, repr=False)

    async def run_turn(self, inbound: Inbound) -> Turn:
        """Run the turn in a span, which ends when the turn is left."""
        values = {"operator": inbound.operator, "channel": inbound.channel, "provider": inbound.provider}
        span = self.spans.open_turn(values)
        span.__enter__()
        try:
            turn = await TurnEngine.run_turn(self, inbound)
        except BaseException as error:
            span.__exit__(type(error), error, error.__traceback__)
            raise
        return TracedTurn(turn.reply, turn.commit, turn.acknowledgement, turn.abandon, span=span)


def describe_turn(event: TurnEvent) -> None:
    """Set what is known of an answered turn on its span; a turn listener."""
    scope = CURRENT_SCOPE.get()
    if isinstance(scope, OpenSpan):
        scope.set_attributes(
            {
                "origin": event.origin_screen,
                "screen": event.screen,
                "outcome": event.answer_result,
                "language": event.language,
                "revision": event.revision,
                "subscriber": event.subscriber_hash,
            }
        )


@dataclass(frozen=True, slots=True)
class TracedWebhookHandler(WebhookHandler):
    """A webhook handler that answers each request in a span."""

    spans: SpanFactory = field(kw_only=True, repr=False)
    trusted_peers: Networks = field(kw_only=True, repr=False)
    """Networks whose `traceparent` is believed."""
    connections: frozenset[tuple[str, str]] = field(kw_only=True, repr=False)
    """Operators and providers there are: a path that names others gets no span."""

    async def answer_webhook(self, request: WebhookRequest) -> WebhookAnswer:
        """Answer in a span with the operator, the provider and the status."""
        if (request.operator, request.provider) not in self.connections:
            return await WebhookHandler.answer_webhook(self, request)
        values = {"operator": request.operator, "provider": request.provider}
        with self.spans.open_request("webhook", values, self._find_parent(request)) as span:
            answer = await WebhookHandler.answer_webhook(self, request)
            span.record_http_status(answer.status)
            return answer

    def _find_parent(self, request: WebhookRequest) -> Context:
        """Return the caller's trace context, if the caller is a trusted peer; an empty one otherwise."""
        written = request.headers.get(TRACE_PARENT)
        if written is None or not self.trusted_peers:
            return Context()
        address = resolve_client_ip(request, self.guard.trusted_proxies)
        if address is None or not in_networks(address, self.trusted_peers):
            return Context()
        return parse_trace_parent(written)
