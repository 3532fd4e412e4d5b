"""Link wiring: the slots of all connections with a link, and the runner that holds them."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry

from flows.domain.actions import OperatorPorts
from flows.engine.conversation import TurnEngine
from gateway.links.event_intake import EventIntake, IntakePorts
from gateway.links.link_metrics import LinkCollector
from gateway.links.link_pool import LinkPool
from gateway.links.link_runner import LinkRunner
from gateway.links.slot_owner import SlotOwner
from gateway.observability.collectors import GatewayMetrics
from gateway.providers.contract import Connection, Link
from gateway.providers.registry import link_providers
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from storage.links.message_doubts import SqlMessageDoubts
from storage.links.slot_leases import LinkSlot, SqlSlotLeases
from storage.outbox.sql_outbox import SqlOutbox
from storage.sql.engine import Database


class LinkParts(Protocol):
    """What links are built on; the container's core has it."""

    @property
    def outbox(self) -> SqlOutbox:
        """Where receipts go."""

    @property
    def operators(self) -> dict[str, OperatorPorts]:
        """The ports of each operator."""

    @property
    def database(self) -> Database:
        """Where slots are leased."""

    @property
    def now(self) -> Callable[[], datetime]:
        """Returns the current time, UTC."""


def build_link_pool(settings: Settings, registry: CollectorRegistry) -> LinkPool:
    """Return the empty pool, which knows what is sent by links and what by links alone; exported as metrics."""
    names = link_providers().keys()
    lanes = {
        (operator, "sms"): names >= set(section.routes.sms)
        for operator, section in settings.operators.items()
        if names & set(section.routes.sms)
    }
    pool = LinkPool(lanes)
    registry.register(LinkCollector(pool))
    return pool


def build_link_runner(
    connections: Mapping[tuple[str, str], Connection],
    pool: LinkPool,
    conversations: TurnEngine,
    parts: LinkParts,
    metrics: GatewayMetrics,
) -> LinkRunner:
    """Return the runner of every slot the settings name; nothing is connected before it runs."""
    require_own_names(connections)
    stop = asyncio.Event()
    leases = SqlSlotLeases(parts.database, secrets.token_hex(8), parts.now)
    doubts = SqlMessageDoubts(parts.database, parts.now, lambda: secrets.token_hex(12))
    ports = IntakePorts(conversations, parts.outbox, parts.operators, doubts, parts.now, metrics.record_receipt)
    owners = [SlotOwner(slot, leases, open_link, pool, stop) for slot, open_link in _slots(connections, ports)]
    return LinkRunner(owners, pool, stop)


def require_own_names(connections: Mapping[tuple[str, str], Connection]) -> None:
    """Raise SettingsError when two operators' links have one name at one network, which serves only one."""
    providers, owners = link_providers(), dict[str, str]()
    for (operator, name), connection in connections.items():
        name_of = getattr(providers.get(name), "network_name", None)
        if name_of and owners.setdefault(name_of(connection), operator) != operator:
            owner = owners[name_of(connection)]
            raise SettingsError(
                f"operators.{operator}.{name}.name: is that of {owner}; each link needs its own"
            )


def _slots(
    connections: Mapping[tuple[str, str], Connection], ports: IntakePorts
) -> Iterator[tuple[LinkSlot, Callable[[], Link]]]:
    providers = link_providers()
    for (operator, name), connection in connections.items():
        if name in providers:
            for number in range(connection.settings.binds):
                intake = EventIntake(ports, operator, name, number)
                open_link = partial(providers[name].connect_link, connection, intake)
                yield LinkSlot(operator, name, number), open_link
