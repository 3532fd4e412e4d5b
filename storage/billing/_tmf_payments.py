"""TM Forum payments: TMF676 v4 `payment`, found by its `correlatorId` before it is posted again."""

from collections.abc import Mapping
from typing import Any

from flows.domain.failures import NotEligible, NotFound
from flows.domain.payment_records import BillPayment
from storage.billing._client.answer_fields import as_object, clean_text, field_error, identifier_text
from storage.billing._client.body_reader import JsonAnswer
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.paging import BssList, BssResource, gather_all, read_list

REFUSED_STATUSES = frozenset(
    {
        *("failed", "failure", "error", "canceled", "cancelled", "denied", "declined", "rejected"),
        *("aborted", "expired", "voided", "unsuccessful"),
    }
)
"""Statuses of a payment that booked nothing, as `payment_status` writes them."""
PAGE_SIZE = 50
MAX_PAYMENTS = 500
"""Payments read to find one key, from a server that ignores the filter."""


class TmfPayments:
    """Posts and finds payments through the client of the BSS; `path` is that of TMF676."""

    def __init__(self, client: BssClient, path: str, currency: str) -> None:
        self._client, self._path, self._currency = client, path.strip("/"), currency

    async def find_payment(self, payment: BillPayment) -> bool:
        """Return whether a payment has this key; InvalidRecord when the list is not whole."""
        listed = await self._read_payments({"correlatorId": payment.key})
        if any(_is_booked_as(each, payment) for each in listed.rows):
            return True
        if not listed.is_complete:
            raise field_error("list of payments: it is not whole")
        return False

    async def list_payments(self, account: str) -> list[BssResource]:
        """Return the payments answered for an account; InvalidRecord when the list is not whole."""
        listed = await self._read_payments({"account.id": account})
        if not listed.is_complete:
            raise field_error("list of payments: it is not whole")
        return listed.rows

    async def post_payment(self, payment: BillPayment) -> None:
        """Post the payment; NotEligible when the BSS answers that it booked nothing."""
        answer = await self._client.send("POST", f"{self._path}/payment", self._payment_body(payment))
        if payment_status(as_object(answer.body)) in REFUSED_STATUSES:
            raise NotEligible("the BSS refused the payment")

    async def _read_payments(self, query: Mapping[str, str]) -> BssList:
        """Return the listed payments with their fields; a list with one that cannot be read is not whole."""

        async def fetch_page(offset: int) -> JsonAnswer:
            window = {"offset": str(offset), "limit": str(PAGE_SIZE)}
            return await self._client.get(f"{self._path}/payment", {**query, **window})

        listed = await read_list(fetch_page, PAGE_SIZE, MAX_PAYMENTS)
        complete = await gather_all(map(self._complete_payment, listed.rows))
        rows = [each for each in complete if not isinstance(each, NotFound)]
        return BssList(rows, listed.is_complete and len(rows) == len(listed.rows))

    async def _complete_payment(self, listed: BssResource) -> BssResource:
        """Return a listed payment, read by its id where the list has neither its key nor its amount."""
        payment_id = identifier_text(listed.get("id"))
        if listed.keys() & {"correlatorId", "totalAmount", "amount"} or not payment_id:
            return listed
        path = f"{self._path}/payment/{path_segment(payment_id)}"
        return as_object((await self._client.get(path)).body)

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
        and payment_status(resource) not in REFUSED_STATUSES
    )


def payment_status(resource: Mapping[str, Any]) -> str:
    """Return a payment's status in small letters alone, as TMF676 leaves the words to the BSS: `inprogress`."""
    return "".join(each for each in clean_text(resource.get("status")).lower() if each.isalpha())
