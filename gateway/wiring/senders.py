"""Outbound wiring: SMS and e-mail senders, and the routes with their limits and failover."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from urllib.parse import urlsplit

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.concurrency_limit import ConcurrencyLimit
from flows.domain.records import Secret
from flows.engine.menu_versions import MenuVersions
from gateway.delivery.desk import desk_mail, signed_webhook, trouble_ticket
from gateway.delivery.desk.desk_client import DeskClient
from gateway.delivery.desk.desk_mail import DeskMailSender
from gateway.delivery.desk.signed_webhook import SignedWebhookSender
from gateway.delivery.desk.trouble_ticket import TroubleTicketSender
from gateway.delivery.quiet_gate import QuietGate
from gateway.delivery.recording_sender import RecordingSender
from gateway.delivery.route import (
    DEFAULT_CONCURRENT_CALLS,
    MAX_WAITING_CALLS,
    OutboundRoute,
    RouteProvider,
    count_message,
    count_sms_parts,
)
from gateway.delivery.smtp import SmtpSender, parse_smtp_url
from gateway.delivery.spend_limit import limit_spending
from gateway.delivery.token_bucket import TokenBucket
from gateway.links.link_pool import LinkPool, LinkSender
from gateway.providers.contract import Connection, ConnectSender, Sender
from gateway.providers.registry import discover_providers, link_providers
from gateway.settings import OperatorSettings, Settings
from gateway.settings_safety import is_loopback
from gateway.settings_sources import SettingsError
from storage.outbox.sms_spend import SqlSpendCounter
from storage.sql.engine import Database

SenderWrapper = Callable[[str, Sender], Sender]
"""Takes an operator's name and one of its senders."""


async def build_routes(
    settings: Settings,
    connections: Mapping[tuple[str, str], Connection],
    recorder: RecordingSender,
    now: Callable[[], datetime],
    stack: AsyncExitStack,
    wrappers: Mapping[str, SenderWrapper],
    pool: LinkPool,
    quiet_gate: QuietGate,
) -> dict[tuple[str, str], OutboundRoute]:
    """Return the outbound routes, by operator and route; without a provider there is no route.

    Each sender is wrapped by its route's wrapper (`sms`, `email`). In the demo a recording sender takes the
    place of a provider that is not configured.
    """
    routes: dict[tuple[str, str], OutboundRoute] = {}
    for operator, section in settings.operators.items():
        sms_senders = await _sms_senders(settings, operator, connections, recorder, stack)
        by_name = sms_senders | _link_senders(settings, operator, pool)
        sms_senders = {name: by_name[name] for name in section.routes.sms}
        senders = {"sms": sms_senders, "email": _email_senders(settings, operator, recorder)}
        senders["desk"] = _desk_senders(settings, operator, senders["email"], recorder, now, stack)
        for route, senders_by_name in senders.items():
            providers = [
                RouteProvider(
                    wrappers.get(route, _leave_unwrapped)(operator, sender),
                    CircuitBreaker(f"{operator}/{route}/{name}", now),
                    _deduplicates(section, name),
                )
                for name, sender in senders_by_name.items()
            ]
            if providers:
                routes[operator, route] = OutboundRoute(
                    tuple(providers),
                    TokenBucket(getattr(section.rates, route), now),
                    _concurrency_limit(providers),
                    count_sms_parts if route == "sms" else count_message,
                    quiet_gate.hold_until,
                )
    return routes


def _concurrency_limit(providers: Sequence[RouteProvider]) -> ConcurrencyLimit:
    """Return the limit of a route: that of its most limited provider."""
    limits = (getattr(each.sender, "max_concurrent_calls", DEFAULT_CONCURRENT_CALLS) for each in providers)
    return ConcurrencyLimit(min(limits), MAX_WAITING_CALLS)


def _leave_unwrapped(_operator: str, sender: Sender) -> Sender:
    return sender


