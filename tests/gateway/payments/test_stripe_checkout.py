"""Stripe Checkout: what is sent, what its answers mean, which callbacks are believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from flows.domain.failures import BadRequest, NotEligible
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.signed_body import TOLERANCE_SECONDS, sign_body
from gateway.payments.stripe_checkout import SIGNATURE_HEADER, StripePayments
from tests.gateway.payments.stripe_bodies import (
    OPEN_SESSION,
    REFUND,
    SECRET_KEY,
    SESSION,
    SIGNING_SECRET,
    StripeServer,
    event_body,
    serve_stripe,
)
from tests.support.payment_intents import PAYMENT_INTENT

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
INTENT = replace(PAYMENT_INTENT, created_at=NOW, changed_at=NOW, provider="stripe", reference="cs_live_a1b2c3")


def build_adapter(url: str = "http://127.0.0.1:9", **more: Any) -> StripePayments:
    settings = PaymentSettings.model_validate(
        {
            "provider": "stripe",
            "api_url": url,
            "api_key": SECRET_KEY,
            "webhook_secret": SIGNING_SECRET,
            **more,
        }
    )
    notify_url = "https://gw.example.net/hooks/orange-fr/stripe/payment"
    return StripePayments(settings, ProviderContext("orange-fr", 2, notify_url, lambda: NOW))


@asynccontextmanager
async def served(session: dict[str, Any]) -> AsyncIterator[tuple[StripePayments, StripeServer]]:
    async with serve_stripe(session) as server:
        adapter = build_adapter(server.url)
        yield adapter, server
        await adapter.close_connections()


def signed(body: bytes, at: int | None = None, secret: str = SIGNING_SECRET) -> dict[str, str]:
    return {SIGNATURE_HEADER: sign_body(secret.encode(), body, int(NOW.timestamp()) if at is None else at)}


async def test_a_session_is_opened_with_the_amount_in_minor_units_and_our_key() -> None:
    async with served(OPEN_SESSION) as (adapter, server):
        started = await adapter.start(INTENT, "https://gw.example.net/orange-fr/paid?payment=x")
        await adapter.start(INTENT, "https://gw.example.net/orange-fr/paid?payment=x")
    assert started.page_url == OPEN_SESSION["url"] and started.reference == "cs_live_a1b2c3"
    method, path, form, key = server.calls[0]
    assert (method, path, key) == ("POST", "/v1/checkout/sessions", INTENT.id)
    assert form["line_items[0][price_data][unit_amount]"] == "3499" and form["client_reference_id"] == INTENT.id
    assert server.calls[0] == server.calls[1]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "paid"),
        ({"payment_status": "unpaid", "status": "open", "payment_intent": None}, "open"),
        ({"payment_status": "unpaid", "payment_intent": {"id": "pi", "status": "processing"}}, "open"),
        ({"payment_status": "unpaid", "payment_intent": {"id": "pi", "status": "canceled"}}, "failed"),
        ({"payment_status": "unpaid", "status": "expired", "payment_intent": None}, "expired"),
        ({"payment_status": "no_payment_required"}, "open"),
    ],
    ids=["paid", "open", "processing", "refused", "expired", "free"],
)
async def test_only_a_paid_session_is_money(change: dict[str, Any], state: str) -> None:
    async with served(SESSION | change) as (adapter, _):
        report = await adapter.ask(INTENT)
    assert (report.state, report.amount, report.currency) == (state, Decimal("34.99"), "EUR")


async def test_a_refund_names_the_payment_behind_the_session() -> None:
    async with served(SESSION) as (adapter, server):
        assert await adapter.refund(INTENT, Decimal("34.99"), "key-r") == "made"
    assert server.calls[-1] == (
        "POST",
        "/v1/refunds",
        {"payment_intent": "pi_3Abc", "amount": "3499"},
        "key-r",
    )


async def test_a_refund_that_takes_days_is_looked_at_and_not_ordered_again() -> None:
    async with served(SESSION) as (adapter, server):
        server.refunds = [REFUND | {"status": "pending"}]
        assert await adapter.refund(INTENT, Decimal("34.99"), "key-r") == "open"
        server.refunds = [REFUND | {"status": "failed"}]
        with pytest.raises(NotEligible):
            await adapter.refund(INTENT, Decimal("34.99"), "key-r")
    assert all(method == "GET" for method, *_ in server.calls)


async def test_the_payments_of_a_day_are_listed() -> None:
    async with served(SESSION) as (adapter, _):
        listed = [each async for each in adapter.list_day(NOW.date())]
    assert [each.intent_id for each in listed] == [INTENT.id]


def test_a_signed_event_names_the_payment() -> None:
    body = event_body(SESSION)
    hint = build_adapter().read_callback(signed(body), body, NOW)
    assert (hint.event_id, hint.intent_id, hint.reference) == ("evt_1Abc", INTENT.id, "cs_live_a1b2c3")


def test_an_event_about_something_else_names_none() -> None:
    body = event_body({"id": "cus_1", "object": "customer"}, "customer.created")
    assert build_adapter().read_callback(signed(body), body, NOW).intent_id == ""


def test_both_secrets_are_accepted_while_one_is_replaced() -> None:
    body = event_body(SESSION)
    adapter = build_adapter(old_webhook_secret="the secret of last year, nowhere else")
    old = signed(body, secret="the secret of last year, nowhere else")
    assert adapter.read_callback(old, body, NOW).intent_id == INTENT.id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "t=,v1="},
        {SIGNATURE_HEADER: "v1=00"},
        signed(event_body(SESSION), secret="another secret of the same length"),
        signed(event_body(SESSION), at=int(NOW.timestamp()) - TOLERANCE_SECONDS - 1),
        signed(event_body(SESSION), at=int(NOW.timestamp()) + TOLERANCE_SECONDS + 1),
        signed(event_body(SESSION) + b" "),
    ],
    ids=["none", "empty", "blank", "no-time", "other-secret", "old", "future", "other-body"],
)
def test_a_callback_that_is_forged_or_old_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest) as caught:
        build_adapter().read_callback(headers, event_body(SESSION), NOW)
    assert caught.value.status == 401


def test_a_test_payment_counts_only_where_that_is_set() -> None:
    body = event_body(SESSION | {"livemode": False}, livemode=False)
    assert build_adapter().read_callback(signed(body), body, NOW).is_test
    assert not build_adapter(test_mode=True).read_callback(signed(body), body, NOW).is_test


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"\xff", b"[" * 100_000])
def test_a_signed_body_that_cannot_be_read_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        build_adapter().read_callback(signed(body), body, NOW)
    assert caught.value.status == 400
