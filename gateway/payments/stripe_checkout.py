"""Adapter of Stripe Checkout: hosted sessions, minor units, callbacks with a signed body.

Source: Stripe's API reference (Checkout sessions, refunds, webhook signatures, idempotent requests).
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flows.domain.failures import BadRequest, Failure, InvalidRecord, NotEligible, NotFound
from flows.domain.payment_records import (
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    RefundState,
    ReportedState,
    StartedPayment,
)
from gateway.payments.answer_amounts import from_minor_units, optional_text, require_text, to_minor_units
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.signed_body import verify_signed_body

API_VERSION = "2024-06-20"
"""Version of the interface this adapter was written for; Stripe keeps it."""
SESSIONS = "v1/checkout/sessions"
SIGNATURE_HEADER = "Stripe-Signature"
SESSION_EVENTS = "checkout.session."
"""Beginning of the events' names that are about a session; others are acknowledged and ignored."""
FAILED_STATUSES = frozenset({"requires_payment_method", "canceled"})
"""Statuses of the payment behind a completed, unpaid session whose bank has refused."""
PAGE_SIZE = 100
REFUNDS = "v1/refunds"
FAILED_REFUNDS = frozenset({"failed", "canceled"})


class StripePayments:
    """Implements the `Payments` port."""

    name, refund_obstacle = "stripe", ""

    def __init__(self, settings: PaymentSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        key, headers = settings.api_key.get_secret_value(), {"Stripe-Version": API_VERSION}
        self._client = ProviderClient(settings.base_url, key, context.now, headers)

    @property
    def page_origin(self) -> str:
        """Origin of the hosted page."""
        return self._settings.pages

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Create a session; all fields follow from the intent, as Stripe refuses a key with other fields."""
        expires_at = intent.created_at + timedelta(minutes=self._settings.page_minutes)
        form = self._session_form(intent, return_url, expires_at)
        answer = await self._client.call(ProviderCall("POST", SESSIONS, form=form, idempotency_key=intent.id))
        return StartedPayment(require_text(answer, "id"), require_text(answer, "url", 2_000), expires_at)

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the session."""
        return self._report(await self._read_session(intent))

    async def close(self, intent: PaymentIntent) -> None:
        """Expire the session; one that is paid or expired already refuses."""
        if intent.reference:
            with suppress(Failure):
                await self._client.call(ProviderCall("POST", f"{SESSIONS}/{intent.reference}/expire"))

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Refund a part or all of the session's payment, once per key; some banks take days.

        Stripe forgets keys after a day: a refund that there is already is looked at instead.
        """
        payment = require_text(_payment_of(await self._read_session(intent)), "id")
        query = {"payment_intent": payment, "limit": "1"}
        known = (await self._client.call(ProviderCall("GET", REFUNDS, query=query))).get("data")
        if isinstance(known, list) and known and isinstance(known[0], dict):
            return _refund_state(known[0])
        form = {"payment_intent": payment, "amount": str(to_minor_units(amount, self._context.decimals))}
        call = ProviderCall("POST", REFUNDS, form=form, idempotency_key=key)
        return _refund_state(await self._client.call(call))

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Verify the signature; an event that is about no session of ours names no intent."""
        verify_signed_body(headers.get(SIGNATURE_HEADER, ""), body, self._settings.webhook_secrets, now)
        try:
            event = json.loads(body)
            session = event["data"]["object"]
            is_session = str(event["type"]).startswith(SESSION_EVENTS)
            return PaymentHint(
                event_id=require_text(event, "id", 128),
                intent_id=optional_text(session, "client_reference_id") if is_session else "",
                reference=require_text(session, "id") if is_session else "",
                is_test=self._is_refused_test(event),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidRecord):
            raise BadRequest("the callback cannot be read") from None

    async def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Yield the sessions created on a day (UTC) that name an intent, page by page."""
        start = int(datetime.combine(day, time(), UTC).timestamp())
        query = {"created[gte]": str(start), "created[lt]": str(start + 86_400), "limit": str(PAGE_SIZE)}
        while True:
            answer = await self._client.call(ProviderCall("GET", SESSIONS, query=query))
            sessions = [each for each in answer.get("data", ()) if isinstance(each, dict)]
            for session in sessions:
                if optional_text(session, "client_reference_id"):
                    yield self._report(session)
            if answer.get("has_more") is not True or not sessions:
                return
            query["starting_after"] = require_text(sessions[-1], "id")

    async def close_connections(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _read_session(self, intent: PaymentIntent) -> Mapping[str, Any]:
        if not intent.reference:
            raise NotFound
        query = {"expand[]": "payment_intent"}
        return await self._client.call(ProviderCall("GET", f"{SESSIONS}/{intent.reference}", query=query))

    def _session_form(self, intent: PaymentIntent, return_url: str, expires_at: datetime) -> Mapping[str, str]:
        price = "line_items[0][price_data]"
        return {
            "mode": "payment",
            "client_reference_id": intent.id,
            "success_url": return_url,
            "cancel_url": return_url,
            "expires_at": str(int(expires_at.timestamp())),
            "locale": "auto",
            "line_items[0][quantity]": "1",
            f"{price}[currency]": intent.currency.lower(),
            f"{price}[unit_amount]": str(to_minor_units(intent.amount, self._context.decimals)),
            f"{price}[product_data][name]": intent.bill_number,
            "payment_intent_data[metadata][payment]": intent.id,
        }

    def _report(self, session: Mapping[str, Any]) -> PaymentReport:
        return PaymentReport(
            state=_report_state(session),
            intent_id=optional_text(session, "client_reference_id"),
            reference=require_text(session, "id"),
            amount=from_minor_units(session.get("amount_total"), self._context.decimals),
            currency=require_text(session, "currency", 3).upper(),
            is_test=self._is_refused_test(session),
        )

    def _is_refused_test(self, resource: Mapping[str, Any]) -> bool:
        return resource.get("livemode") is not True and not self._settings.test_mode


def _report_state(session: Mapping[str, Any]) -> ReportedState:
    """Return what a session says: only `paid` is money; a completed one may still wait for the bank."""
    if session.get("payment_status") == "paid":
        return "paid"
    if session.get("status") == "expired":
        return "expired"
    is_refused = session.get("status") == "complete" and _payment_of(session).get("status") in FAILED_STATUSES
    return "failed" if is_refused else "open"


def _refund_state(refund: Mapping[str, Any]) -> RefundState:
    """Return how far a refund is; NotEligible for one that failed or was canceled."""
    status = optional_text(refund, "status")
    if status in FAILED_REFUNDS:
        raise NotEligible(f"the refund is {status}")
    return "made" if status == "succeeded" else "open"


def _payment_of(session: Mapping[str, Any]) -> Mapping[str, Any]:
    payment = session.get("payment_intent")
    return payment if isinstance(payment, dict) else {"id": payment}
