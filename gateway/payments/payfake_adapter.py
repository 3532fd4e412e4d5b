"""Adapter of Payfake, the demo's payment provider: JSON, and callbacks with a signed body."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flows.domain.failures import BadRequest, Failure, InvalidRecord, NotFound
from flows.domain.payment_records import (
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    RefundState,
    ReportedState,
    StartedPayment,
)
from gateway.payments.answer_amounts import optional_text, require_text
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.signed_body import verify_signed_body

STATES: Mapping[str, ReportedState] = {"paid": "paid", "refused": "failed", "expired": "expired"}
"""What each of Payfake's statuses means; any other is open."""
SIGNATURE_HEADER = "Payfake-Signature"


class PayfakePayments:
    """Implements the `Payments` port."""

    name, refund_obstacle = "payfake", ""

    def __init__(self, settings: PaymentSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._client = ProviderClient(settings.base_url, settings.api_key.get_secret_value(), context.now)

    @property
    def page_origin(self) -> str:
        """Origin of the hosted page."""
        return self._settings.pages

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Open a session; the intent's id is the idempotency key."""
        expires_at = intent.created_at + timedelta(minutes=self._settings.page_minutes)
        body = {
            "payment": intent.id,
            "amount": str(intent.amount),
            "currency": intent.currency,
            "label": intent.bill_number,
            "language": intent.language,
            "merchant": self._context.operator,
            "return_url": return_url,
            "notify_url": self._context.notify_url,
            "expires_at": expires_at.isoformat(),
        }
        answer = await self._client.call(ProviderCall("POST", "sessions", body=body, idempotency_key=intent.id))
        return StartedPayment(require_text(answer, "id"), require_text(answer, "url", 2_000), expires_at)

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the session."""
        if not intent.reference:
            raise NotFound
        return self._report(await self._client.call(ProviderCall("GET", f"sessions/{intent.reference}")))

    async def close(self, intent: PaymentIntent) -> None:
        """Expire the session; whether it worked shows when it is asked about."""
        if intent.reference:
            with suppress(Failure):
                await self._client.call(ProviderCall("POST", f"sessions/{intent.reference}/close"))

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Give the amount back, once per key."""
        body = {"session": intent.reference, "amount": str(amount)}
        await self._client.call(ProviderCall("POST", "refunds", body=body, idempotency_key=key))
        return "made"

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Verify the signed body and return which session it is about."""
        verify_signed_body(headers.get(SIGNATURE_HEADER, ""), body, self._settings.webhook_secrets, now)
        try:
            event = json.loads(body)
            session = event["session"]
            return PaymentHint(
                event_id=require_text(event, "id", 128),
                intent_id=require_text(session, "payment", 64),
                reference=require_text(session, "id"),
                is_test=self._is_refused_test(session),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidRecord):
            raise BadRequest("the callback cannot be read") from None

    async def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Yield the sessions of a day."""
        answer = await self._client.call(ProviderCall("GET", "list", query={"day": day.isoformat()}))
        for session in answer.get("sessions", ()):
            if session.get("merchant") == self._context.operator:
                yield self._report(session)

    async def close_connections(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _report(self, session: Mapping[str, Any]) -> PaymentReport:
        try:
            amount = Decimal(require_text(session, "amount", 20))
        except InvalidOperation:
            raise InvalidRecord("the payment provider answered an unusable amount") from None
        is_ours = session.get("merchant") == self._context.operator
        return PaymentReport(
            state=STATES.get(optional_text(session, "status"), "open"),
            intent_id=require_text(session, "payment", 64) if is_ours else "",
            reference=require_text(session, "id"),
            amount=amount,
            currency=require_text(session, "currency", 3),
            is_test=self._is_refused_test(session),
        )

    def _is_refused_test(self, session: Mapping[str, Any]) -> bool:
        return session.get("live") is not True and not self._settings.test_mode
