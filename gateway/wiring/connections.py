"""Inbound wiring: provider connections, webhook endpoints, the guard and the session stores."""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from importlib import import_module

from flows.domain.failures import Failure
from flows.domain.ports import Counters, SessionStore
from flows.domain.records import Secret
from flows.engine.menu_versions import MenuVersions
from gateway.http.client_address import parse_ip, parse_networks
from gateway.http.guard import Guard, WebhookEndpoint
from gateway.http.proxy_check import UnlistedProxyCheck
from gateway.http.rejection_limit import RejectionLimiter
from gateway.providers.contract import Connection, NumberingPlan, Provider
from gateway.providers.registry import discover_providers
from gateway.settings import ConnectionSettings, Settings
from gateway.settings_sources import SettingsError
from menus.machine.menu import Menu
from storage.sessions.counters import FallbackCounters, MemoryCounters, RedisCounters
from storage.sessions.fallback import FallbackSessions
from storage.sessions.leaky_bucket import TurnRateLimit
from storage.sessions.memory_store import MemorySessions
from storage.sessions.redis_store import RedisSessions
from storage.sessions.script_client import ScriptClient

TURN_LEASE_SECONDS = 5.0
"""Session lease: no turn takes longer (0.8 s lookup, 2.5 s action, 1 s deferred step)."""
REPEAT_WAIT_SECONDS = 6.0
"""How long a repeated request waits for the first: longer than the lease of a killed process."""
DEFAULT_TRUST = {"ussd": "line", "sms": "line", "voice": "none"}
"""What the operator's own network proves: USSD and SMS the line, a voice caller id nothing."""


def build_connections(settings: Settings, menu_versions: MenuVersions) -> dict[tuple[str, str], Connection]:
    """Return each enabled connection, by operator and provider."""
    providers = discover_providers()
    return {
        (operator, name): _build_connection(
            settings, menu_versions.current_menu(operator), providers[name], link
        )
        for operator, section in settings.operators.items()
        for name, link in section.links.items()
    }


def _build_connection(
    settings: Settings, menu: Menu, provider: Provider, link: ConnectionSettings
) -> Connection:
    numbers, tokens = menu.config.numbers, _path_tokens(link)
    base = f"{settings.public_url}/hooks/{menu.name}/{provider.NAME}"
    return Connection(
        operator=menu.name,
        settings=link.settings,
        public_url=settings.public_url,
        hooks_url=f"{base}/{tokens[0].decode()}" if tokens else base,
        trust=_provider_trust(provider) | {str(channel): proof for channel, proof in link.trust.items()},
        addresses={"ussd": numbers.ussd, "sms": numbers.sms, "voice": numbers.voice},
        locales={name: language.speech for name, language in menu.config.languages.items()},
        numbering=NumberingPlan(menu.config.country_code, menu.config.trunk, tuple(menu.config.number_digits)),
        page_size=_page_size(menu.name, provider, link),
        takes_cards=takes_cards(link),
    )


def takes_cards(link: ConnectionSettings) -> bool:
    """Return whether the settings of a connection say that it takes cards in calls."""
    return bool(getattr(link.settings, "pay_connector", ""))


def _page_size(operator: str, provider: Provider, link: ConnectionSettings) -> str:
    """Return the page size of a connection; SettingsError for one its network does not carry."""
    fixed: str = getattr(provider, "PAGE_SIZE", "")
    if fixed and link.page_size not in ("", fixed):
        raise SettingsError(f"operators.{operator}.{provider.NAME}.page_size: the network carries {fixed} only")
    return fixed or link.page_size


def _provider_trust(provider: Provider) -> dict[str, str]:
    """Return what the provider's channels prove by default: `line` only where its route says so."""
    proven = [name for name, route in provider.ROUTES.items() if route.proves_line]
    proven += getattr(provider, "PROVEN_CHANNELS", ())
    return dict.fromkeys(DEFAULT_TRUST, "none") | dict.fromkeys(proven, "line")


