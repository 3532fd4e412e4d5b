"""Wiring, inward: connections to providers, the doors requests come in by, where live sessions are kept."""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import datetime

from flows.domain.failures import Failure
from flows.domain.ports import Sessions, Tallies
from flows.domain.records import Secret
from flows.engine.menu_versions import Shelf
from gateway.http.client_address import networks
from gateway.http.guard import Door, Guard
from gateway.http.rejection_limit import Refusals
from gateway.providers.contract import Connection, Provider
from gateway.providers.discovery import discover
from gateway.settings import Link, Settings
from menus.machine.menu import Menu
from storage.sessions import connect
from storage.sessions.counters import FallbackTallies, MemoryTallies, RedisTallies
from storage.sessions.fallback import FallbackSessions
from storage.sessions.leaky_bucket import Rate
from storage.sessions.memory_store import MemorySessions
from storage.sessions.redis_store import RedisSessions

TURN_SECONDS = 5.0
"""The lease of a session: no turn takes longer (0.8 s to know who, 2.5 s to act, 1 s to promise)."""
TWIN_SECONDS = 6.0
"""What a repeat waits for the turn before it: longer than a lease, so that a killed process's runs out."""
DEFAULT_TRUST = {"ussd": "line", "sms": "line", "voice": "none"}
"""USSD and SMS reach us over the operator's legs; a voice caller's number proves nothing."""


def connections(settings: Settings, shelf: Shelf) -> dict[tuple[str, str], Connection]:
    """Each operator's enabled connections, by operator and provider."""
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


def doors(
    settings: Settings, connections: Mapping[tuple[str, str], Connection]
) -> dict[tuple[str, str, str], Door]:
    """A door for every webhook of every connection."""
    providers = discover()
    found = {}
    for (operator, name), connection in connections.items():
        link = settings.operators[operator].links[name]
        sources = networks(link.sources)
        for route_name, route in providers[name].ROUTES.items():
            place = f"{operator}/{name}/{route_name}"
            empty = route.write(None, connection)
            door = Door(place, providers[name], route, connection, _tokens(link), empty, sources)
            found[operator, name, route_name] = door
    return found


def guard(settings: Settings, connections: Mapping[tuple[str, str], Connection], tallies: Tallies) -> Guard:
    """The guard in front of all doors."""
    refusals = Refusals(settings.refused_per_minute, tallies)
    return Guard(doors(settings, connections), refusals, networks(settings.trusted_proxies))


async def live(
    settings: Settings, now: Callable[[], datetime], stack: AsyncExitStack
) -> tuple[Sessions, Tallies]:
    """In memory, or in Redis with this process's memory to fall back on."""
    limit = Rate(settings.turns_per_minute, 60)
    memory = MemorySessions(time.monotonic, limit=limit)
    counts = MemoryTallies(lambda: now().timestamp())
    if not settings.redis_url:
        return memory, counts
    caller = connect.reach(settings.redis_url, settings.redis_seconds)
    shared = RedisSessions(caller, limit=limit, wait_seconds=TWIN_SECONDS, lease_seconds=TURN_SECONDS)
    stack.push_async_callback(shared.aclose)
    with suppress(Failure):  # Redis may come later: until then turns are served from memory
        await shared.ready()
    common = RedisTallies(caller, Secret(settings.secret_key.get_secret_value()))
    return (
        FallbackSessions(shared, memory, time.monotonic),
        FallbackTallies(common, counts, time.monotonic),
    )
