"""Composition root: builds the application container from settings."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.ports import Billing, SessionStore
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import DeferredStep, OutboundMessage, Secret
from flows.engine import deferred_steps
from flows.engine.conversation import TurnEngine
from flows.engine.deadlines import TimeBudgets
from flows.engine.flood_guard import FloodGuard
from flows.engine.load_shedding import LoadShedder
from flows.engine.menu_versions import MenuVersions
from flows.engine.subscriber_cache import SubscriberCache
from flows.services.bill_notices import BillAnnouncer
from gateway.clock import MonotonicClock
from gateway.delivery.maintenance import MaintenanceLoop
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.recording_sender import RecordingSender
from gateway.http.bss_events import BillEventHandler
from gateway.http.guard import Guard
from gateway.http.webhooks import WebhookHandler
from gateway.observability.collectors import GatewayMetrics
from gateway.observability.metrics import MetricsRegistry
from gateway.publishing import pack_compiler
from gateway.settings import Settings, SettingsError
from gateway.wiring import connections as inbound
from gateway.wiring import database_start, senders
from menus.machine.menu import Menu
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.audit.write_behind import WriteBehind
from storage.billing import backend as billing
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.credentials.passwords import SqlPasswords
from storage.crypto import derive_key
from storage.ledger.sql_ledger import SqlLedger
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.sql_outbox import SqlOutbox
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database


@dataclass(frozen=True, slots=True)
class Overrides:
    """Replaceable sources of time, randomness and session storage, for sandboxes and tests."""

    now: Callable[[], datetime] = field(default_factory=MonotonicClock)
    random_digits: Callable[[int], str] = lambda count: f"{secrets.randbelow(10**count):0{count}}"
    random_token: Callable[[], str] = lambda: secrets.token_urlsafe(16)
    sessions: SessionStore | None = None
    """Session store to use instead of the one the settings name."""
    time_budgets: TimeBudgets = field(default_factory=TimeBudgets)
    passwords: Callable[[Database], SqlPasswords] = SqlPasswords


@dataclass(frozen=True, slots=True)
class Container:
    """Application container: all long-lived objects of one process."""

    settings: Settings
    database: Database = field(repr=False)
    conversations: TurnEngine = field(repr=False)
    webhooks: WebhookHandler = field(repr=False)
    outbox: SqlOutbox = field(repr=False)
    outbox_worker: OutboxWorker = field(repr=False)
    recorder: RecordingSender = field(repr=False)
    passwords: SqlPasswords = field(repr=False)
    bill_events: BillEventHandler = field(repr=False)
    bulk_outbox: SqlBulkOutbox = field(repr=False)
    write_behind: WriteBehind = field(repr=False)
    audit: SqlAuditChain = field(repr=False)
    privacy: SqlPrivacy = field(repr=False)
    metrics: GatewayMetrics = field(repr=False)

    @property
    def maintenance(self) -> MaintenanceLoop:
        """Return the maintenance job that runs beside delivery: audit chaining and retention."""
        return MaintenanceLoop(self.database, self.audit, self.webhooks.now)


@asynccontextmanager
async def build_container(
    settings: Settings,
    root: Path = pack_compiler.OPERATORS,
    overrides: Overrides | None = None,
    load: Callable[[Path], Menu] = pack_compiler.compile_pack,
) -> AsyncIterator[Container]:
    """Build the container from settings and close everything at the end of the block.

    `load` compiles a pack's folder. Raises SettingsError, PackError, ForeignDatabaseError when the demo is
    given a database that it did not create, or Unavailable when the database does
    not answer within STARTUP_WAIT_SECONDS.
    """
    overrides = overrides or Overrides()
    async with AsyncExitStack() as stack:
        database = await database_start.open_database(settings, overrides.now, stack)
        menu_versions = MenuVersions()
        for name in settings.operators:
            menu_versions.publish(load(pack_compiler.find_pack(name, settings.packs, root)))
        yield await _assemble(settings, menu_versions, overrides, database, stack)


async def _assemble(
    settings: Settings,
    menu_versions: MenuVersions,
    overrides: Overrides,
    database: Database,
    stack: AsyncExitStack,
) -> Container:
    secret = Secret(settings.secret_key.get_secret_value())
    passwords = overrides.passwords(database)
    stack.callback(passwords.close)
    write_behind = WriteBehind(database, AuditWriter(secret))
    stack.push_async_callback(write_behind.close)
    conversations = await _build_conversations(
        settings, menu_versions, overrides, write_behind, passwords, stack
    )
    people = conversations.subscriber_caches
    outbox, recorder = SqlOutbox(database, secret), RecordingSender()
    connections = inbound.build_connections(settings, menu_versions)
    wrap_sender = senders.build_spend_limiter(settings, menu_versions, database, overrides.now)
    routes = await senders.build_routes(settings, connections, recorder, overrides.now, stack, wrap_sender)
    metrics_registry = MetricsRegistry()
    metrics = GatewayMetrics(metrics_registry.registry, routes)
    metrics.watch_conversations(conversations)
    run_deferred, record_opt_out = _deferred_step_runner(conversations), _opt_out_recorder(people)
    outbox_worker = OutboxWorker(
        outbox, routes, run_deferred, overrides.now, record_opt_out, metrics.record_delivery
    )
    tallies = conversations.flood_guard.counters
    guard = inbound.build_guard(settings, connections, tallies)
    webhooks = WebhookHandler(
        guard, conversations, outbox, overrides.now, metrics_registry, metrics.record_receipt
    )
    return Container(
        settings=settings,
        database=database,
        conversations=conversations,
        webhooks=webhooks,
        outbox=outbox,
        outbox_worker=outbox_worker,
        recorder=recorder,
        passwords=passwords,
        bill_events=_build_bill_events(settings, guard, conversations, overrides),
        bulk_outbox=SqlBulkOutbox(database, secret),
        write_behind=write_behind,
        audit=SqlAuditChain(database, write_behind.audit_writer),
        privacy=SqlPrivacy(database, secret),
        metrics=metrics,
    )


async def _build_conversations(
    settings: Settings,
    menu_versions: MenuVersions,
    overrides: Overrides,
    write_behind: WriteBehind,
    passwords: SqlPasswords,
    stack: AsyncExitStack,
) -> TurnEngine:
    secret = Secret(settings.secret_key.get_secret_value())
    people, keys = {}, Pseudonyms(derive_key(secret, "conversations"))
    for name in settings.operators:
        ports = _build_ports(settings, menu_versions.current_menu(name), write_behind, passwords, overrides)
        stack.push_async_callback(_close_backend, ports.billing)
        people[name] = SubscriberCache(ports, keys, overrides.time_budgets)
    sessions, tallies = await inbound.open_session_stores(settings, overrides.now, stack)
    flood_guard, load_shedder = FloodGuard(tallies), LoadShedder(settings.turns_at_once)
    return TurnEngine(
        menu_versions,
        overrides.sessions or sessions,
        people,
        pack_compiler.load_actions(),
        keys,
        flood_guard,
        load_shedder,
    )


def _build_bill_events(
    settings: Settings, guard: Guard, conversations: TurnEngine, overrides: Overrides
) -> BillEventHandler:
    """Build the endpoint of bill events; its announcers also serve `dialtree notify`."""
    tokens = {name: str(section.bss.get("hub_token", "")) for name, section in settings.operators.items()}

    def announcer(operator: str) -> BillAnnouncer:
        return BillAnnouncer(conversations.menu_versions.current_menu(operator), conversations.pseudonyms)

    return BillEventHandler(
        guard,
        conversations.subscriber_caches,
        announcer,
        {name: (token.encode(),) for name, token in tokens.items() if token},
        overrides.now,
    )


def _build_ports(
    settings: Settings, menu: Menu, write_behind: WriteBehind, passwords: SqlPasswords, overrides: Overrides
) -> OperatorPorts:
    database = write_behind.database
    secret = Secret(settings.secret_key.get_secret_value())
    zone = ZoneInfo(menu.config.time_zone)

    def today() -> date:
        return overrides.now().astimezone(zone).date()

    return OperatorPorts(
        billing=_connect_billing(
            settings,
            billing.BackendContext(menu.name, database, today, zone, settings.operators[menu.name].bss),
        ),
        ledger=SqlLedger(database, secret, write_behind),
        codes=SqlOneTimeCodes(database, secret),
        passwords=passwords,
        now=overrides.now,
        today=today,
        random_digits=overrides.random_digits,
        random_token=overrides.random_token,
        links_url=f"{settings.public_url}/{menu.name}",
    )


async def _close_backend(backend: Billing) -> None:
    """Close a billing backend that holds connections; others have nothing to close."""
    if isinstance(backend, billing.RemoteBilling):
        await backend.close()


def _connect_billing(settings: Settings, site: billing.BackendContext) -> Billing:
    """Connect the operator's billing backend; SettingsError names the setting it cannot use."""
    try:
        return billing.connect_backend(settings.operators[site.operator].billing, site)
    except ValueError as error:
        raise SettingsError(f"operators.{site.operator}.{error}") from error


def _opt_out_recorder(
    people: Mapping[str, SubscriberCache],
) -> Callable[[OutboundMessage, datetime], Awaitable[None]]:
    """Return a callback that records an opt-out which a provider reports for a recipient."""

    async def record_opt_out(notice: OutboundMessage, now: datetime) -> None:
        await people[notice.operator].ports.ledger.set_opt_out(notice.operator, notice.to, out=True, now=now)

    return record_opt_out


def _deferred_step_runner(conversations: TurnEngine) -> Callable[[DeferredStep], Awaitable[None]]:
    def run_deferred(errand: DeferredStep) -> Awaitable[None]:
        people = conversations.subscriber_caches[errand.operator]
        return deferred_steps.run_deferred_step(
            errand, conversations.menu_versions, people, conversations.actions
        )

    return run_deferred
