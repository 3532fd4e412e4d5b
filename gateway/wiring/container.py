"""Composition root: builds the application container from settings."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flows.domain.actions import Action, OperatorPorts
from flows.domain.failures import OptedOut, Rejected, TooLarge
from flows.domain.ports import Counters, SessionStore
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import OutboundMessage, Secret
from flows.engine.conversation import TurnEngine
from flows.engine.flood_guard import FloodGuard
from flows.engine.load_shedding import LoadShedder
from flows.engine.menu_turn import MenuTurns
from flows.engine.menu_versions import MenuVersions
from flows.engine.subscriber_cache import SubscriberCache
from flows.services.bill_notices import BillAnnouncer
from gateway.delivery.mail.bill_mailer import BillMailer, BillMailSender
from gateway.delivery.mail.bounce_recorder import BounceRecorder
from gateway.delivery.mail.bounce_report import BounceMailbox
from gateway.delivery.maintenance import MaintenanceLoop
from gateway.delivery.outbox_worker import OutboxWorker
from gateway.delivery.quiet_gate import QuietGate
from gateway.delivery.recording_sender import RecordingSender
from gateway.delivery.route import OutboundRoute
from gateway.http.bounce_events import BounceHandler
from gateway.http.bss_events import BillEventHandler
from gateway.http.guard import Guard
from gateway.http.webhooks import WebhookHandler
from gateway.links.link_pool import LinkPool
from gateway.links.link_runner import LinkRunner
from gateway.observability.collectors import GatewayMetrics
from gateway.observability.metrics import MetricsRegistry
from gateway.providers.contract import Connection
from gateway.publishing import pack_compiler
from gateway.publishing.revision_follower import RevisionFollower
from gateway.settings import Settings
from gateway.telemetry.telemetry_port import Telemetry
from gateway.wiring import connections as inbound
from gateway.wiring import (
    database_start,
    event_endpoints,
    link_wiring,
    revision_wiring,
    senders,
    telemetry_wiring,
)
from gateway.wiring.deferred_work import BOOKING_STEPS, DeferredWork, build_sink_notifier
from gateway.wiring.operators import OperatorWiring, Overrides
from gateway.wiring.turn_history import count_trials, watch_turns
from menus.machine.menu import Menu
from storage.audit.conversation_writer import ConversationWriter, build_conversation_writer
from storage.audit.trail import AuditWriter, SqlAuditChain
from storage.audit.write_behind import WriteBehind
from storage.credentials.passwords import SqlPasswords
from storage.crypto import derive_key
from storage.ledger.ticket_store import SqlTickets
from storage.outbox.bulk_enqueue import SqlBulkOutbox
from storage.outbox.lane_pauses import SqlLanePauses
from storage.outbox.sql_outbox import SqlOutbox
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database


@dataclass(frozen=True, slots=True)
class Container:
    """Application container: all long-lived objects of one process, each a field of its own."""

    settings: Settings
    clock: Callable[[], datetime]
    """Returns the current time, UTC."""
    database: Database = field(repr=False)
    menu_versions: MenuVersions = field(repr=False)
    revision_follower: RevisionFollower = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)
    operators: dict[str, OperatorPorts] = field(repr=False)
    """The ports of each operator, by its name."""
    subscriber_caches: Mapping[str, SubscriberCache] = field(repr=False)
    sessions: SessionStore = field(repr=False)
    counters: Counters = field(repr=False)
    conversations: TurnEngine = field(repr=False)
    guard: Guard = field(repr=False)
    webhooks: WebhookHandler = field(repr=False)
    outbox: SqlOutbox = field(repr=False)
    outbox_worker: OutboxWorker = field(repr=False)
    links: LinkRunner = field(repr=False)
    """Holds connections to networks while it runs: in the roles that do."""
    recorder: RecordingSender = field(repr=False)
    passwords: SqlPasswords = field(repr=False)
    announcer_for: Callable[[str], BillAnnouncer] = field(repr=False)
    """Returns an operator's bill announcer, built on its current menu."""
    bill_events: BillEventHandler = field(repr=False)
    bounces: BounceHandler = field(repr=False)
    bulk_outbox: SqlBulkOutbox = field(repr=False)
    write_behind: WriteBehind = field(repr=False)
    audit: SqlAuditChain = field(repr=False)
    privacy: SqlPrivacy = field(repr=False)
    tickets: SqlTickets = field(repr=False)
    lane_pauses: SqlLanePauses = field(repr=False)
    metrics: GatewayMetrics = field(repr=False)
    metrics_registry: MetricsRegistry = field(repr=False)
    telemetry: Telemetry = field(repr=False)

    @property
    def maintenance(self) -> MaintenanceLoop:
        """The maintenance job that runs beside delivery: audit chaining, bounces, retention."""
        folders = {each.routes.bounces for each in self.settings.operators.values()} - {""}
        mailboxes = [BounceMailbox(Path(each), self.bounces.recorder.record_bounce) for each in sorted(folders)]
        return MaintenanceLoop(self.database, self.audit, self.clock, mailboxes)


