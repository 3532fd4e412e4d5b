"""Netopia: what is sent, what its answers mean, which notifications are believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from flows.domain.failures import BadRequest, InvalidRecord, NotEligible, NotFound
from flows.payments.checks import find_mismatch
from gateway.payments.adapter_registry import connect_provider
from gateway.payments.netopia import VERIFICATION_HEADER, NetopiaPayments
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from tests.gateway.payments.netopia_bodies import (
    API_KEY,
    NTP_ID,
    PAGE,
    POS,
    STARTED,
    NetopiaServer,
    notice_body,
    payment_answer,
    public_pem,
    serve_netopia,
    sign_token,
)
from tests.support.payment_intents import PAYMENT_INTENT

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
INTENT = replace(
    PAYMENT_INTENT,
    amount=Decimal("79.90"),
    currency="RON",
    created_at=NOW,
    provider="netopia",
    reference=NTP_ID,
)


def build_adapter(url: str = "http://127.0.0.1:9", **more: Any) -> NetopiaPayments:
    secrets = {"api_key": API_KEY, "account": POS, "webhook_secret": public_pem()}
    settings = PaymentSettings.model_validate({"provider": "netopia", "api_url": url, **secrets, **more})
    context = ProviderContext("orange-ro", 2, "https://gw.example.net/hooks/x", lambda: NOW)
    adapter = connect_provider(settings, context)
    assert isinstance(adapter, NetopiaPayments)
    return adapter


@asynccontextmanager
async def served(**answers: Any) -> AsyncIterator[tuple[NetopiaPayments, NetopiaServer]]:
    async with serve_netopia(**answers) as server:
        adapter = build_adapter(server.url)
        yield adapter, server
        await adapter.close_connections()


async def test_an_order_is_opened_with_its_amount_our_id_and_nothing_about_the_payer() -> None:
    async with served(start=STARTED) as (adapter, server):
        started = await adapter.start(INTENT, "https://gw.example.net/orange-ro/paid")
    assert (started.reference, started.page_url) == (NTP_ID, PAGE)
    path, key, body = server.calls[0]
    assert (path, key) == ("payment/card/start", API_KEY)
    order = body["order"]
    assert (order["amount"], order["currency"], order["orderID"]) == (79.9, "RON", INTENT.id)
    assert order["posSignature"] == POS and "billing" not in order and INTENT.payer not in str(body)


async def test_an_order_that_is_refused_opens_no_page() -> None:
    refused = payment_answer(12, paymentURL=PAGE) | {"error": {"code": "34", "message": "no"}}
    async with served(start=refused) as (adapter, _):
        with pytest.raises(NotEligible):
            await adapter.start(INTENT, "https://gw.example.net/orange-ro/paid")


@pytest.mark.parametrize(
    ("status", "state"),
    [(3, "paid"), (5, "paid"), (12, "failed"), (4, "failed"), (23, "expired"), (15, "open")],
)
async def test_a_status_number_means_what_the_documents_say(status: int, state: str) -> None:
    async with served(status=payment_answer(status)) as (adapter, server):
        report = await adapter.ask(INTENT)
    assert report.state == state and not find_mismatch(INTENT, report)
    assert server.calls[0][2] == {"posID": POS, "ntpID": NTP_ID, "orderID": INTENT.id}


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"amount": 7.99}, "amount"), ({"currency": "EUR"}, "currency"), ({"amount": 80}, "amount")],
)
async def test_another_amount_or_currency_is_not_as_agreed(change: dict[str, Any], fault: str) -> None:
    async with served(status=payment_answer(3, **change)) as (adapter, _):
        assert find_mismatch(INTENT, await adapter.ask(INTENT)) == fault


async def test_the_answer_about_another_payment_is_not_used() -> None:
    async with served(status=payment_answer(3, ntpID="999")) as (adapter, _):
        with pytest.raises(InvalidRecord):
            await adapter.ask(INTENT)


async def test_without_a_reference_there_is_nothing_to_ask_about() -> None:
    with pytest.raises(NotFound):
        await build_adapter().ask(replace(INTENT, reference=""))


async def test_money_is_given_back_once() -> None:
    async with served(status=payment_answer(3), credit=payment_answer(8)) as (adapter, server):
        await adapter.refund(INTENT, Decimal("79.90"), "k")
    assert server.calls[-1][2] == {"ntpID": NTP_ID, "amount": 79.9}
    async with served(status=payment_answer(8)) as (adapter, server):
        await adapter.refund(INTENT, Decimal("79.90"), "k")
    assert [path for path, _, _ in server.calls] == ["operation/status"]


def test_a_signed_notification_names_the_payment_to_ask_about() -> None:
    body = notice_body(INTENT.id)
    hint = build_adapter().read_callback({VERIFICATION_HEADER: sign_token(body, {})}, body, NOW)
    assert (hint.intent_id, hint.reference, hint.event_id) == (INTENT.id, NTP_ID, f"{NTP_ID}/3")


AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        sign_token(notice_body(INTENT.id), {}, number=2),
        sign_token(notice_body(INTENT.id, 5), {}),
        sign_token(notice_body(INTENT.id), {"iss": "Somebody"}),
        sign_token(notice_body(INTENT.id), {"aud": ["ZZZZ-BBBB-CCCC-DDDD-EEEE"]}),
        sign_token(notice_body(INTENT.id), {"exp": AT - 3_600}),
        sign_token(notice_body(INTENT.id), {"iat": (AT + 3_600) * 1_000}),
        sign_token(notice_body(INTENT.id), {"exp": 10**400}),
        sign_token(notice_body(INTENT.id), {"nbf": -(10**400)}),
        sign_token(notice_body(INTENT.id), {}, header={"typ": "JWT", "alg": "none"}),
        sign_token(notice_body(INTENT.id), {}, header={"typ": "JWT", "alg": "HS512"}),
    ],
    ids=[
        "none",
        "no_token",
        "forged",
        "other_body",
        "issuer",
        "point_of_sale",
        "over",
        "future",
        "a time of 400 digits",
        "one before all time",
        "alg_none",
        "hmac",
    ],
)
def test_a_notification_that_is_not_netopias_is_refused(token: str) -> None:
    with pytest.raises(BadRequest) as refused:
        build_adapter().read_callback({VERIFICATION_HEADER: token}, notice_body(INTENT.id), NOW)
    assert refused.value.status == 401


def test_the_sandbox_counts_only_in_test_mode() -> None:
    body = notice_body(INTENT.id)
    for test_mode in (False, True):
        adapter = build_adapter("http://sandbox.example.net", test_mode=test_mode)
        hint = adapter.read_callback({VERIFICATION_HEADER: sign_token(body, {})}, body, NOW)
        assert hint.is_test is not test_mode


def test_a_key_that_is_none_stops_the_start() -> None:
    with pytest.raises(ValueError, match="webhook_secret"):
        build_adapter(webhook_secret="not a key, but long enough")
