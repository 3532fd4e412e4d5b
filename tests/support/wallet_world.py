"""A sandbox whose bills are paid from a wallet: the wallet and the callbacks are real servers on loopback."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.domain.payment_records import PaymentIntent
from flows.domain.records import Bill
from gateway.demo.wallet.wallet_book import WalletBook, WalletMode
from gateway.demo.wallet.wallet_server import serve_wallet
from gateway.dialogs.direct_line import DirectLine
from gateway.http.listening import serve_app
from gateway.payments.wallet_settings import WalletName
from gateway.server.app import public_app
from gateway.settings_sources import merge_tables
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory

ANA = "+40740000101"


@dataclass
class WalletWorld:
    """What a test needs to pay from a wallet and to look at every side of it."""

    sandbox: GatewaySandbox
    book: WalletBook
    line: DirectLine
    url: str
    received: list[str] = field(default_factory=list)

    async def wait(self, **time: float) -> list[str]:
        """Let time pass, run the outbox until nothing is due, and return the texts that arrived."""
        self.sandbox.clock.advance(timedelta(**time))
        new = [each.body for each in await self.sandbox.messages.collect_new()]
        self.received += new
        return new

    async def text(self, words: str) -> str:
        return "\n".join((await self.line.send_text(ANA, self.sandbox.menu.config.numbers.sms, words)).lines)

    async def ask_wallet(self, mode: WalletMode = "ok") -> str:
        """Ask by text to pay from the wallet and return what is answered."""
        self.book.mode = mode
        await self.text("PAY")
        return await self.text("4")

    async def request_on_phone(self, mode: WalletMode = "ok") -> str:
        """Ask to pay from the wallet and return the request that came to the phone."""
        await self.ask_wallet(mode)
        await self.wait(seconds=5)
        return next(reversed(self.book.requests))

    async def pay(self, mode: WalletMode = "ok") -> str:
        """Pay from the wallet; return the request."""
        reference = await self.request_on_phone(mode)
        await self.book.press(reference)
        await self.wait(minutes=2)
        return reference

    async def intents(self) -> list[PaymentIntent]:
        """Return every intent, newest first."""
        store = self.sandbox.container.operators[OPERATOR].intents
        assert store
        return [*await store.list_intents(OPERATOR, (), datetime(2020, 1, 1, tzinfo=UTC), 1000)]

    async def states(self) -> list[str]:
        return [each.state for each in await self.intents()]

    async def bill(self) -> Bill:
        """Return the caller's newest bill."""
        billing = self.sandbox.container.operators[OPERATOR].billing
        return (await billing.list_bills((await billing.get_subscriber(ANA)).account, 1))[0]


@asynccontextmanager
async def open_wallet_world(
    sandboxes: SandboxFactory, provider: WalletName, more: dict[str, Any] | None = None
) -> AsyncIterator[WalletWorld]:
    """Open a sandbox whose operator has a wallet beside the link."""
    clock: list[Callable[[], datetime]] = []
    book, url = WalletBook(now=lambda: clock[0]()), f"http://127.0.0.1:{(port := free_port())}"
    async with serve_wallet(provider, book) as wallet:
        settings = {"public_url": url, "operators": {OPERATOR: {"wallet": wallet}}}
        async with sandboxes.open("2026-03-10 09:00", more=merge_tables(settings, more or {})) as sandbox:
            clock.append(sandbox.clock)
            async with serve_app(public_app(sandbox.container), "127.0.0.1", port):
                yield WalletWorld(sandbox, book, sandbox.direct_line(), url)
