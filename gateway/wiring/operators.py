"""Operator wiring: the ports of each operator, its billing backend and its subscriber cache."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flows.domain.actions import Action, OperatorPorts
from flows.domain.payment_ports import Payments, WalletPayments
from flows.domain.ports import Billing, SessionStore
from flows.domain.records import Secret
from flows.engine.deadlines import TimeBudgets
from flows.engine.menu_versions import MenuVersions
from flows.selfcare.pay import CARD_ACTION, LINK_ACTION, WALLET_ACTION
from gateway.clock import MonotonicClock
from gateway.payments.adapter_registry import connect_provider, connect_wallet
from gateway.payments.provider_context import ProviderContext
from gateway.publishing.pack_compiler import load_actions
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from gateway.wiring.connections import takes_cards
from menus.machine.menu import Menu
from menus.machine.unavailable_options import without_options_to
from storage.audit.write_behind import WriteBehind
from storage.billing import backend as billing
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.credentials.passwords import SqlPasswords
from storage.ledger.sql_ledger import SqlLedger
from storage.payments.intents import SqlPaymentIntents
from storage.payments.promises import SqlPaymentPromises
from storage.purchases.charges import SqlCharges
from storage.purchases.policies import SqlSpendPolicies
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
    passwords: Callable[[Database, Secret], SqlPasswords] = SqlPasswords


@dataclass(frozen=True, slots=True)
class OperatorWiring:
    """Builds the ports of the operators the settings name."""

    settings: Settings
    menu_versions: MenuVersions = field(repr=False)
    overrides: Overrides = field(repr=False)
    write_behind: WriteBehind = field(repr=False)
    passwords: SqlPasswords = field(repr=False)

    def build_all(self, stack: AsyncExitStack) -> dict[str, OperatorPorts]:
        """Return the ports by operator; their backends are closed with the stack."""
        operators = {}
        for name in self.settings.operators:
            operators[name] = self._build_ports(self.menu_versions.current_menu(name))
            stack.push_async_callback(_close_backend, operators[name].billing)
            stack.push_async_callback(_close_payments, operators[name].payments)
            stack.push_async_callback(_close_payments, operators[name].wallet)
        actions = load_actions()
        self.menu_versions.adapt_to_billing(lambda menu: _fit_to_billing(menu, operators, actions))
        return operators

    def _build_ports(self, menu: Menu) -> OperatorPorts:
        database, overrides = self.write_behind.database, self.overrides
        secret = Secret(self.settings.secret_key.get_secret_value())
        zone = ZoneInfo(menu.config.time_zone)

        def today() -> date:
            return overrides.now().astimezone(zone).date()

        options = self.settings.operators[menu.name].bss
        return OperatorPorts(
            billing=self._connect_billing(
                billing.BackendContext(menu.name, database, today, zone, options, menu.config.currency.code)
            ),
            ledger=SqlLedger(database, secret, self.write_behind),
            codes=SqlOneTimeCodes(database, secret),
            passwords=self.passwords,
            now=overrides.now,
            today=today,
            random_digits=overrides.random_digits,
            random_token=overrides.random_token,
            links_url=f"{self.settings.public_url}/{menu.name}",
            has_desk=bool(self.settings.operators[menu.name].desk.kind),
            payments=self._connect_payments(menu),
            wallet=self._connect_wallet(menu),
            takes_call_cards=any(
                takes_cards(each) for each in self.settings.operators[menu.name].links.values()
            ),
            intents=SqlPaymentIntents(database, secret),
            policies=SqlSpendPolicies(database, secret),
            charges=SqlCharges(database, secret),
            promises=SqlPaymentPromises(database),
        )

    def _connect_payments(self, menu: Menu) -> Payments | None:
        """Connect the operator's payment provider; None without one, SettingsError names a wrong setting."""
        section = self.settings.operators[menu.name].payments
        if section is None:
            return None
        try:
            return connect_provider(section, self._provider_context(menu, section.provider))
        except ValueError as error:
            raise SettingsError(f"operators.{menu.name}.{error}") from error

    def _connect_wallet(self, menu: Menu) -> WalletPayments | None:
        """Connect the operator's wallet; None without one."""
        section = self.settings.operators[menu.name].wallet
        return connect_wallet(section, self._provider_context(menu, section.provider)) if section else None

    def _provider_context(self, menu: Menu, provider: str) -> ProviderContext:
        notify_url = f"{self.settings.public_url}/hooks/{menu.name}/{provider}/payment"
        return ProviderContext(menu.name, menu.config.currency.decimals, notify_url, self.overrides.now)

    def _connect_billing(self, context: billing.BackendContext) -> Billing:
        """Connect the operator's billing backend; SettingsError names the setting it cannot use."""
        try:
            return billing.connect_backend(self.settings.operators[context.operator].billing, context)
        except ValueError as error:
            raise SettingsError(f"operators.{context.operator}.{error}") from error


def _fit_to_billing(menu: Menu, operators: Mapping[str, OperatorPorts], actions: Mapping[str, Action]) -> Menu:
    """Return the menu without options to what its operator's billing cannot tell; as it is for one without."""
    if menu.name not in operators:
        return menu
    known = operators[menu.name].billing.capabilities
    lacking = [name for name, each in actions.items() if each.capability and each.capability not in known]
    return without_options_to(menu, [*lacking, *_missing_ways(operators[menu.name])])


def _missing_ways(ports: OperatorPorts) -> Iterator[str]:
    """Yield the actions of ways to pay that are not set up; paying by link stays where there is no other."""
    if not ports.takes_call_cards:
        yield CARD_ACTION
    if ports.wallet is None:
        yield WALLET_ACTION
    elif ports.payments is None:
        yield LINK_ACTION


async def _close_payments(payments: Payments | None) -> None:
    """Close the connections of a payment provider, if there is one."""
    if payments is not None:
        await payments.close_connections()


async def _close_backend(backend: Billing) -> None:
    """Close a billing backend that holds connections; others have nothing to close."""
    if isinstance(backend, billing.RemoteBilling):
        await backend.close()
