"""OpenTelemetry: the telemetry port by its SDK, exported by OTLP over HTTP. Needs the extra `otel`."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field, fields
from threading import Thread
from typing import Any, TypeVar

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from flows.domain.actions import Action
from flows.engine.conversation import TurnEngine
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.http.client_address import parse_networks
from gateway.http.webhooks import WebhookHandler
from gateway.telemetry import traced_ports
from gateway.telemetry.metric_export import MetricExport
from gateway.telemetry.span_export import BoundedSpans, ExportCollector, ExportTally, build_sampler
from gateway.telemetry.spans import SpanFactory
from gateway.telemetry.telemetry_port import NoTelemetry, OperatorTable, RouteTable
from gateway.telemetry.traced_delivery import TracedOutboxWorker, TracedRouteProvider, describe_outcomes
from gateway.telemetry.traced_runs import open_run
from gateway.telemetry.traced_turns import TracedTurnEngine, TracedWebhookHandler, describe_turn
from gateway.telemetry_settings import TelemetrySettings

T = TypeVar("T")
CLOSE_SECONDS = 3.0
"""Time the last exports may take when the process stops."""


def start_telemetry(settings: TelemetrySettings, version: str, stack: AsyncExitStack) -> NoTelemetry:
    """Start the exports; at the end of the stack what waits is exported, for at most `CLOSE_SECONDS`."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we log and count failures ourselves
    identity = {"service.name": settings.service_name, "service.version": version}
    resource = Resource.create({**identity, "service.instance.id": uuid.uuid4().hex})
    if not settings.traces:
        return MetricTelemetry(settings, resource, stack)
    exporter = OTLPSpanExporter(**_export_options(settings, "traces"))
    bounded_spans = BoundedSpans(exporter, ExportTally("traces"), settings.queue_spans)
    provider = TracerProvider(build_sampler(settings.sample_ratio), resource, shutdown_on_exit=False)
    provider.add_span_processor(bounded_spans)
    stack.push_async_callback(close_in_time, provider.shutdown)
    spans = SpanFactory(provider.get_tracer("dialtree"))
    return TraceTelemetry(settings, resource, stack, bounded_spans, spans=spans)


async def close_in_time(close: Callable[[], None]) -> None:
    """Call a function that may block, waiting no longer than `CLOSE_SECONDS` for it."""
    closing = Thread(target=close, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, CLOSE_SECONDS)


def _export_options(settings: TelemetrySettings, path: str) -> dict[str, Any]:
    """Return the exporter's arguments for one kind of data."""
    return {
        "endpoint": f"{settings.endpoint.rstrip('/')}/v1/{path}",
        "headers": {name: value.get_secret_value() for name, value in settings.headers.items()},
        "certificate_file": settings.ca_file or None,
        "timeout": settings.timeout_seconds,
    }


@dataclass(frozen=True, slots=True)
class MetricTelemetry(NoTelemetry):
    """Exports metrics, and traces nothing."""

    settings: TelemetrySettings = field(repr=False)
    resource: Resource = field(repr=False)
    stack: AsyncExitStack = field(repr=False)
    """Closes what was started."""
    bounded_spans: BoundedSpans | None = field(default=None, repr=False)
    metric_tally: ExportTally = field(default_factory=lambda: ExportTally("metrics"))

    def export_metrics(self, registry: CollectorRegistry, refresh: Callable[[], Awaitable[None]]) -> None:
        """Export this registry from now on, and once more at the end of the stack."""
        registry.register(ExportCollector(self.metric_tally, self.bounded_spans))
        if not self.settings.metrics:
            return
        exporter = OTLPMetricExporter(**_export_options(self.settings, "metrics"))
        seconds = self.settings.metrics_seconds
        export = MetricExport(registry, refresh, exporter, self.resource, self.metric_tally, seconds)
        running = asyncio.create_task(export.run())
        self.stack.push_async_callback(_end_export, export, running)


@dataclass(frozen=True, slots=True)
class TraceTelemetry(MetricTelemetry):
    """Traces turns and deliveries, and exports metrics where the settings ask for it."""

    spans: SpanFactory = field(kw_only=True, repr=False)

    def trace_operators(self, operators: OperatorTable) -> OperatorTable:
        """Trace the calls to billing, payment providers and stores in these ports, and return the table."""
        for name, ports in operators.items():
            traced_ports.trace_ports(ports, name, self.spans)
        return operators

    def trace_actions(self, actions: Mapping[str, Action]) -> Mapping[str, Action]:
        """Return the actions, each run in a span."""
        return traced_ports.trace_actions(actions, self.spans)

    def trace_turns(self, engine: TurnEngine) -> TurnEngine:
        """Return a turn engine that runs each turn in a span, with spans around its session store."""
        engine.turn_listeners.append(describe_turn)
        values = field_values(engine)
        values["sessions"] = traced_ports.trace_port(engine.sessions, "sessions", self.spans, {})
        return TracedTurnEngine(**values, spans=self.spans)

    def trace_webhooks(self, handler: WebhookHandler) -> WebhookHandler:
        """Return a webhook handler that answers each request in a span."""
        return TracedWebhookHandler(
            **field_values(handler),
            spans=self.spans,
            trusted_peers=parse_networks(self.settings.trusted_peers),
            connections=frozenset(place[:2] for place in handler.guard.endpoints),
        )

    def trace_routes(self, routes: RouteTable) -> RouteTable:
        """Trace the calls to the providers of these routes, and return the table."""
        for route in routes.values():
            route.providers = tuple(
                TracedRouteProvider(**field_values(each), spans=self.spans) for each in route.providers
            )
        return routes

    def trace_worker(self, worker: OutboxWorker) -> OutboxWorker:
        """Return an outbox worker that makes each delivery in a trace of its own."""
        worker.on_outcome = describe_outcomes(worker.on_outcome)
        return TracedOutboxWorker(**field_values(worker), spans=self.spans)

    def trace_run(self, operator: str, kind: str) -> AbstractContextManager[None]:
        """Return the context of a bulk run: one span, and `sample_ratio` of its deliveries are traced."""
        return open_run(self.spans, operator, kind, self.settings.sample_ratio)


async def _end_export(export: MetricExport, running: "asyncio.Task[None]") -> None:
    """Stop the exports and make a last one, if it takes no longer than `CLOSE_SECONDS`."""
    running.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await export.export_once()
    await close_in_time(export.close)


def field_values(part: Any) -> dict[str, Any]:
    """Return the values of a dataclass by field, to build an object of a subclass from them."""
    return {each.name: getattr(part, each.name) for each in fields(part) if each.init}
