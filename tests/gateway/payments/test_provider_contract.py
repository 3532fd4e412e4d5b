"""Contract of payment providers: the same cases over Payfake and both wallets, each a server on loopback."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from flows.domain.failures import BadRequest, Down, NotEligible, NotFound
from flows.domain.payment_ports import Payments, WalletPayments
from flows.domain.payment_records import PaymentIntent
from flows.payments.checks import find_mismatch
from gateway.demo.payfake import Payfake, payment_settings
from gateway.demo.wallet.mtn_wallet import MtnWallet, mtn_settings
from gateway.demo.wallet.orange_wallet import OrangeWallet, orange_settings
from gateway.demo.wallet.wallet_book import WalletBook
from gateway.http.listening import serve_app
from gateway.payments.adapter_registry import WALLETS, connect_provider, connect_wallet
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.wallet_settings import WalletSettings
from tests.support.payment_intents import PAYMENT_INTENT

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
RETURN_URL = "https://gw.example.net/orange-fr/paid"
FRESH = replace(PAYMENT_INTENT, operator="orange-fr", reference="", payer="+40740000101")


@dataclass
class Served:
    """A provider behind its adapter, and what its payer does."""

    adapter: Payments
    pay: Callable[[str], Awaitable[None]]
    money: Callable[[], tuple[Decimal, Decimal]]

    async def start(self) -> PaymentIntent:
        """Start a payment as the gateway does, and return it with the provider's id."""
        intent = replace(FRESH, provider=self.adapter.name)
        if self.adapter.name in WALLETS:
            wallet: WalletPayments = self.adapter  # type: ignore[assignment]
            intent = replace(intent, reference=await wallet.reserve(intent))
        return replace(intent, reference=(await self.adapter.start(intent, RETURN_URL)).reference)


@asynccontextmanager
async def serve_provider(name: str) -> AsyncIterator[Served]:
    context = ProviderContext("orange-fr", 2, f"http://127.0.0.1:9/{name}", lambda: NOW)
    payfake, book = Payfake(lambda: NOW), WalletBook()
    apps = {
        "payfake": payfake.create_app,
        "mtn_momo": MtnWallet(book).create_app,
        "orange_money": OrangeWallet(book).create_app,
    }
    async with serve_app(apps[name](), "127.0.0.1", 0) as port:
        url = payfake.url = f"http://127.0.0.1:{port}"
        if name == "payfake":
            adapter: Payments = connect_provider(PaymentSettings.model_validate(payment_settings(url)), context)
            yield Served(adapter, payfake.press, lambda: (payfake.money_in, payfake.money_back))
        else:
            table = mtn_settings(url) if name == "mtn_momo" else orange_settings(url)
            adapter = connect_wallet(WalletSettings.model_validate(table), context)
            yield Served(adapter, book.press, lambda: (book.money_in, book.money_back))
        await adapter.close_connections()


@pytest.fixture(params=["payfake", *WALLETS])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async with serve_provider(request.param) as opened:
        yield opened


async def test_a_payment_is_open_until_its_payer_pays(served: Served) -> None:
    intent = await served.start()
    assert (await served.adapter.ask(intent)).state == "open"
    await served.pay(intent.reference)
    report = await served.adapter.ask(intent)
    assert report.state == "paid" and find_mismatch(intent, report) == ""


async def test_starting_again_after_a_lost_answer_takes_no_second_payment(served: Served) -> None:
    intent = await served.start()
    try:
        again = await served.adapter.start(intent, RETURN_URL)
        assert again.reference == intent.reference
    except NotEligible:
        assert (await served.adapter.ask(intent)).state == "open"
    await served.pay(intent.reference)
    assert served.money() == (Decimal("34.99"), Decimal(0))


async def test_an_unknown_payment_is_not_found(served: Served) -> None:
    intent = replace(FRESH, provider=served.adapter.name)
    with pytest.raises(NotFound):
        await served.adapter.ask(intent)
    with pytest.raises(NotFound):
        await served.adapter.ask(replace(intent, reference="a0000000-0000-4000-8000-000000000000"))


async def test_money_goes_back_once_per_key_or_not_at_all(served: Served) -> None:
    intent = await served.start()
    await served.pay(intent.reference)
    if served.adapter.name == "orange_money":
        with pytest.raises(NotEligible):
            await served.adapter.refund(intent, intent.amount, f"{intent.id}-r")
        return
    first = await served.adapter.refund(intent, intent.amount, f"{intent.id}-r")
    assert first == ("open" if served.adapter.name == "mtn_momo" else "made")
    assert await served.adapter.refund(intent, intent.amount, f"{intent.id}-r") == "made"
    assert served.money() == (Decimal("34.99"), Decimal("34.99"))


async def test_what_is_no_callback_is_refused(served: Served) -> None:
    for body in (b"", b"{", b"[]", b'"text"', b'{"externalId": 5}', b"\xff", b"[" * 100_000):
        with pytest.raises(BadRequest):
            served.adapter.read_callback({}, body, NOW)


async def test_closing_never_fails(served: Served) -> None:
    await served.adapter.close(await served.start())
    await served.adapter.close(replace(FRESH, provider=served.adapter.name))


@pytest.mark.parametrize("name", ["payfake", *WALLETS])
async def test_an_unreachable_provider_is_down_and_not_a_refusal(name: str) -> None:
    async with serve_provider(name) as served:
        intent = await served.start()
        client = served.adapter._client  # type: ignore[attr-defined]
        client.base_url = "http://127.0.0.1:9"
        with pytest.raises(Down):
            await served.adapter.ask(intent)


async def test_a_callback_of_mtn_names_our_payment() -> None:
    async with serve_provider("mtn_momo") as served:
        body = json.dumps({"externalId": FRESH.id, "status": "SUCCESSFUL"}).encode()
        hint = served.adapter.read_callback({}, body, NOW)
    assert (hint.intent_id, hint.event_id) == (FRESH.id, f"{FRESH.id}-SUCCESSFUL")


async def test_a_revoked_token_is_fetched_again() -> None:
    book = WalletBook()
    wallet = MtnWallet(book)
    async with serve_app(wallet.create_app(), "127.0.0.1", 0) as port:
        settings = WalletSettings.model_validate(mtn_settings(f"http://127.0.0.1:{port}"))
        adapter = connect_wallet(settings, ProviderContext("orange-fr", 2, "http://127.0.0.1:9", lambda: NOW))
        intent = replace(FRESH, reference=await adapter.reserve(FRESH))
        await adapter.start(intent, "")
        wallet.tokens = {"gone": ""}
        assert (await adapter.ask(intent)).state == "open" and len(wallet.tokens) == 2
        await adapter.close_connections()
