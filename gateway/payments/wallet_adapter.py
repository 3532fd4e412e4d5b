"""Wallet adapter: what MTN's and Orange's have in common, as neither has a page or lists payments."""

from collections.abc import AsyncIterator
from datetime import date

from flows.domain.failures import NotEligible
from flows.domain.payment_records import PaymentIntent, PaymentReport
from gateway.payments.provider_client import ProviderClient
from gateway.payments.provider_context import ProviderContext
from gateway.payments.wallet_settings import WalletSettings


class WalletAdapter:
    """Parts of the `WalletPayments` port that are the same for every wallet."""

    page_origin = ""

    def __init__(self, settings: WalletSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._client = ProviderClient(settings.base_url, "", context.now)

    async def close(self, intent: PaymentIntent) -> None:
        """Do nothing: a request on a phone cannot be called back."""

    async def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Raise NotEligible: wallets list nothing; each payment is asked about instead."""
        raise NotEligible("this provider lists no payments")
        yield

    async def close_connections(self) -> None:
        """Close the connections."""
        await self._client.close()
