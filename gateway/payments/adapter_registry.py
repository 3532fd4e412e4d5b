"""Registry of payment providers: connects the adapter that the settings name."""

from collections.abc import Callable, Mapping
from functools import partial

from flows.domain.payment_ports import Payments, WalletPayments
from gateway.payments.described_adapter import DescribedPayments
from gateway.payments.described_providers import DESCRIBED_PROVIDERS
from gateway.payments.mtn_momo import MtnMomoPayments
from gateway.payments.netopia import NetopiaPayments
from gateway.payments.orange_money import OrangeMoneyPayments
from gateway.payments.payfake_adapter import PayfakePayments
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.stripe_checkout import StripePayments
from gateway.payments.wallet_settings import WalletSettings

ADAPTERS: Mapping[str, Callable[[PaymentSettings, ProviderContext], Payments]] = {
    "payfake": PayfakePayments,
    "stripe": StripePayments,
    "netopia": NetopiaPayments,
    **{name: partial(DescribedPayments, form) for name, form in DESCRIBED_PROVIDERS.items()},
}
"""Adapters by the provider's name in the settings."""
WALLETS: Mapping[str, Callable[[WalletSettings, ProviderContext], WalletPayments]] = {
    "mtn_momo": MtnMomoPayments,
    "orange_money": OrangeMoneyPayments,
}
"""Adapters of wallets by their name in the settings."""


def connect_provider(settings: PaymentSettings, context: ProviderContext) -> Payments:
    """Return the adapter of the provider that the settings name; ValueError without an address."""
    if not settings.base_url:
        raise ValueError("payments.api_url: this provider has no address of its own; give yours")
    return ADAPTERS[settings.provider](settings, context)


def connect_wallet(settings: WalletSettings, context: ProviderContext) -> WalletPayments:
    """Return the adapter of the wallet that the settings name."""
    return WALLETS[settings.provider](settings, context)
