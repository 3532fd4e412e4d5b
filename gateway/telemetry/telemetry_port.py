"""Telemetry port: what the composition root asks of tracing, and an implementation without."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from flows.domain.actions import Action, OperatorPorts
from flows.engine.conversation import TurnEngine
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.route import OutboundRoute
from gateway.http.webhooks import WebhookHandler

OperatorTable = dict[str, OperatorPorts]
"""The ports of each operator, by its name."""
RouteTable = dict[tuple[str, str], OutboundRoute]
"""Outbound routes, by operator and route."""


class Telemetry(Protocol):
    """Puts spans around the parts of a container while it is built."""

    def trace_operators(self, operators: OperatorTable) -> OperatorTable:
        """Trace the calls to billing, payment providers and stores in these ports, and return the table."""

    def trace_actions(self, actions: Mapping[str, Action]) -> Mapping[str, Action]:
        """Return the actions, each run in a span."""

    def trace_turns(self, engine: TurnEngine) -> TurnEngine:
        """Return a turn engine that runs each turn in a span."""

    def trace_webhooks(self, handler: WebhookHandler) -> WebhookHandler:
        """Return a webhook handler that answers each request in a span."""

    def trace_routes(self, routes: RouteTable) -> RouteTable:
        """Trace the calls to the providers of these routes, and return the table."""

    def trace_worker(self, worker: OutboxWorker) -> OutboxWorker:
        """Return an outbox worker that makes each delivery in a trace of its own."""

    def trace_run(self, operator: str, kind: str) -> AbstractContextManager[None]:
        """Return the context of a bulk run of this kind: messages made in it link to one span."""

    def export_metrics(self, registry: CollectorRegistry, refresh: Callable[[], Awaitable[None]]) -> None:
        """Export this registry from now on; `refresh` updates the gauges that are measured on demand."""


@dataclass(frozen=True, slots=True)
class NoTelemetry:
    """Traces and exports nothing: every part stays as it is."""

    def trace_operators(self, operators: OperatorTable) -> OperatorTable:
        """Return the table as it is."""
        return operators

    def trace_actions(self, actions: Mapping[str, Action]) -> Mapping[str, Action]:
        """Return the actions as they are."""
        return actions

    def trace_turns(self, engine: TurnEngine) -> TurnEngine:
        """Return the engine as it is."""
        return engine

    def trace_webhooks(self, handler: WebhookHandler) -> WebhookHandler:
        """Return the handler as it is."""
        return handler

    def trace_routes(self, routes: RouteTable) -> RouteTable:
        """Return the table as it is."""
        return routes

    def trace_worker(self, worker: OutboxWorker) -> OutboxWorker:
        """Return the worker as it is."""
        return worker

    def trace_run(self, operator: str, kind: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()

    def export_metrics(self, registry: CollectorRegistry, refresh: Callable[[], Awaitable[None]]) -> None:
        """Export nothing."""
