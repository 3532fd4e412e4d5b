"""Composition root: builds the application container from settings."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flows.domain.actions import World
from flows.domain.failures import Failure, Unavailable
from flows.domain.ports import Billing, Sessions
from flows.domain.pseudonyms import Keys
from flows.domain.records import Errand, Notice, Secret
from flows.engine import deferred_steps
from flows.engine.conversation import Conversations
from flows.engine.deadlines import Patience
from flows.engine.flood_guard import Manners
from flows.engine.load_shedding import Crowd
from flows.engine.menu_versions import Shelf
from flows.engine.subscriber_cache import People
from flows.services.bill_notices import Announcer
from gateway.clock import Steady
from gateway.delivery.maintenance import Upkeep
from gateway.delivery.recording_sender import Recorder
from gateway.delivery.worker import Delivery
from gateway.http.bss_events import Listener
from gateway.http.guard import Guard
from gateway.http.webhooks import Hooks
from gateway.observability.collectors import Counting
from gateway.observability.metrics import Metrics
from gateway.publishing import pack_compiler
from gateway.settings import Settings, SettingsError
from gateway.wiring import inbound, outbound
from menus.machine.menu import Menu
from storage.audit.trail import Auditor, SqlAudit
from storage.audit.write_behind import Notebook
from storage.billing import backend as billing
from storage.credentials.one_time_codes import SqlCodes
from storage.credentials.passwords import SqlPasswords
from storage.crypto import derived
from storage.ledger.store import SqlLedger
from storage.outbox.bulk_enqueue import SqlPosting
from storage.outbox.store import SqlOutbox
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database, connect
from storage.sql.migrate import upgrade
from storage.sql.server_clock import server_time

log = logging.getLogger("dialtree.server")

START_SECONDS, AGAIN_SECONDS = 30.0, 0.5
"""Time a start waits for the database, and the pause between two attempts, in seconds."""
FOLLOW_SECONDS = 60.0
"""Interval of reading the time from the database."""


@dataclass(frozen=True, slots=True)
class Given:
    """Replaceable sources of time, randomness and session storage, for sandboxes and tests."""

    now: Callable[[], datetime] = field(default_factory=Steady)
    digits: Callable[[int], str] = lambda count: f"{secrets.randbelow(10**count):0{count}}"
    token: Callable[[], str] = lambda: secrets.token_urlsafe(16)
    sessions: Sessions | None = None
    """Session store to use instead of the one the settings name."""
    patience: Patience = field(default_factory=Patience)
    passwords: Callable[[Database], SqlPasswords] = SqlPasswords


@dataclass(frozen=True, slots=True)
class House:
    """Application container: all long-lived objects of one process."""

    settings: Settings
    database: Database = field(repr=False)
    conversations: Conversations = field(repr=False)
    hooks: Hooks = field(repr=False)
    outbox: SqlOutbox = field(repr=False)
    delivery: Delivery = field(repr=False)
    recorder: Recorder = field(repr=False)
    passwords: SqlPasswords = field(repr=False)
    listener: Listener = field(repr=False)
    posting: SqlPosting = field(repr=False)
    notebook: Notebook = field(repr=False)
    audit: SqlAudit = field(repr=False)
    privacy: SqlPrivacy = field(repr=False)
    counting: Counting = field(repr=False)

    @property
    def upkeep(self) -> Upkeep:
        """Return the maintenance job that runs beside delivery: audit chaining and retention."""
        return Upkeep(self.database, self.audit, self.hooks.now)


@asynccontextmanager
async def house(
    settings: Settings,
    root: Path = pack_compiler.OPERATORS,
    given: Given | None = None,
    load: Callable[[Path], Menu] = pack_compiler.menu,
) -> AsyncIterator[House]:
    """Build the container from settings and close everything at the end of the block.

    `load` compiles a pack's folder. Raises SettingsError, PackError, or Unavailable when the database does
    not answer within STARTUP_WAIT_SECONDS.
    """
    given = given or Given()
    async with AsyncExitStack() as stack:
        database = connect(settings.database_url)
        stack.push_async_callback(database.close)
        await _upgraded(database)
        if isinstance(given.now, Steady):
            await stack.enter_async_context(_following(given.now, database))
        menu_versions = Shelf()
        for name in settings.operators:
            menu_versions.publish(load(pack_compiler.located(name, settings.packs, root)))
        yield await _built(settings, menu_versions, given, database, stack)


async def _upgraded(database: Database) -> None:
    """Upgrade the schema, retrying while the database is unreachable: servers start in any order."""
    loop = asyncio.get_running_loop()
    until = loop.time() + START_SECONDS
    while True:
        try:
            return await upgrade(database)
        except Unavailable as failure:
            if loop.time() > until:
                raise
            log.warning("server.database_unreachable", extra={"failure": type(failure).__name__})
        await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def _following(clock: Steady, database: Database) -> AsyncIterator[None]:
    """Synchronise the clock with the database, so that leases and expiries agree across processes."""

    async def synchronise_forever() -> None:
        while True:
            with suppress(Failure):
                if instant := await server_time(database):
                    clock.follow(instant)
            await asyncio.sleep(FOLLOW_SECONDS)

    task = asyncio.create_task(synchronise_forever())
    try:
        yield
    finally:
        task.cancel()


async def _built(
    settings: Settings, shelf: Shelf, given: Given, database: Database, stack: AsyncExitStack
) -> House:
    secret = Secret(settings.secret_key.get_secret_value())
    passwords = given.passwords(database)
    stack.callback(passwords.close)
    write_behind = Notebook(database, Auditor(secret))
    stack.push_async_callback(write_behind.close)
    conversations = await _conversations(settings, shelf, given, write_behind, passwords, stack)
    people = conversations.people
    outbox, recorder = SqlOutbox(database, secret), Recorder()
    connections = inbound.connections(settings, shelf)
    wrap_sender = outbound.thrift(settings, shelf, database, given.now)
    routes = await outbound.lanes(settings, connections, recorder, given.now, stack, wrap_sender)
    metrics_registry = Metrics()
    metrics = Counting(metrics_registry.registry, routes)
    metrics.watch(conversations)
    run_deferred, record_opt_out = _errands(conversations), _opting_out(people)
    outbox_worker = Delivery(outbox, routes, run_deferred, given.now, record_opt_out, metrics.settled)
    tallies = conversations.manners.tallies
    guard = inbound.guard(settings, connections, tallies)
    webhooks = Hooks(guard, conversations, outbox, given.now, metrics_registry, metrics.reported)
    return House(
        settings=settings,
        database=database,
        conversations=conversations,
        hooks=webhooks,
        outbox=outbox,
        delivery=outbox_worker,
        recorder=recorder,
        passwords=passwords,
        listener=_listener(settings, guard, conversations, given),
        posting=SqlPosting(database, secret),
        notebook=write_behind,
        audit=SqlAudit(database, write_behind.auditor),
        privacy=SqlPrivacy(database, secret),
        counting=metrics,
    )


async def _conversations(
    settings: Settings,
    shelf: Shelf,
    given: Given,
    notebook: Notebook,
    passwords: SqlPasswords,
    stack: AsyncExitStack,
) -> Conversations:
    secret = Secret(settings.secret_key.get_secret_value())
    people, keys = {}, Keys(derived(secret, "conversations"))
    for name in settings.operators:
        ports = _world(settings, shelf.current(name), notebook, passwords, given)
        stack.push_async_callback(_closed, ports.billing)
        people[name] = People(ports, keys, given.patience)
    sessions, tallies = await inbound.live(settings, given.now, stack)
    flood_guard, load_shedder = Manners(tallies), Crowd(settings.turns_at_once)
    return Conversations(
        shelf, given.sessions or sessions, people, pack_compiler.actions(), keys, flood_guard, load_shedder
    )


def _listener(settings: Settings, guard: Guard, conversations: Conversations, given: Given) -> Listener:
    """Build the endpoint of bill events; its announcers also serve `dialtree notify`."""
    tokens = {name: str(section.bss.get("hub_token", "")) for name, section in settings.operators.items()}

    def announcer(operator: str) -> Announcer:
        return Announcer(conversations.shelf.current(operator), conversations.keys)

    return Listener(
        guard,
        conversations.people,
        announcer,
        {name: (token.encode(),) for name, token in tokens.items() if token},
        given.now,
    )


def _world(settings: Settings, menu: Menu, notebook: Notebook, passwords: SqlPasswords, given: Given) -> World:
    database = notebook.database
    secret = Secret(settings.secret_key.get_secret_value())
    zone = ZoneInfo(menu.form.time_zone)

    def today() -> date:
        return given.now().astimezone(zone).date()

    return World(
        billing=_billing(
            settings, billing.Site(menu.name, database, today, zone, settings.operators[menu.name].bss)
        ),
        ledger=SqlLedger(database, secret, notebook),
        codes=SqlCodes(database, secret),
        passwords=passwords,
        now=given.now,
        today=today,
        digits=given.digits,
        token=given.token,
        links_url=f"{settings.public_url}/{menu.name}",
    )


async def _closed(backend: Billing) -> None:
    """Close a billing backend that holds connections; others have nothing to close."""
    if isinstance(backend, billing.Remote):
        await backend.close()


def _billing(settings: Settings, site: billing.Site) -> Billing:
    """Connect the operator's billing backend; SettingsError names the setting it cannot use."""
    try:
        return billing.connect(settings.operators[site.operator].billing, site)
    except ValueError as error:
        raise SettingsError(f"operators.{site.operator}.{error}") from error


def _opting_out(people: Mapping[str, People]) -> Callable[[Notice, datetime], Awaitable[None]]:
    """Return a callback that records an opt-out which a provider reports for a recipient."""

    async def record_opt_out(notice: Notice, now: datetime) -> None:
        await people[notice.operator].world.ledger.opt_out(notice.operator, notice.to, out=True, now=now)

    return record_opt_out


def _errands(conversations: Conversations) -> Callable[[Errand], Awaitable[None]]:
    def run_deferred(errand: Errand) -> Awaitable[None]:
        people = conversations.people[errand.operator]
        return deferred_steps.run(errand, conversations.shelf, people, conversations.actions)

    return run_deferred