@asynccontextmanager
async def build_container(
    settings: Settings,
    root: Path = pack_compiler.OPERATORS,
    overrides: Overrides | None = None,
    load: Callable[[Path], Menu] = pack_compiler.compile_pack,
) -> AsyncIterator[Container]:
    """Build the container from settings and close everything at the end of the block.

    `load` compiles a pack's folder. Raises SettingsError, PackError, Unavailable where no database answers.
    """
    overrides = overrides or Overrides()
    async with AsyncExitStack() as stack:
        telemetry = telemetry_wiring.start_telemetry(settings, stack)
        database = await database_start.open_database(settings, overrides.now, stack)
        follower = await revision_wiring.start_follower(settings, database, root, load, overrides.now)
        core = await _build_core(settings, follower, overrides, database, stack, telemetry)
        yield await _assemble(core, stack)


@dataclass(frozen=True, slots=True)
class _Core:
    """What every other part of the container is built on."""

    settings: Settings
    secret: Secret
    now: Callable[[], datetime]
    database: Database
    revision_follower: RevisionFollower
    menu_versions: MenuVersions
    pseudonyms: Pseudonyms
    passwords: SqlPasswords
    write_behind: WriteBehind
    conversation_writer: ConversationWriter
    operators: dict[str, OperatorPorts]
    subscriber_caches: Mapping[str, SubscriberCache]
    actions: Mapping[str, Action]
    sessions: SessionStore
    counters: Counters
    outbox: SqlOutbox
    telemetry: Telemetry

    @property
    def bill_mailer(self) -> BillMailer:
        return BillMailer(self.operators, self.now)

    def announcer_for(self, operator: str) -> BillAnnouncer:
        return BillAnnouncer(self.menu_versions.current_menu(operator), self.pseudonyms)

    @property
    def bounce_recorder(self) -> BounceRecorder:
        return BounceRecorder(self.outbox, self.operators, self.menu_versions.current_menu)

    async def record_refusal(self, notice: OutboundMessage, failure: Rejected, now: datetime) -> None:
        """Record an opt-out a provider reports for a recipient, or an address a relay refuses."""
        if isinstance(failure, OptedOut):
            ledger = self.operators[notice.operator].ledger
            await ledger.set_opt_out(notice.operator, notice.to, out=True, now=now)
        elif notice.route == "email" and not isinstance(failure, TooLarge):
            await self.bounce_recorder.record_refusal(notice, now)


async def _build_core(
    settings: Settings,
    follower: RevisionFollower,
    overrides: Overrides,
    database: Database,
    stack: AsyncExitStack,
    telemetry: Telemetry,
) -> _Core:
    secret = Secret(settings.secret_key.get_secret_value())
    passwords = overrides.passwords(database, secret)
    stack.callback(passwords.close)
    write_behind = WriteBehind(database, AuditWriter(secret))
    stack.push_async_callback(write_behind.close)
    wiring = OperatorWiring(settings, follower.menu_versions, overrides, write_behind, passwords)
    operators = telemetry.trace_operators(wiring.build_all(stack))
    pseudonyms = Pseudonyms(derive_key(secret, "conversations"))
    sessions, counters = await inbound.open_session_stores(settings, overrides.now, stack)
    return _Core(
        settings=settings,
        secret=secret,
        now=overrides.now,
        database=database,
        revision_follower=follower,
        menu_versions=follower.menu_versions,
        pseudonyms=pseudonyms,
        passwords=passwords,
        write_behind=write_behind,
        conversation_writer=build_conversation_writer(write_behind, secret),
        operators=operators,
        subscriber_caches={
            name: SubscriberCache(name, ports, pseudonyms, overrides.time_budgets)
            for name, ports in operators.items()
        },
        actions=telemetry.trace_actions(pack_compiler.load_actions()),
        sessions=overrides.sessions or sessions,
        counters=counters,
        outbox=SqlOutbox(database, secret),
        telemetry=telemetry,
    )


