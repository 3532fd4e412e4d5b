"""Command `dialtree hooks`: prints the addresses to give to each provider, relay and billing system."""

import os
from argparse import Namespace
from collections.abc import Iterator

from gateway.cli.common import read_settings
from gateway.cli.table_output import print_table
from gateway.http import bounce_events, bss_events, payment_callbacks, purchase_events
from gateway.http.guard import WebhookEndpoint
from gateway.publishing import pack_compiler
from gateway.publishing.checked_packs import checked_packs
from gateway.settings import OperatorSettings, Settings
from gateway.settings_sources import SettingsError
from gateway.wiring.connections import build_connections, build_endpoints

COLUMNS = ("operator", "for", "webhook", "method", "address")
LINE_FORMAT = "{:<14} {:<15} {:<12} {:<8} {}"
AddressRow = tuple[str, str, str, str, str]


def main(args: Namespace) -> int:
    """Print one line for each address and return 0; SettingsError for an operator the settings do not name.

    The addresses hold path tokens, which are secrets: what is printed belongs to the providers only.
    """
    settings = read_settings()
    if args.operator and args.operator not in settings.operators:
        raise SettingsError(f"operators.{args.operator}: no such section")
    rows = [row for row in webhook_addresses(settings) if args.operator in ("", row[0])]
    print_table(COLUMNS, rows, LINE_FORMAT)
    return 0


def webhook_addresses(settings: Settings) -> Iterator[AddressRow]:
    """Yield operator, receiver, webhook's name, methods and address of all that is configured."""
    load = checked_packs(os.environ).load_menu
    menus = pack_compiler.load_menus(settings.operators, settings.packs, load=load)
    endpoints = build_endpoints(settings, build_connections(settings, menus))
    for operator, section in settings.operators.items():
        for (owner, provider, route), endpoint in endpoints.items():
            if owner == operator:
                yield operator, provider, route, _methods(endpoint), _address(endpoint, route)
        yield from _event_addresses(settings, operator, section)


def _event_addresses(settings: Settings, operator: str, section: OperatorSettings) -> Iterator[AddressRow]:
    """Yield the addresses of bounces, bill events and payments, as far as they are configured."""
    known = {"operator": operator}
    bounces = section.routes.bounces_token.get_secret_value()
    if bounces:
        path = bounce_events.BOUNCE_PATH.format(token=bounces, **known)
        yield operator, "mail relay", "bounces", "POST", settings.public_url + path
    hub = str(section.bss.get("hub_token", ""))
    if hub:
        path = bss_events.EVENT_PATH.format(token=hub, event="", **known).rstrip("/")
        yield operator, "billing", "bill events", "POST", settings.public_url + path
    if section.purchases and section.purchases.events:
        path = purchase_events.PURCHASE_EVENT_PATH.format(**known)
        yield operator, "charging", "purchases", "POST", settings.public_url + path
    for table, methods in ((section.payments, "POST"), (section.wallet, "POST,PUT")):
        if table is not None:
            path = payment_callbacks.PAYMENT_CALLBACK_PATH.format(provider=table.provider, **known)
            yield operator, table.provider, "payment", methods, settings.public_url + path


def _methods(endpoint: WebhookEndpoint) -> str:
    return "GET,POST" if endpoint.route.accepts_get else "POST"


def _address(endpoint: WebhookEndpoint, route: str) -> str:
    parameters = "".join(f"/{{{name}}}" for name in endpoint.route.path_parameters)
    return f"{endpoint.connection.hooks_url}/{route}{parameters}"
