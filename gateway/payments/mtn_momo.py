"""Adapter of MTN Mobile Money: a request to pay, which the payer approves with the wallet's PIN.

Source: MTN's MoMo developer portal, product Collections (requesttopay v1_0, its status and its callback).
From memory: the token calls of each product, the refund v1_0 of Disbursements and its status, most codes of
the reasons.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import SecretStr

from flows.domain.failures import BadRequest, InvalidRecord, NotEligible, NotFound
from flows.domain.payment_records import (
    FailureReason,
    PaymentHint,
    PaymentIntent,
    PaymentReport,
    RefundState,
    ReportedState,
    StartedPayment,
)
from gateway.payments.access_token import TokenBearer, basic_authorization
from gateway.payments.answer_amounts import optional_text, read_decimal, require_text
from gateway.payments.provider_client import ProviderCall
from gateway.payments.provider_context import ProviderContext
from gateway.payments.wallet_adapter import WalletAdapter
from gateway.payments.wallet_settings import WalletSettings

STATES: Mapping[str, ReportedState] = {"SUCCESSFUL": "paid", "FAILED": "failed", "REJECTED": "failed"}
"""What each status means; any other is open, a timeout too, as the money may still move."""
FAILURES: Mapping[str, FailureReason] = {
    "NOT_ENOUGH_FUNDS": "funds",
    "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED": "funds",
    "PAYER_LIMIT_REACHED": "limit",
    "APPROVAL_REJECTED": "rejected",
    "PAYMENT_NOT_APPROVED": "rejected",
    "TRANSACTION_CANCELED": "rejected",
    "EXPIRED": "unanswered",
    "PAYER_NOT_FOUND": "no_wallet",
}
"""What each reason of a failure means to the payer; others are told as a failure without a reason."""
ACCEPTED_STATUSES = (202, 409)
"""Accepted now, or accepted before under the same reference (RESOURCE_ALREADY_EXIST)."""
NOT_FOUND_STATUS = 404
REFUNDS = "disbursement/v1_0/refund"


class MtnMomoPayments(WalletAdapter):
    """Implements the `WalletPayments` port."""

    name = "mtn_momo"

    def __init__(self, settings: WalletSettings, context: ProviderContext) -> None:
        super().__init__(settings, context)
        self._collections = self._bearer("collection", settings.subscription_key)
        self._disbursements = self._bearer("disbursement", settings.refund_subscription_key)

    @property
    def refund_obstacle(self) -> str:
        """Why nothing is given back: refunds are a product of MTN's of its own."""
        has_key = self._settings.refund_subscription_key is not None
        return "" if has_key else "wallet.refund_subscription_key is not set"

    async def reserve(self, intent: PaymentIntent) -> str:
        """Return the reference (X-Reference-Id): a UUID that follows from the intent's id."""
        return str(UUID(hex=intent.id, version=4))

    async def start(self, intent: PaymentIntent, return_url: str) -> StartedPayment:
        """Send the request to the payer's phone, once per reference."""
        body = {
            "amount": str(intent.amount),
            "currency": intent.currency,
            "externalId": intent.id,
            "payer": {"partyIdType": "MSISDN", "partyId": intent.payer.removeprefix("+")},
            "payerMessage": intent.bill_number,
            "payeeNote": intent.receipt,
        }
        headers = {"X-Reference-Id": intent.reference, "X-Callback-Url": self._context.notify_url}
        call = ProviderCall("POST", "collection/v1_0/requesttopay", body=body, headers=headers)
        status, _ = await self._collections.call(call)
        _require_accepted(status)
        return StartedPayment(intent.reference)

    async def ask(self, intent: PaymentIntent) -> PaymentReport:
        """Read the request by its reference."""
        if not intent.reference:
            raise NotFound
        path = f"collection/v1_0/requesttopay/{intent.reference}"
        status, answer = await self._collections.call(ProviderCall("GET", path))
        if status == NOT_FOUND_STATUS:
            raise NotFound
        if status != 200:
            raise NotEligible(f"the payment provider answered {status}")
        return self._report(intent, answer)

    async def refund(self, intent: PaymentIntent, amount: Decimal, key: str) -> RefundState:
        """Give an amount back to the wallet, once per key: MTN accepts a refund and makes it later."""
        if self._settings.refund_subscription_key is None:
            raise NotEligible(self.refund_obstacle)
        reference = str(uuid5(NAMESPACE_OID, key))
        state = await self._ask_refund(reference)
        if state is None:
            await self._order_refund(intent, amount, reference)
        return state or "open"

    async def _ask_refund(self, reference: str) -> RefundState | None:
        """Return how far a refund is; None for one that was not asked for, NotEligible for one that failed."""
        call = ProviderCall("GET", f"{REFUNDS}/{reference}")
        status, answer = await self._disbursements.call(call)
        if status == NOT_FOUND_STATUS:
            return None
        state = STATES.get(optional_text(answer, "status"), "open")
        if status != 200 or state == "failed":
            raise NotEligible(f"the refund failed: {status}")
        return "made" if state == "paid" else "open"

    async def _order_refund(self, intent: PaymentIntent, amount: Decimal, reference: str) -> None:
        body = {
            "amount": str(amount),
            "currency": intent.currency,
            "externalId": intent.id,
            "payerMessage": intent.bill_number,
            "payeeNote": intent.receipt,
            "referenceIdToRefund": intent.reference,
        }
        call = ProviderCall("POST", REFUNDS, body=body, headers={"X-Reference-Id": reference})
        status, _ = await self._disbursements.call(call)
        _require_accepted(status)

    def read_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> PaymentHint:
        """Return the payment a callback names. MTN signs none: only who knows our random id can send one."""
        try:
            answer = json.loads(body)
            payment, state = require_text(answer, "externalId", 32), require_text(answer, "status", 40)
        except (ValueError, AttributeError, RecursionError, InvalidRecord):
            raise BadRequest("the callback cannot be read") from None
        return PaymentHint(f"{payment}-{state}", payment, is_test=self._settings.is_refused_test)

    def _bearer(self, product: str, subscription_key: SecretStr | None) -> TokenBearer:
        """Return the caller of one product, with its subscription key and access token."""
        headers = {"X-Target-Environment": self._settings.target_environment}
        if subscription_key is not None:
            headers["Ocp-Apim-Subscription-Key"] = subscription_key.get_secret_value()
        basic = basic_authorization(self._settings.api_user, self._settings.api_key.get_secret_value())
        token_call = ProviderCall("POST", f"{product}/token/", headers={**headers, "Authorization": basic})
        return TokenBearer(self._client, token_call, headers)

    def _report(self, intent: PaymentIntent, answer: Mapping[str, Any]) -> PaymentReport:
        state = STATES.get(optional_text(answer, "status"), "open")
        return PaymentReport(
            state=state,
            intent_id=optional_text(answer, "externalId"),
            reference=intent.reference,
            amount=read_decimal(answer.get("amount")),
            currency=require_text(answer, "currency", 3),
            is_test=self._settings.is_refused_test,
            failure=FAILURES.get(_reason_code(answer), "") if state == "failed" else "",
        )


def _require_accepted(status: int) -> None:
    """Raise NotEligible unless the request was accepted, now or before."""
    if status not in ACCEPTED_STATUSES:
        raise NotEligible(f"the payment provider answered {status}")


def _reason_code(answer: Mapping[str, Any]) -> str:
    """Return the reason of a failure, which is a text or an object with a code."""
    reason = answer.get("reason")
    return optional_text(reason, "code") if isinstance(reason, dict) else optional_text(answer, "reason")
