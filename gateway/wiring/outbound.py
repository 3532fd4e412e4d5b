"""Wiring, outward: the senders notices leave by, in lanes that know their providers' limits."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from urllib.parse import urlsplit

from flows.domain.circuit_breaker import Breaker
from flows.engine.menu_versions import Shelf
from gateway.delivery.recording_sender import Recorder
from gateway.delivery.route import AT_ONCE, Lane, Room, Way
from gateway.delivery.smtp import Mail, mailbox
from gateway.delivery.spend_limit import thrifty
from gateway.delivery.token_bucket import Bucket
from gateway.providers.contract import Connection, Sender
from gateway.providers.discovery import discover
from gateway.settings import OperatorSettings, Settings, SettingsError
from storage.outbox.sms_spend import SqlSpending
from storage.sql.engine import Database


async def lanes(
    settings: Settings,
    connections: Mapping[tuple[str, str], Connection],
    recorder: Recorder,
    now: Callable[[], datetime],
    stack: AsyncExitStack,
    thrift: Callable[[str, Sender], Sender],
) -> dict[tuple[str, str], Lane]:
    """Per operator and route its lane; one that no route is set for has none, save in the demo."""
    found: dict[tuple[str, str], Lane] = {}
    for operator, section in settings.operators.items():
        texting = await _texting(settings, operator, connections, recorder, stack)
        senders = {"sms": {name: thrift(operator, sender) for name, sender in texting.items()}}
        senders["email"] = _mailing(settings, operator, recorder)
        rates: dict[str, float] = section.rates.model_dump()
        for route, ways_of in senders.items():
            ways = [
                Way(sender, Breaker(f"{operator}/{route}/{name}", now), _deduplicating(section, name))
                for name, sender in ways_of.items()
            ]
            if ways:
                room = Room(min(getattr(way.sender, "most", AT_ONCE) for way in ways))
                found[operator, route] = Lane(tuple(ways), Bucket(rates[route], now), room)
    return found


def thrift(
    settings: Settings, shelf: Shelf, database: Database, now: Callable[[], datetime]
) -> Callable[[str, Sender], Sender]:
    """SMS go to the operator's own country unless the settings say more, and cost no more than they say."""
    caps = {name: section.sms_parts_a_day for name, section in settings.operators.items()}
    spending = {name: SqlSpending(database, name, "sms", most) for name, most in caps.items() if most}

    def saving(operator: str, sender: Sender) -> Sender:
        own = (f"+{shelf.current(operator).form.country_code}",)
        prefixes = settings.operators[operator].sms_prefixes or own
        return thrifty(sender, operator, prefixes, now, spending.get(operator))

    return saving


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
    """The mail sender; in the demo a recorder where no relay is set. SettingsError for what is no relay."""
    routes = settings.operators[operator].routes
    if not routes.email:
        return {"recorder": recorder} if settings.demo else {}
    host = urlsplit(settings.public_url).hostname
    try:
        box = mailbox(routes.email, routes.email_from or f"no-reply@{host}")
    except ValueError as error:
        raise SettingsError(f"operators.{operator}.routes.email: {error}") from None
    return {"smtp": Mail(box)}
