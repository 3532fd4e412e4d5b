"""Kill Bill invoices: an account's list, completed where it is shallow, and one invoice by its id."""

from collections.abc import Iterable

from flows.domain.failures import NotFound
from storage.billing import _killbill_mapping
from storage.billing._client.answer_fields import (
    as_object,
    field_error,
    identifier_text,
    objects_in,
    require_identifier,
)
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.paging import BssResource, gather_all, without_repeats


class KillBillInvoices:
    """Reads invoices through the client of the server."""

    def __init__(self, client: BssClient) -> None:
        self._client = client

    async def list_invoices(self, account: str) -> list[BssResource]:
        """Return the invoices of an account as they are listed: drafts and void ones, too."""
        query = {"includeVoidedInvoices": "true", "includeInvoiceComponents": "true"}
        invoices = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/invoices", query)).body
        if not isinstance(invoices, list):
            raise field_error("invoices")
        own = [each for each in objects_in(invoices) if identifier_text(each.get("accountId")) == account]
        return without_repeats(own)

    async def complete_invoices(self, listed: Iterable[BssResource]) -> list[BssResource]:
        """Return invoices of a list with amounts and items, read by themselves where these may be missing."""
        complete = await gather_all(self._complete_invoice(each) for each in listed)
        return [each for each in complete if not isinstance(each, NotFound)]

    async def read_invoice(self, listed: BssResource) -> BssResource:
        """Read an invoice of a list by its id; InvalidRecord when the answer is another one."""
        identity = require_identifier(listed.get("invoiceId"), "invoiceId")
        invoice = as_object((await self._client.get(f"1.0/kb/invoices/{path_segment(identity)}")).body)
        if any(invoice.get(name) != listed.get(name) for name in ("invoiceId", "accountId")):
            raise field_error("invoice: another one was answered")
        return invoice

    async def _complete_invoice(self, listed: BssResource) -> BssResource:
        return await self.read_invoice(listed) if _killbill_mapping.is_shallow(listed) else listed
