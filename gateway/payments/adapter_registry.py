"""Registry of payment providers: connects the adapter that the settings name."""

from collections.abc import Callable, Mapping
from functools import partial

from flows.domain.payment_ports import Payments
from gateway.payments.described_adapter import DescribedPayments
from gateway.payments.described_providers import DESCRIBED_PROVIDERS
from gateway.payments.payfake_adapter import PayfakePayments
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.stripe_checkout import StripePayments

ADAPTERS: Mapping[str, Callable[[PaymentSettings, ProviderContext], Payments]] = {
    "payfake": PayfakePayments,
    "stripe": StripePayments,
    **{name: partial(DescribedPayments, form) for name, form in DESCRIBED_PROVIDERS.items()},
}
"""Adapters by the provider's name in the settings."""


def connect_provider(settings: PaymentSettings, context: ProviderContext) -> Payments:
    """Return the adapter of the provider that the settings name; ValueError without an address."""
    if not settings.base_url:
        raise ValueError("payments.api_url: this provider has no address of its own; give yours")
    return ADAPTERS[settings.provider](settings, context)
