"""Wiring: the one place where objects are put together."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flows import errands
from flows.actions import World
from flows.conversation import Conversations
from flows.failures import Failure
from flows.hops import Keys
from flows.people import People
from flows.ports import Billing, Sessions
from flows.records import Errand, Notice, Secret
from flows.shelf import Shelf
from gateway import packs
from gateway.breaker import Breaker
from gateway.bucket import Bucket
from gateway.clock import Steady
from gateway.delivery import Delivery
from gateway.guard import Door
from gateway.hooks import Hooks
from gateway.lanes import AT_ONCE, Lane, Room, Way
from gateway.mail import Mail, mailbox
from gateway.providers import discover
from gateway.providers.contract import Connection, Provider, Sender
from gateway.recorder import Recorder
from gateway.settings import Link, OperatorSettings, Settings, SettingsError
from menus.menu import Menu
from storage import billing, sessions
from storage.codes import SqlCodes
from storage.ledger import SqlLedger
from storage.outbox import SqlOutbox
from storage.passwords import SqlPasswords
from storage.sessions.fallback import FallbackSessions
from storage.sessions.memory import MemorySessions
from storage.sessions.rate import Rate
from storage.sql.clock import server_time
from storage.sql.engine import Database, connect
from storage.sql.upgrade import upgrade

FOLLOW_SECONDS = 60.0
"""How often a process asks the database for the time."""
DEFAULT_TRUST = {"ussd": "line", "sms": "line", "voice": "none"}
"""USSD and SMS reach us over the operator's legs; a voice caller's number proves nothing."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The clock and the sources of chance; the tests pass their own."""

    now: Callable[[], datetime] = field(default_factory=Steady)
    digits: Callable[[int], str] = lambda count: f"{secrets.randbelow(10**count):0{count}}"
    token: Callable[[], str] = lambda: secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class House:
    """Everything, put together."""

    settings: Settings
    database: Database = field(repr=False)
    conversations: Conversations = field(repr=False)
    hooks: Hooks = field(repr=False)
    outbox: SqlOutbox = field(repr=False)
    delivery: Delivery = field(repr=False)
    recorder: Recorder = field(repr=False)
    passwords: SqlPasswords = field(repr=False)


@asynccontextmanager
async def house(
    settings: Settings,
    root: Path = packs.OPERATORS,
    chance: Chance | None = None,
    load: Callable[[Path], Menu] = packs.menu,
) -> AsyncIterator[House]:
    """Build everything from the settings; give it all back at the end. `load` compiles a pack's folder."""
    chance = chance or Chance()
    async with AsyncExitStack() as stack:
        database = connect(settings.database_url)
        stack.push_async_callback(database.close)
        await upgrade(database)
        if isinstance(chance.now, Steady):
            await stack.enter_async_context(_following(chance.now, database))
        shelf = Shelf()
        for name in settings.operators:
            shelf.publish(load(packs.folder(name, root)))
        yield await _built(settings, shelf, chance, database, stack)


@asynccontextmanager
async def _following(clock: Steady, database: Database) -> AsyncIterator[None]:
    """Keep to the time the database tells: leases and expiries mean the same to every process."""

    async def follow() -> None:
        while True:
            with suppress(Failure):
                if instant := await server_time(database):
                    clock.follow(instant)
            await asyncio.sleep(FOLLOW_SECONDS)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()


async def _built(
    settings: Settings, shelf: Shelf, chance: Chance, database: Database, stack: AsyncExitStack
) -> House:
    secret = Secret(settings.secret_key.get_secret_value())
    passwords = SqlPasswords(database)
    stack.callback(passwords.close)
    people = {
        name: People(_world(settings, shelf.current(name), database, passwords, chance))
        for name in settings.operators
    }
    for each in people.values():
        stack.push_async_callback(_closed, each.world.billing)
    keys = Keys(secret.value.encode()[:64])
    conversations = Conversations(shelf, _sessions(settings), people, packs.actions(), keys)
    outbox, recorder = SqlOutbox(database, secret), Recorder()
    connections = _connections(settings, shelf)
    lanes = await _lanes(settings, connections, recorder, chance.now, stack)
    delivery = Delivery(outbox, lanes, _errands(conversations), chance.now, _opting_out(people))
    hooks = Hooks(_doors(settings, connections), conversations, outbox, chance.now)
    return House(settings, database, conversations, hooks, outbox, delivery, recorder, passwords)


def _world(
    settings: Settings, menu: Menu, database: Database, passwords: SqlPasswords, chance: Chance
) -> World:
    secret = Secret(settings.secret_key.get_secret_value())
    zone = ZoneInfo(menu.form.time_zone)

    def today() -> date:
        return chance.now().astimezone(zone).date()

    return World(
        billing=_billing(
            settings, billing.Site(menu.name, database, today, zone, settings.operators[menu.name].bss)
        ),
        ledger=SqlLedger(database, secret),
        codes=SqlCodes(database, secret),
        passwords=passwords,
        now=chance.now,
        digits=chance.digits,
        token=chance.token,
        links_url=f"{settings.public_url}/{menu.name}",
    )


async def _closed(backend: Billing) -> None:
    """Only a backend that holds connections has something to give back."""
    if isinstance(backend, billing.Closable):
        await backend.close()


