"""Kill Bill payments: external payments, looked for by key before they are posted again."""

from typing import Any

from flows.domain.failures import NotEligible
from flows.domain.payment_records import BillPayment
from storage.billing._client.answer_fields import identifier_text, objects_in
from storage.billing._client.http import BssClient, path_segment

LIVE_STATUSES = frozenset({"SUCCESS", "PENDING", "UNKNOWN"})
"""Statuses of a transaction that has booked an amount, or may have."""


class KillBillPayments:
    """Posts and finds external payments through the client of the server."""

    def __init__(self, client: BssClient) -> None:
        self._client = client

    async def find_payment(self, payment: BillPayment) -> bool:
        """Return whether the invoice has a payment under this key."""
        listed = (await self._client.get(_payments_path(payment))).body
        return any(_is_booked_as(each, payment) for each in objects_in(listed))

    async def post_payment(self, payment: BillPayment) -> None:
        """Post an external payment, which Kill Bill books without asking a gateway of its own."""
        body = {
            "accountId": payment.account,
            "targetInvoiceId": payment.bill_id,
            "paymentExternalKey": payment.key,
            "purchasedAmount": float(payment.amount),
            "currency": payment.currency,
        }
        answer = await self._client.send("POST", f"{_payments_path(payment)}?externalPayment=true", body)
        if answer.body == []:  # 204: the invoice asks for nothing any more
            raise NotEligible("the invoice has nothing to pay")


def _payments_path(payment: BillPayment) -> str:
    return f"1.0/kb/invoices/{path_segment(payment.bill_id)}/payments"


def _is_booked_as(resource: Any, payment: BillPayment) -> bool:
    transactions = list(objects_in(resource.get("transactions")))
    is_live = not transactions or any(each.get("status") in LIVE_STATUSES for each in transactions)
    return is_live and identifier_text(resource.get("paymentExternalKey")) == payment.key