async def _assemble(core: _Core, stack: AsyncExitStack) -> Container:
    connections = inbound.build_connections(core.settings, core.menu_versions)
    recorder, metrics_registry, conversations = RecordingSender(), MetricsRegistry(), _build_conversations(core)
    pool = link_wiring.build_link_pool(core.settings, metrics_registry.registry)
    routes = await _build_routes(core, connections, recorder, stack, pool)
    metrics = GatewayMetrics(metrics_registry.registry, routes)
    guard = inbound.build_guard(core.settings, connections, core.counters)
    telemetry_wiring.watch_parts(core, routes, conversations, metrics)
    return Container(
        settings=core.settings,
        clock=core.now,
        database=core.database,
        menu_versions=core.menu_versions,
        revision_follower=core.revision_follower,
        pseudonyms=core.pseudonyms,
        operators=core.operators,
        subscriber_caches=core.subscriber_caches,
        sessions=core.sessions,
        counters=core.counters,
        conversations=conversations,
        guard=guard,
        webhooks=_build_webhooks(core, guard, conversations, metrics_registry, metrics),
        outbox=core.outbox,
        outbox_worker=_build_outbox_worker(core, routes, metrics, pool),
        links=link_wiring.build_link_runner(connections, pool, conversations, core, metrics),
        recorder=recorder,
        passwords=core.passwords,
        announcer_for=core.announcer_for,
        bill_events=event_endpoints.build_bill_events(core, guard),
        bounces=event_endpoints.build_bounces(core, guard),
        bulk_outbox=SqlBulkOutbox(core.database, core.secret),
        write_behind=core.write_behind,
        audit=SqlAuditChain(core.database, core.write_behind.audit_writer),
        privacy=SqlPrivacy(core.database, core.secret),
        tickets=SqlTickets(core.database),
        lane_pauses=SqlLanePauses(core.database, core.secret),
        metrics=metrics,
        metrics_registry=metrics_registry,
        telemetry=core.telemetry,
    )


def _build_conversations(core: _Core) -> TurnEngine:
    menu_turns = MenuTurns(
        core.menu_versions, core.operators, core.subscriber_caches, core.actions, core.pseudonyms
    )
    guard, load_shedder = FloodGuard(core.counters), LoadShedder(core.settings.turns_at_once)
    engine = watch_turns(TurnEngine(menu_turns, core.sessions, guard, load_shedder), core.conversation_writer)
    return core.telemetry.trace_turns(count_trials(engine, core.write_behind))


def _build_webhooks(
    core: _Core, guard: Guard, conversations: TurnEngine, registry: MetricsRegistry, metrics: GatewayMetrics
) -> WebhookHandler:
    parts = (guard, conversations, core.outbox, core.now, core.operators, registry, metrics.record_receipt)
    return core.telemetry.trace_webhooks(WebhookHandler(*parts))


async def _build_routes(
    core: _Core,
    connections: Mapping[tuple[str, str], Connection],
    recorder: RecordingSender,
    stack: AsyncExitStack,
    pool: LinkPool,
) -> dict[tuple[str, str], OutboundRoute]:
    wrappers: dict[str, senders.SenderWrapper] = {
        "sms": senders.build_spend_limiter(core.settings, core.menu_versions, core.database, core.now),
        "email": lambda _operator, sender: BillMailSender(sender, core.bill_mailer),
    }
    gate = QuietGate(core.menu_versions, core.now)
    parts = (core.settings, connections, recorder, core.now, stack, wrappers, pool, gate)
    return core.telemetry.trace_routes(await senders.build_routes(*parts))


def _build_outbox_worker(
    core: _Core, routes: Mapping[tuple[str, str], OutboundRoute], metrics: GatewayMetrics, pool: LinkPool
) -> OutboxWorker:
    sinks, caches = build_sink_notifier(core.settings, core.now), core.subscriber_caches
    run_step = DeferredWork(core.menu_versions, core.operators, caches, core.actions, sinks).run_step
    parts = (core.outbox, routes, run_step, core.now, core.record_refusal, metrics.record_delivery)
    worker = OutboxWorker(*parts, core.bill_mailer.complete_mail, pool.choose_lanes, BOOKING_STEPS)
    return core.telemetry.trace_worker(worker)