def build_spend_limiter(
    settings: Settings, menu_versions: MenuVersions, database: Database, now: Callable[[], datetime]
) -> SenderWrapper:
    """Return a function that wraps an operator's SMS sender with its spending limits.

    Allowed are numbers of `sms_prefixes` (by default the operator's country code), and at most
    `sms_parts_a_day` message parts a day.
    """
    caps = {name: section.sms_parts_a_day for name, section in settings.operators.items()}
    spending = {name: SqlSpendCounter(database, name, "sms", most) for name, most in caps.items() if most}

    def wrap_sender(operator: str, sender: Sender) -> Sender:
        home_prefix = (f"+{menu_versions.current_menu(operator).config.country_code}",)
        prefixes = settings.operators[operator].sms_prefixes or home_prefix
        return limit_spending(sender, operator, prefixes, now, spending.get(operator))

    return wrap_sender


def _deduplicates(section: OperatorSettings, name: str) -> bool:
    """Return whether a sender's far end takes a message once; desks know a ticket by its reference."""
    if name in (trouble_ticket.NAME, signed_webhook.NAME):
        return True
    return name in section.links and section.links[name].deduplicates


async def _sms_senders(
    settings: Settings,
    operator: str,
    connections: Mapping[tuple[str, str], Connection],
    recorder: RecordingSender,
    stack: AsyncExitStack,
) -> dict[str, Sender]:
    """Return SMS senders in order of preference; in the demo a recorder where no URL is set."""
    providers = discover_providers()
    senders: dict[str, Sender] = {}
    for name in settings.operators[operator].routes.sms:
        connection = connections[operator, name]
        if not getattr(providers[name], "SENDS_MESSAGES", True):
            raise SettingsError(f"operators.{operator}.routes.sms: {name} sends no messages")
        if settings.demo and not getattr(connection.settings, "api_url", ""):
            senders[name] = recorder  # of a link, `_link_senders` says what takes its place
            continue
        if name in link_providers():
            continue
        connect_sender: ConnectSender | None = getattr(providers[name], "connect_sender", None)
        if connect_sender is None:
            raise SettingsError(f"operators.{operator}.routes.sms: {name} sends no messages")
        sender = senders[name] = await connect_sender(connection)
        stack.push_async_callback(sender.close)
    return senders


def _link_senders(settings: Settings, operator: str, pool: LinkPool) -> dict[str, Sender]:
    """Return a sender over each link in the operator's SMS route; in the demo only to this machine."""
    section = settings.operators[operator]
    names = [name for name in section.routes.sms if name in link_providers()]
    return {
        name: LinkSender(pool, operator, name)
        for name in names
        if not settings.demo or is_loopback(section.links[name].settings.host)
    }


def _email_senders(settings: Settings, operator: str, recorder: RecordingSender) -> dict[str, Sender]:
    """Return the SMTP sender; in the demo a recorder where no relay is set.

    Raises SettingsError for a URL that is no mail relay.
    """
    routes = settings.operators[operator].routes
    if not routes.email:
        return {"recorder": recorder} if settings.demo else {}
    host = urlsplit(settings.public_url).hostname
    try:
        mail_server = parse_smtp_url(routes.email, routes.email_from or f"no-reply@{host}")
    except ValueError as error:
        raise SettingsError(f"operators.{operator}.routes.email: {error}") from None
    return {"smtp": SmtpSender(mail_server)}


def _desk_senders(
    settings: Settings,
    operator: str,
    mail_senders: Mapping[str, Sender],
    recorder: RecordingSender,
    now: Callable[[], datetime],
    stack: AsyncExitStack,
) -> dict[str, Sender]:
    """Return the sender of ticket events by the operator's settings; none without a desk.

    In the demo a recorder takes the place of a desk that is not on this machine.
    """
    desk = settings.operators[operator].desk
    if not desk.kind:
        return {}
    if desk.kind == "email":
        return {desk_mail.NAME: DeskMailSender(next(iter(mail_senders.values())), desk.to)}
    if settings.demo and not is_loopback(urlsplit(desk.url).hostname or ""):
        return {"recorder": recorder}
    token = desk.token.get_secret_value()
    client = DeskClient(desk.url.rstrip("/"), {"Authorization": f"Bearer {token}"} if token else {})
    stack.push_async_callback(client.close)
    if desk.kind == "tmf621":
        return {trouble_ticket.NAME: TroubleTicketSender(client)}
    key = Secret(desk.secret.get_secret_value())
    return {signed_webhook.NAME: SignedWebhookSender(client, key, now)}
