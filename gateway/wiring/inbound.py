"""Inbound wiring: provider connections, webhook endpoints, the guard and the session stores."""

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
"""Session lease: no turn takes longer (0.8 s lookup, 2.5 s action, 1 s deferred step)."""
TWIN_SECONDS = 6.0
"""How long a repeated request waits for the first: longer than the lease of a killed process."""
DEFAULT_TRUST = {"ussd": "line", "sms": "line", "voice": "none"}
"""USSD and SMS arrive by the operator's network and prove the line; a voice caller id does not."""


def connections(settings: Settings, shelf: Shelf) -> dict[tuple[str, str], Connection]:
    """Return each enabled connection, by operator and provider."""
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
    """Return the path tokens of a provider's settings, the current one first."""
    secrets = (getattr(link.settings, name, None) for name in ("hook_token", "old_hook_token"))
    return tuple(token.get_secret_value().encode() for token in secrets if token)


def doors(
    settings: Settings, connections: Mapping[tuple[str, str], Connection]
) -> dict[tuple[str, str, str], Door]:
    """Return an endpoint for each webhook of each connection, by operator, provider and route."""
    providers = discover()
    endpoints = {}
    for (operator, name), connection in connections.items():
        link = settings.operators[operator].links[name]
        sources = networks(link.sources)
        for route_name, route in providers[name].ROUTES.items():
            place = f"{operator}/{name}/{route_name}"
            empty = route.write(None, connection)
            endpoint = Door(place, providers[name], route, connection, _tokens(link), empty, sources)
            endpoints[operator, name, route_name] = endpoint
    return endpoints


def guard(settings: Settings, connections: Mapping[tuple[str, str], Connection], tallies: Tallies) -> Guard:
    """Build the guard in front of all webhook endpoints."""
    rejection_limiter = Refusals(settings.refused_per_minute, tallies)
    return Guard(doors(settings, connections), rejection_limiter, networks(settings.trusted_proxies))


async def live(
    settings: Settings, now: Callable[[], datetime], stack: AsyncExitStack
) -> tuple[Sessions, Tallies]:
    """Return session store and counters: in memory, or in Redis with a memory fallback."""
    limit = Rate(settings.turns_per_minute, 60)
    memory_sessions = MemorySessions(time.monotonic, limit=limit)
    local_tallies = MemoryTallies(lambda: now().timestamp())
    if not settings.redis_url:
        return memory_sessions, local_tallies
    scripts = connect.reach(settings.redis_url, settings.redis_seconds)
    redis_sessions = RedisSessions(scripts, limit=limit, wait_seconds=TWIN_SECONDS, lease_seconds=TURN_SECONDS)
    stack.push_async_callback(redis_sessions.aclose)
    with suppress(Failure):  # until Redis answers, turns are served from memory
        await redis_sessions.ready()
    redis_tallies = RedisTallies(scripts, Secret(settings.secret_key.get_secret_value()))
    return (
        FallbackSessions(redis_sessions, memory_sessions, time.monotonic),
        FallbackTallies(redis_tallies, local_tallies, time.monotonic),
    )
