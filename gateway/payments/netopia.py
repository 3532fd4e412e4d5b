"""Netopia Payments (Romania), interface v2: hosted page, status, refunds, signed notifications.

Nothing here was recorded from a live account. Paths, the fields of an order, the payment's status numbers and
the notification's token (RS512, `iss`, `aud`, `sub`) are as Netopia's own published documents and PHP library
have them (read in November 2026); that an order without an instrument is answered with `paymentURL`, and
`operation/credit` for giving back, are as published clients are known to use them.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flows.domain.failures import BadRequest, InvalidRecord, NotEligible, NotFound
from flows.domain.payment_records import (
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    RefundState,
    ReportedState,
    StartedPayment,
)
from gateway.payments.answer_amounts import read_decimal, require_text
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.payments.provider_context import ProviderContext
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.signed_token import read_signed_token, require_public_key

VERIFICATION_HEADER = "Verification-token"
ISSUER = "NETOPIA Payments"
STATES: Mapping[int, ReportedState] = {
    **dict.fromkeys((3, 5, 8), "paid"),
    **dict.fromkeys((4, 11, 12, 13), "failed"),
    23: "expired",
}
"""What a payment's status number means; any other is open. 8 is paid and given back."""
GIVEN_BACK = 8
MAX_CALLBACK_REFERENCE = 100
"""Characters of Netopia's id in a callback: with the status it names the event, whose column takes 160."""
REDIRECT_CODES = ("101", "100", "00", "0")
"""Error codes of an order that was taken: pay on the page, 3-D Secure, approved."""


class NetopiaPayments:
    """Implements the `Payments` port for Netopia; the account is the signature of the point of sale."""

    name, refund_obstacle = "netopia", ""

    def __init__(self, settings: PaymentSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        key = settings.api_key.get_secret_value()
        try:
            self._keys = tuple(map(require_public_key, settings.webhook_secrets))
        except ValueError as error:
            raise ValueError("payments.webhook_secret: must be Netopia's RSA public key in PEM form") from error
        self._client = ProviderClient(settings.base_url, key, context.now, {"Authorization": key})

    @property
    def page_origin(self) -> str:
        """Origin of the hosted page."""
        return self._settings.pages

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Open the page; our id is the order's, and an order of the same id is the same one."""
        answer = await self._post("payment/card/start", self._order(intent, return_url))
        payment = _payment_of(answer)
        if _error_code(answer) not in REDIRECT_CODES:
            raise NotEligible("the payment provider refused the call")
        expires_at = intent.created_at + timedelta(minutes=self._settings.page_minutes)
        return StartedPayment(
            require_text(payment, "ntpID"), require_text(payment, "paymentURL", 2_000), expires_at
        )

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the order by both ids; NotFound before the page was opened."""
        payment = await self._read_payment(intent)
        state = STATES.get(_status_of(payment), "open")
        if state == "open":
            return PaymentReport("open", intent.id, intent.reference, intent.amount, intent.currency)
        return PaymentReport(
            state=state,
            intent_id=intent.id,
            reference=require_text(payment, "ntpID"),
            amount=read_decimal(payment.get("amount")),
            currency=require_text(payment, "currency", 3).upper(),
            is_test=self._is_refused_test,
        )

    async def close(self, intent: PaymentIntent) -> None:
        """Do nothing: the page closes at its time, and a payment until then is followed like any other."""

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Give an amount back, unless that was done before."""
        if _status_of(await self._read_payment(intent)) == GIVEN_BACK:
            return "made"
        body = {"ntpID": intent.reference, "amount": float(amount)}
        if _status_of(_payment_of(await self._post("operation/credit", body))) != GIVEN_BACK:
            raise NotEligible("the payment provider gave nothing back")
        return "made"

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Verify the token and that it is about this body and this point of sale; 401 otherwise."""
        try:
            claims = read_signed_token(headers.get(VERIFICATION_HEADER, ""), body, self._keys, now)
        except (ValueError, RecursionError) as error:
            raise BadRequest("the signature does not match", 401) from error
        if claims.get("iss") != ISSUER or claims.get("aud") not in (self._audience, [self._audience]):
            raise BadRequest("the callback is for another point of sale", 401)
        try:
            notice = json.loads(body)
            payment = _payment_of(notice)
            reference = require_text(payment, "ntpID", MAX_CALLBACK_REFERENCE)
            order = require_text(notice.get("order") or {}, "orderID")
        except (ValueError, AttributeError, RecursionError, InvalidRecord):
            raise BadRequest("the callback cannot be read") from None
        return PaymentHint(f"{reference}/{_status_of(payment)}", order, reference, self._is_refused_test)

    async def list_day(self, day: date) -> AsyncIterator[PaymentReport]:
        """Raise NotEligible: this interface lists nothing; each payment is asked about instead."""
        raise NotEligible("this provider lists no payments")
        yield

    async def close_connections(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def _audience(self) -> str:
        return self._settings.account

    @property
    def _is_sandbox(self) -> bool:
        return "sandbox" in self._settings.base_url

    @property
    def _is_refused_test(self) -> bool:
        return self._is_sandbox and not self._settings.test_mode

    async def _read_payment(self, intent: PaymentIntent) -> Mapping[str, Any]:
        """Return the payment; NotFound without our reference, InvalidRecord for another payment's answer."""
        if not intent.reference:
            raise NotFound
        body = {"posID": self._audience, "ntpID": intent.reference, "orderID": intent.id}
        payment = _payment_of(await self._post("operation/status", body))
        if payment.get("ntpID") != intent.reference:
            raise InvalidRecord("the payment provider answered another payment")
        return payment

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._client.call(ProviderCall("POST", path, body=body))

    def _order(self, intent: PaymentIntent, return_url: str) -> Mapping[str, Any]:
        """Return the order; nothing about the payer is sent, the page asks for what it needs."""
        language = "ro" if intent.language == "ro" else "en"
        config = {"notifyUrl": self._context.notify_url, "redirectUrl": return_url, "language": language}
        options = {"installments": 1, "bonus": 0}
        order = {
            "posSignature": self._audience,
            "dateTime": intent.created_at.isoformat(timespec="seconds"),
            "description": intent.bill_number,
            "orderID": intent.id,
            "amount": float(intent.amount),
            "currency": intent.currency,
        }
        return {"config": config, "payment": {"options": options}, "order": order}


def _payment_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    payment = answer.get("payment")
    if not isinstance(payment, dict):
        raise InvalidRecord("the payment provider answered no payment")
    return payment


def _error_code(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("code")) if isinstance(error, dict) else ""


def _status_of(payment: Mapping[str, Any]) -> int:
    status = payment.get("status")
    return status if type(status) is int else 0