def _billing(settings: Settings, site: billing.Site) -> Billing:
    """The operator's backend; SettingsError names the setting it cannot use."""
    try:
        return billing.connect(settings.operators[site.operator].billing, site)
    except ValueError as error:
        raise SettingsError(f"operators.{site.operator}.{error}") from error


def _sessions(settings: Settings) -> Sessions:
    limit = Rate(settings.turns_per_minute, 60)
    memory = MemorySessions(time.monotonic, limit=limit)
    if not settings.redis_url:
        return memory
    return FallbackSessions(sessions.connect(settings.redis_url, limit=limit), memory, time.monotonic)


def _connections(settings: Settings, shelf: Shelf) -> dict[tuple[str, str], Connection]:
    providers = discover()
    return {
        (operator, name): _connection(settings, shelf.current(operator), providers[name], link)
        for operator, section in settings.operators.items()
        for name, link in section.links.items()
    }


def _connection(settings: Settings, menu: Menu, provider: Provider, link: Link) -> Connection:
    numbers, tokens = menu.form.numbers, _tokens(link)
    base = f"{settings.public_url}/hooks/{menu.name}/{provider.NAME}"
    return Connection(
        operator=menu.name,
        settings=link.settings,
        public_url=settings.public_url,
        hooks_url=f"{base}/{tokens[0].decode()}" if tokens else base,
        trust=DEFAULT_TRUST | {str(channel): proof for channel, proof in link.trust.items()},
        addresses={"ussd": numbers.ussd, "sms": numbers.sms, "voice": numbers.voice},
        locales={name: language.speech for name, language in menu.form.languages.items()},
    )


def _tokens(link: Link) -> tuple[bytes, ...]:
    """The path tokens a provider's settings hold: the current one first."""
    held = (getattr(link.settings, name, None) for name in ("hook_token", "old_hook_token"))
    return tuple(token.get_secret_value().encode() for token in held if token)


def _doors(
    settings: Settings, connections: Mapping[tuple[str, str], Connection]
) -> dict[tuple[str, str, str], Door]:
    providers = discover()
    doors = {}
    for (operator, name), connection in connections.items():
        link = settings.operators[operator].links[name]
        sources = tuple(map(ip_network, link.sources))
        for route_name, route in providers[name].ROUTES.items():
            place = f"{operator}/{name}/{route_name}"
            door = Door(place, providers[name], route, connection, _tokens(link), sources)
            doors[operator, name, route_name] = door
    return doors


async def _lanes(
    settings: Settings,
    connections: Mapping[tuple[str, str], Connection],
    recorder: Recorder,
    now: Callable[[], datetime],
    stack: AsyncExitStack,
) -> dict[tuple[str, str], Lane]:
    """Per operator and route its lane; one that no route is set for has none, save in the demo."""
    lanes: dict[tuple[str, str], Lane] = {}
    for operator, section in settings.operators.items():
        senders = {"sms": await _texting(settings, operator, connections, recorder, stack)}
        senders["email"] = _mailing(settings, operator, recorder)
        rates: dict[str, float] = section.rates.model_dump()
        for route, found in senders.items():
            ways = [
                Way(sender, Breaker(f"{operator}/{route}/{name}", now), _deduplicating(section, name))
                for name, sender in found.items()
            ]
            if ways:
                room = Room(min(getattr(way.sender, "most", AT_ONCE) for way in ways))
                lanes[operator, route] = Lane(tuple(ways), Bucket(rates[route], now), room)
    return lanes


def _deduplicating(section: OperatorSettings, name: str) -> bool:
    return name in section.links and section.links[name].deduplicates


async def _texting(
    settings: Settings,
    operator: str,
    connections: Mapping[tuple[str, str], Connection],
    recorder: Recorder,
    stack: AsyncExitStack,
) -> dict[str, Sender]:
    """SMS senders in order of preference; in the demo a recorder where a provider's URL is not set."""
    providers = discover()
    senders: dict[str, Sender] = {}
    for name in settings.operators[operator].routes.sms:
        connection = connections[operator, name]
        if settings.demo and not connection.settings.api_url:
            senders[name] = recorder
            continue
        sender = senders[name] = await providers[name].connect_sender(connection)
        stack.push_async_callback(sender.close)
    return senders


def _mailing(settings: Settings, operator: str, recorder: Recorder) -> dict[str, Sender]:
    """The mail sender; in the demo a recorder where no relay is set."""
    routes = settings.operators[operator].routes
    if not routes.email:
        return {"recorder": recorder} if settings.demo else {}
    host = urlsplit(settings.public_url).hostname
    return {"smtp": Mail(mailbox(routes.email, routes.email_from or f"no-reply@{host}"))}


def _opting_out(people: Mapping[str, People]) -> Callable[[Notice, datetime], Awaitable[None]]:
    """A provider that refuses for a recipient's sake tells us what the recipient told it."""

    async def opted_out(notice: Notice, now: datetime) -> None:
        await people[notice.operator].world.ledger.opt_out(notice.operator, notice.to, out=True, now=now)

    return opted_out


def _errands(conversations: Conversations) -> Callable[[Errand], Awaitable[None]]:
    def run(errand: Errand) -> Awaitable[None]:
        people = conversations.people[errand.operator]
        return errands.run(errand, conversations.shelf, people, conversations.actions)

    return run
