"""PayZen and ClicToPay: requests, answers and callbacks in the form of their published documents."""

import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from flows.domain.failures import BadRequest, InvalidRecord, NotEligible, NotFound
from flows.payments.checks import find_mismatch
from gateway.payments.adapter_registry import connect_provider
from gateway.payments.described_adapter import DescribedPayments
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from tests.gateway.payments.described_bodies import (
    CLICTOPAY_MISSING,
    CLICTOPAY_PAGE,
    INTENT,
    PAYZEN_MISSING,
    PAYZEN_PAGE,
    CannedServer,
    clictopay_order,
    payzen_order,
    serve_bodies,
)
from tests.support.payment_intents import PAYMENT_INTENT

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
KEY = "a key of the shop, for the tests"
FRENCH = replace(PAYMENT_INTENT, id=INTENT, provider="payzen", reference="8e3a95b7bcf24d7eb1ba1aa8df7d7e11")
TUNISIAN = replace(
    FRENCH, operator="tunisie-telecom", amount=Decimal("45.230"), currency="TND", provider="clictopay"
)
INTENTS, DECIMALS = {"payzen": FRENCH, "clictopay": TUNISIAN}, {"payzen": 2, "clictopay": 3}
ASK = {"payzen": "Order/Get", "clictopay": "getOrderStatusExtended.do"}


def build_adapter(name: str, url: str = "http://127.0.0.1:9", **more: Any) -> DescribedPayments:
    given = {"provider": name, "account": "69876357", "api_key": KEY, "api_url": url, **more}
    notify_url = f"https://gw.example.net/hooks/{INTENTS[name].operator}/{name}/payment"
    context = ProviderContext(INTENTS[name].operator, DECIMALS[name], notify_url, lambda: NOW)
    adapter = connect_provider(PaymentSettings.model_validate(given), context)
    assert isinstance(adapter, DescribedPayments)
    return adapter


@asynccontextmanager
async def served(
    name: str, answers: dict[str, dict[str, Any]]
) -> AsyncIterator[tuple[DescribedPayments, CannedServer]]:
    async with serve_bodies(answers) as server:
        adapter = build_adapter(name, server.url)
        yield adapter, server
        await adapter.close_connections()


async def test_payzen_opens_a_payment_order_in_minor_units_under_our_id() -> None:
    async with served("payzen", {"Charge/CreatePaymentOrder": PAYZEN_PAGE}) as (adapter, server):
        started = await adapter.start(FRENCH, "https://gw.example.net/orange-fr/paid")
    assert started.page_url == "https://secure.payzen.eu/t/7qk42m9t" and started.reference == FRENCH.reference
    ((_, fields, authorization),) = server.requests
    assert fields["amount"] == 3499 and fields["currency"] == "EUR" and fields["orderId"] == INTENT
    assert fields["channelOptions"] == {"channelType": "URL"}
    assert fields["ipnTargetUrl"].endswith("/hooks/orange-fr/payzen/payment")
    assert authorization == f"Basic {b64encode(f'69876357:{KEY}'.encode()).decode()}"


async def test_clictopay_registers_an_order_in_millimes() -> None:
    async with served("clictopay", {"register.do": CLICTOPAY_PAGE}) as (adapter, server):
        started = await adapter.start(TUNISIAN, "https://gw.example.net/tunisie-telecom/paid")
    ((_, fields, _),) = server.requests
    assert started.reference == CLICTOPAY_PAGE["orderId"] and started.page_url == CLICTOPAY_PAGE["formUrl"]
    assert fields["amount"] == "45230" and fields["currency"] == "788" and fields["orderNumber"] == INTENT
    assert fields["userName"] == "69876357" and fields["password"] == KEY


@pytest.mark.parametrize(
    ("name", "body", "state", "fault"),
    [
        ("payzen", payzen_order(), "paid", ""),
        ("payzen", payzen_order(amount=1), "paid", "amount"),
        ("payzen", payzen_order(currency="USD"), "paid", "currency"),
        ("clictopay", clictopay_order(), "paid", ""),
        ("clictopay", clictopay_order(amount=4523), "paid", "amount"),
        ("clictopay", clictopay_order(currency="978"), "paid", "currency"),
        ("clictopay", clictopay_order(orderNumber="another"), "paid", "intent"),
        ("clictopay", clictopay_order(orderStatus=6), "failed", ""),
        ("clictopay", clictopay_order(orderStatus=0), "open", ""),
        ("clictopay", clictopay_order(orderStatus=5), "open", ""),
    ],
)
async def test_what_the_provider_says_is_read(name: str, body: dict[str, Any], state: str, fault: str) -> None:
    async with served(name, {ASK[name]: body}) as (adapter, _):
        report = await adapter.ask(INTENTS[name])
    assert report.state == state and find_mismatch(INTENTS[name], report) == fault