def _path_tokens(link: ConnectionSettings) -> tuple[bytes, ...]:
    """Return the path tokens of a provider's settings, the current one first."""
    secrets = (getattr(link.settings, name, None) for name in ("hook_token", "old_hook_token"))
    return tuple(token.get_secret_value().encode() for token in secrets if token)


def build_endpoints(
    settings: Settings, connections: Mapping[tuple[str, str], Connection]
) -> dict[tuple[str, str, str], WebhookEndpoint]:
    """Return an endpoint for each webhook of each connection, by operator, provider and route."""
    providers = discover_providers()
    endpoints = {}
    for (operator, name), connection in connections.items():
        link = settings.operators[operator].links[name]
        sources = parse_networks(link.sources)
        for route_name, route in providers[name].ROUTES.items():
            place = f"{operator}/{name}/{route_name}"
            empty = route.write(None, connection)
            endpoint = WebhookEndpoint(
                place, providers[name], route, connection, _path_tokens(link), empty, sources
            )
            endpoints[operator, name, route_name] = endpoint
    return endpoints


def build_guard(
    settings: Settings, connections: Mapping[tuple[str, str], Connection], tallies: Counters
) -> Guard:
    """Build the guard in front of all webhook endpoints."""
    require_listed_proxy(settings)
    trusted_proxies = parse_networks(settings.trusted_proxies)
    return Guard(
        build_endpoints(settings, connections),
        RejectionLimiter(settings.refused_per_minute, tallies),
        trusted_proxies,
        None if settings.demo or trusted_proxies else UnlistedProxyCheck(),
    )


def _connect_redis(settings: Settings) -> ScriptClient:
    """Return the Redis client; SettingsError for a URL it cannot use, without repeating it.

    Its module is loaded only here: redis-py takes 19 MB, and most small installations have no Redis.
    """
    connect = import_module("storage.sessions.connect")
    try:
        client: ScriptClient = connect.build_script_client(settings.redis_url, settings.redis_seconds)
        return client
    except ValueError as error:
        raise SettingsError(f"redis_url: {error}") from None


def require_listed_proxy(settings: Settings) -> None:
    """Raise SettingsError when `sources` cannot work: only a proxy reaches loopback, and none is listed."""
    if settings.trusted_proxies or settings.demo or not is_loopback(settings.host):
        return
    for operator, section in settings.operators.items():
        for name, link in section.links.items():
            if link.sources:
                raise SettingsError(
                    f"trusted_proxies: list the proxy in front, or operators.{operator}.{name}.sources admits "
                    f"nobody: this process listens on {settings.host} only"
                )


def is_loopback(host: str) -> bool:
    """Return whether a listening address can be reached from this machine only."""
    address = parse_ip(host)
    return host == "localhost" or (address is not None and address.is_loopback)


async def open_session_stores(
    settings: Settings, now: Callable[[], datetime], stack: AsyncExitStack
) -> tuple[SessionStore, Counters]:
    """Return session store and counters: in memory, or in Redis with a memory fallback."""
    limit = TurnRateLimit(settings.turns_per_minute, 60)
    memory_sessions = MemorySessions(time.monotonic, rate_limit=limit)
    local_tallies = MemoryCounters(lambda: now().timestamp())
    if not settings.redis_url:
        return memory_sessions, local_tallies
    scripts, secret = _connect_redis(settings), Secret(settings.secret_key.get_secret_value())
    redis_sessions = RedisSessions(
        scripts, secret, rate_limit=limit, wait_seconds=REPEAT_WAIT_SECONDS, lease_seconds=TURN_LEASE_SECONDS
    )
    stack.push_async_callback(redis_sessions.aclose)
    with suppress(Failure):  # until Redis answers, turns are served from memory
        await redis_sessions.load_scripts()
    redis_tallies = RedisCounters(scripts, secret)
    return (
        FallbackSessions(redis_sessions, memory_sessions, time.monotonic),
        FallbackCounters(redis_tallies, local_tallies, time.monotonic),
    )
