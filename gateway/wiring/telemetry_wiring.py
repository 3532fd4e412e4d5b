"""Telemetry wiring: metrics of the container's parts, and OpenTelemetry where it is set up."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from importlib import import_module, metadata
from typing import Protocol

from flows.domain.actions import OperatorPorts
from flows.domain.ports import SessionStore
from flows.engine.conversation import TurnEngine
from gateway.delivery.route import OutboundRoute
from gateway.observability.collectors import GatewayMetrics
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from gateway.telemetry.telemetry_port import NoTelemetry, Telemetry
from storage.credentials.passwords import SqlPasswords
from storage.sql.engine import Database

EXTRA = "otel"
"""Extra of the package that brings OpenTelemetry."""


def start_telemetry(settings: Settings, stack: AsyncExitStack) -> Telemetry:
    """Start the exports the settings ask for; SettingsError where the extra for them is not installed.

    The SDK is loaded only here: it takes 20 MB, and most installations have no collector.
    """
    if settings.telemetry is None:
        return NoTelemetry()
    try:
        sdk = import_module("gateway.telemetry.open_telemetry")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise SettingsError(
            f"telemetry.endpoint: needs the extra {EXTRA}; install it with `pip install 'dialtree[{EXTRA}]'`,"
            " or remove the table telemetry"
        ) from error
    telemetry: Telemetry = sdk.start_telemetry(settings.telemetry, metadata.version("dialtree"), stack)
    return telemetry


class WatchedParts(Protocol):
    """The parts of the container whose metrics are exported."""

    @property
    def database(self) -> Database:
        """The database with the outbox."""

    @property
    def now(self) -> Callable[[], datetime]:
        """Returns the current time, UTC."""

    @property
    def operators(self) -> Mapping[str, OperatorPorts]:
        """The ports of each operator."""

    @property
    def passwords(self) -> SqlPasswords:
        """The password checks, which are limited."""

    @property
    def sessions(self) -> SessionStore:
        """The session store, which may be this process's memory."""

    @property
    def telemetry(self) -> Telemetry:
        """What exports the metrics besides /metrics."""


def watch_parts(
    parts: WatchedParts,
    routes: Mapping[tuple[str, str], OutboundRoute],
    conversations: TurnEngine,
    metrics: GatewayMetrics,
) -> None:
    """Count what these parts do, and export the counts."""
    limits = {f"{route} {operator}": each.concurrency_limit for (operator, route), each in routes.items()}
    metrics.watch_limits({"passwords": parts.passwords.check_limit, **limits})
    metrics.watch_conversations(conversations)
    metrics.watch_sessions(parts.sessions)
    metrics.watch_clock(parts.now)
    for ports in parts.operators.values():
        ports.on_code_withheld = metrics.record_withheld_code
    parts.telemetry.export_metrics(
        metrics.registry, lambda: metrics.refresh_gauges(parts.database, parts.now())
    )