async def test_a_test_payment_is_none_where_real_bills_are_paid() -> None:
    body = payzen_order()
    body["answer"]["orderDetails"]["mode"] = "TEST"
    async with served("payzen", {"Order/Get": body}) as (adapter, _):
        assert find_mismatch(FRENCH, await adapter.ask(FRENCH)) == "test"


async def test_an_unpaid_order_is_open_whatever_else_it_says() -> None:
    body = payzen_order()
    body["answer"]["orderStatus"] = "UNPAID"
    async with served("payzen", {"Order/Get": body}) as (adapter, _):
        assert (await adapter.ask(FRENCH)).state == "open"


@pytest.mark.parametrize(("name", "body"), [("payzen", PAYZEN_MISSING), ("clictopay", CLICTOPAY_MISSING)])
async def test_an_order_the_provider_does_not_know_is_not_found(name: str, body: dict[str, Any]) -> None:
    async with served(name, {ASK[name]: body}) as (adapter, _):
        with pytest.raises(NotFound):
            await adapter.ask(INTENTS[name])


@pytest.mark.parametrize("amount", ["", "34.99", "-1", None, 1.5, [3499], "9" * 16])
async def test_an_unusable_amount_is_no_payment(amount: Any) -> None:
    async with served("payzen", {"Order/Get": payzen_order(amount=amount)}) as (adapter, _):
        with pytest.raises(InvalidRecord):
            await adapter.ask(FRENCH)


async def test_a_refund_names_the_payment_and_is_made_once() -> None:
    done = {"status": "SUCCESS", "answer": {}}
    answers = {"Order/Get": payzen_order(), "Transaction/CancelOrRefund": done}
    async with served("payzen", answers) as (adapter, server):
        await adapter.refund(FRENCH, FRENCH.amount, "k")
        _, fields, _ = server.requests[-1]
        assert fields["uuid"] == "de7dc1ffc2a44a4ba3e0d3a7b4a0a1c1" and fields["amount"] == 3499
        server.answers["Order/Get"] = payzen_order(operationType="CREDIT")
        await adapter.refund(FRENCH, FRENCH.amount, "k")
    assert [path for path, _, _ in server.requests].count("Transaction/CancelOrRefund") == 1


async def test_an_order_that_was_given_back_is_not_given_back_again() -> None:
    answers = {ASK["clictopay"]: clictopay_order(orderStatus=4), "refund.do": {"errorCode": "0"}}
    async with served("clictopay", answers) as (adapter, server):
        await adapter.refund(TUNISIAN, TUNISIAN.amount, "k")
    assert [path for path, _, _ in server.requests] == [ASK["clictopay"]]


def callback(key: str = KEY, slash: str = "/", **changed: Any) -> bytes:
    details = {"orderId": INTENT, "mode": "PRODUCTION"} | changed
    answer = json.dumps({"shopId": "69876357", "orderStatus": "PAID", "orderDetails": details, "u": "a/b"})
    digest = hmac.digest(key.encode(), answer.encode(), "sha256").hex()
    sent = answer.replace("/", slash)
    return urlencode({"kr-hash": digest, "kr-hash-algorithm": "sha256_hmac", "kr-answer": sent}).encode()


@pytest.mark.parametrize("slash", ["/", "\\/"], ids=["plain", "escaped"])
def test_a_signed_notification_names_the_payment(slash: str) -> None:
    hint = build_adapter("payzen").read_callback({}, callback(slash=slash), NOW)
    assert hint.intent_id == INTENT and not hint.is_test and len(hint.event_id) == 64


@pytest.mark.parametrize(
    "body",
    [
        callback(key="another key"),
        callback().replace(b"PAID", b"OPEN"),
        b"kr-answer=%7B%7D",
        b"kr-answer=&kr-hash=",
        b"",
        b"{}",
    ],
    ids=["another key", "altered", "unsigned", "empty", "nothing", "json"],
)
def test_a_forged_notification_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        build_adapter("payzen").read_callback({}, body, NOW)
    assert caught.value.status == 401


def test_a_notification_of_a_test_says_so() -> None:
    assert build_adapter("payzen").read_callback({}, callback(mode="TEST"), NOW).is_test
    assert not build_adapter("payzen", test_mode=True).read_callback({}, callback(mode="TEST"), NOW).is_test


def test_an_unsigned_notification_is_never_believed() -> None:
    with pytest.raises(BadRequest):
        build_adapter("clictopay").read_callback({}, urlencode({"orderNumber": INTENT}).encode(), NOW)


async def test_a_provider_that_lists_nothing_says_so() -> None:
    with pytest.raises(NotEligible):
        _ = [each async for each in build_adapter("payzen").list_day(date(2026, 3, 10))]


@pytest.mark.parametrize(
    "given",
    [{"provider": "payzen", "api_key": KEY}, {"provider": "stripe", "api_key": KEY}],
    ids=["account", "webhook_secret"],
)
def test_what_a_provider_needs_is_asked_for_by_name(
    given: dict[str, str], request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ValidationError, match=request.node.callspec.id):
        PaymentSettings.model_validate(given)
