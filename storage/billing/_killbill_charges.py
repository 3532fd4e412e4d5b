"""Kill Bill charges: external charges and credits on a draft invoice, each marked with its key.

A draft invoice becomes the next bill where the account has the control tag `AUTO_INVOICING_REUSE_DRAFT`.
"""

import asyncio
import json
import uuid
from typing import Any
from weakref import WeakValueDictionary

from flows.domain.failures import Down, NotEligible
from flows.domain.purchase_records import BillCharge
from storage.billing._client.answer_fields import identifier_text
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.paging import BssResource
from storage.billing._killbill_invoices import KillBillInvoices
from storage.billing._killbill_marks import MARK_FIELD, charge_keys


class KillBillCharges:
    """Posts and finds charges through the client of the server."""

    def __init__(self, client: BssClient, invoices: KillBillInvoices, currency: str) -> None:
        self._client, self._invoices, self._currency = client, invoices, currency
        self._account_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find_charge(self, charge: BillCharge) -> bool:
        """Return whether an invoice has an item with this key; also on a void one it was posted once."""
        return any(charge.key in charge_keys(each) for each in await self._read_invoices(charge.account))

    async def post_charge(self, charge: BillCharge) -> None:
        """Post an item to the draft invoice of our charges, or to a new one; one by one for each account."""
        async with self._account_locks.setdefault(charge.account, asyncio.Lock()):
            await self._post_to_draft(charge)

    async def _post_to_draft(self, charge: BillCharge) -> None:
        draft = await self._find_draft(charge.account)
        try:
            await self._send_item(charge, draft)
        except NotEligible as refusal:
            if draft and await self._find_draft(charge.account) != draft:
                raise Down("the draft invoice was committed meanwhile") from refusal
            raise

    async def _send_item(self, charge: BillCharge, draft: str) -> None:
        """Send the item: amounts are positive, and credits have a path of their own."""
        path = (
            "1.0/kb/credits" if charge.amount < 0 else f"1.0/kb/invoices/charges/{path_segment(charge.account)}"
        )
        await self._client.send("POST", f"{path}?autoCommit=false", [self._item_body(charge, draft)])

    async def _find_draft(self, account: str) -> str:
        """Return the id of the draft invoice that holds charges of ours; empty for none."""
        for invoice in await self._read_invoices(account):
            if invoice.get("status") == "DRAFT" and charge_keys(invoice):
                return identifier_text(invoice.get("invoiceId"))
        return ""

    async def _read_invoices(self, account: str) -> list[BssResource]:
        """Return all invoices of an account, drafts and void ones, too, with their items."""
        return await self._invoices.complete_invoices(await self._invoices.list_invoices(account))

    def _item_body(self, charge: BillCharge, draft: str) -> dict[str, Any]:
        """Return the item; its id follows from the key, for servers that take the id of the client."""
        return {
            "invoiceItemId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{MARK_FIELD}/{charge.key}")),
            "accountId": charge.account,
            "amount": float(abs(charge.amount)),
            "description": charge.label,
            "startDate": charge.charged_on.isoformat(),
            "itemDetails": json.dumps({MARK_FIELD: charge.key, "category": charge.category}),
            **({"currency": self._currency} if self._currency else {}),
            **({"invoiceId": draft} if draft else {}),
        }
