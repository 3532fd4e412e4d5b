"""TM Forum payments: TMF676 v4 `payment`, found by its `correlatorId` before it is posted again."""

from collections.abc import Mapping
from typing import Any

from flows.domain.failures import NotEligible
from flows.domain.payment_records import BillPayment
from storage.billing._client.answer_fields import as_object, field_error, identifier_text
from storage.billing._client.body_reader import JsonAnswer
from storage.billing._client.http import BssClient
from storage.billing._client.paging import BssResource, read_list

REFUSED_STATUSES = frozenset({"failed", "canceled", "cancelled", "denied"})
"""Statuses of a payment that booked nothing."""
PAGE_SIZE = 50
MAX_PAYMENTS = 500
"""Payments read to find one key, from a server that ignores the filter."""


class TmfPayments:
    """Posts and finds payments through the client of the BSS; `path` is that of TMF676."""

    def __init__(self, client: BssClient, path: str, currency: str) -> None:
        self._client, self._path, self._currency = client, path.strip("/"), currency

    async def find_payment(self, payment: BillPayment) -> bool:
        """Return whether a payment has this key; InvalidRecord when the list does not end."""

        async def fetch_page(offset: int) -> JsonAnswer:
            window = {"offset": str(offset), "limit": str(PAGE_SIZE)}
            return await self._client.get(f"{self._path}/payment", {"correlatorId": payment.key, **window})

        listed = await read_list(fetch_page, PAGE_SIZE, MAX_PAYMENTS)
        if any(_is_booked_as(each, payment) for each in listed.rows):
            return True
        if not listed.is_complete:
            raise field_error("list of payments: it does not end")
        return False

    async def list_payments(self, account: str) -> list[BssResource]:
        """Return the payments answered for an account; InvalidRecord when the list does not end."""

        async def fetch_page(offset: int) -> JsonAnswer:
            window = {"offset": str(offset), "limit": str(PAGE_SIZE)}
            return await self._client.get(f"{self._path}/payment", {"account.id": account, **window})

        listed = await read_list(fetch_page, PAGE_SIZE, MAX_PAYMENTS)
        if not listed.is_complete:
            raise field_error("list of payments: it does not end")
        return listed.rows

    async def post_payment(self, payment: BillPayment) -> None:
        """Post the payment; NotEligible when the BSS answers that it booked nothing."""
        answer = await self._client.send("POST", f"{self._path}/payment", self._payment_body(payment))
        if identifier_text(as_object(answer.body).get("status")) in REFUSED_STATUSES:
            raise NotEligible("the BSS refused the payment")

    def _payment_body(self, payment: BillPayment) -> dict[str, Any]:
        amount = {"unit": self._currency or payment.currency, "value": float(payment.amount)}
        item = {"item": {"id": payment.bill_id, "@referredType": "CustomerBill"}, "amount": amount}
        return {
            "@type": "Payment",
            "correlatorId": payment.key,
            "authorizationCode": payment.reference,
            "description": payment.provider,
            "account": {"id": payment.account, "@referredType": "BillingAccount"},
            "channel": {"id": "dialtree"},
            "paymentMethod": {"name": payment.provider, "@type": "tokenizedCard"},
            "totalAmount": amount,
            "amount": amount,
            "paymentItem": [{**item, "totalAmount": amount}],
        }


def _is_booked_as(resource: Mapping[str, Any], payment: BillPayment) -> bool:
    return (
        identifier_text(resource.get("correlatorId")) == payment.key
        and identifier_text(resource.get("status")) not in REFUSED_STATUSES
    )
