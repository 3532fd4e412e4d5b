"""Wallet of the terminal phone: waits for the request, and for what comes of its owner's answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flows.domain.actions import OperatorPorts
from flows.domain.payment_records import PaymentIntent, PaymentState
from gateway.demo.wallet.wallet_server import serve_own_wallet
from gateway.dialogs.format import Dialog
from gateway.dialogs.player import Player
from gateway.payments.wallet_settings import WalletSettings
from gateway.settings import Settings

RECENT = timedelta(minutes=1)
"""Age of a payment that the caller can have asked for just now."""
MAX_RECENT = 50
ASKED_FOR: tuple[PaymentState, ...] = ("confirmed",)
POLL_SECONDS = 0.5
REQUEST_POLLS, RESULT_POLLS = 20, 80
"""How often to look for the request, and for the result: without a callback the wallet is asked after 20 s."""
IN_PROGRESS = frozenset({"confirmed", "pending", "succeeded", "booking", "refunding"})


@asynccontextmanager
async def with_own_wallet(
    dialog: Dialog, settings: Settings, now: Callable[[], datetime]
) -> AsyncIterator[Settings]:
    """Yield the settings with the wallet that a dialog names, served for it alone, and no other."""
    async with serve_own_wallet(dialog.wallet, now) as table:
        wallet = WalletSettings.model_validate(table["wallet"]) if table else None
        operators = {
            name: each.model_copy(update={"wallet": wallet}) for name, each in settings.operators.items()
        }
        yield settings.model_copy(update={"operators": operators})


@dataclass(slots=True)
class TerminalWallet:
    """Follows the payments that the phone's caller makes from a wallet."""

    player: Player
    operator: str
    ports: OperatorPorts = field(repr=False)
    followed: set[str] = field(default_factory=set)

    async def take_payment(self) -> PaymentIntent | None:
        """Return a payment that the caller has asked for just now, once; None for none."""
        store, wallet = self.ports.intents, self.ports.wallet
        if store is None or wallet is None or self.player.wallet is None:
            return None
        since = self.ports.now() - RECENT
        for each in await store.list_intents(self.operator, ASKED_FOR, since, MAX_RECENT):
            if (
                each.provider == wallet.name
                and each.payer == self.player.caller
                and each.id not in self.followed
            ):
                self.followed.add(each.id)
                return each
        return None

    async def wait_for_request(self) -> AsyncIterator[tuple[str, ...]]:
        """Yield the lines of what arrives, up to and with the wallet's request."""
        for _ in range(REQUEST_POLLS):
            lines = await self.player.collect()
            yield lines
            if any(line.startswith("~ wallet") for line in lines):
                return
            await asyncio.sleep(POLL_SECONDS)

    async def wait_for_result(self, payment: PaymentIntent) -> AsyncIterator[tuple[str, ...]]:
        """Yield the lines of what arrives until the payment is decided, or for `RESULT_POLLS` looks."""
        for _ in range(RESULT_POLLS):
            state = await self.read_state(payment)
            yield await self.player.collect()
            if state not in IN_PROGRESS:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def read_state(self, payment: PaymentIntent) -> PaymentState:
        """Return the payment's state now: a demo beside us may have moved it."""
        store = self.ports.intents
        current = await store.find_intent(self.operator, payment.id) if store else None
        return (current or payment).state
