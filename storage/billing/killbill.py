"""Kill Bill billing backend: bundles are lines, invoices are bills, a custom field is the media.

Sources: the project's API reference (account, bundle, invoice, custom field). A bundle's external key is
the line's number; amounts are JSON numbers in the account's currency; an invoice has no due date of its
own, so it is the invoice date plus `due_days`.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from aiohttp import encode_basic_auth

from flows.domain.failures import NotFound, NotPublished
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    BillMedia,
    Capability,
    EntryType,
    Secret,
    Subscriber,
    UsageEntry,
)
from storage.billing import _killbill_mapping
from storage.billing._client.answer_fields import (
    as_object,
    clean_text,
    field_error,
    identifier_text,
    objects_in,
)
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.caching import FRESH_SECONDS, CachedBilling
from storage.billing._client.documents import ACCEPT_HEADER, BillAttachment, build_document
from storage.billing._client.http import BssClient, ConnectionOptions, path_segment
from storage.billing.backend import BackendContext

CREATED_BY = "dialtree"
"""The `X-Killbill-CreatedBy` that Kill Bill's audit log shows for our changes."""
PAGE_SIZE = 200
"""Invoices per page of a billing cycle."""
HTML_ATTACHMENT = BillAttachment("", "", "text/html", "HTML")


@dataclass(frozen=True, slots=True, kw_only=True)
class KillBillOptions(ConnectionOptions):
    """The `bss` settings of an operator whose billing is `killbill+https://host`."""

    api_key: Secret = field(repr=False)
    """The tenant's API key."""
    api_secret: Secret = field(repr=False)
    user: str = "admin"
    password: Secret = field(default=Secret(""), repr=False)
    due_days: int = 14
    """Days from the invoice date to the due date."""
    media_field: str = "presentationMedia"
    """The account's custom field that holds `paper` or `email`; without it bills are on paper."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Line kind by product name; `mobile` for any other."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by product, plan or usage name, or by item type."""
    cache_seconds: float = FRESH_SECONDS


class KillBillBilling:
    """Kill Bill implementation of the `Billing` port; an account is Kill Bill's accountId."""

    capabilities: Collection[Capability] = frozenset[Capability](("documents",))

    def __init__(self, client: BssClient, context: BackendContext, options: KillBillOptions) -> None:
        self._client, self._context, self._options = client, context, options

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: the bundle with that external key, then its account."""
        bundles = (await self._client.get("1.0/kb/bundles", {"externalKey": msisdn})).body
        return await self._fetch_subscriber(_killbill_mapping.active_bundle(bundles))

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return committed and void invoices, newest first; drafts are not published."""
        query = {"includeVoidedInvoices": "true", "includeInvoiceComponents": "true"}
        invoices = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/invoices", query)).body
        if not isinstance(invoices, list):
            raise field_error("invoices")
        own = [each for each in objects_in(invoices) if identifier_text(each.get("accountId")) == account]
        bills = [self._parse_bill(each) for each in own if _killbill_mapping.is_published(each)]
        newest_first = sorted(
            (bill for bill in bills if bill.issued <= self._context.today()), key=_issue_order, reverse=True
        )
        return newest_first[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished for a draft."""
        return self._parse_bill(await self._fetch_invoice(account, bill_id))

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the invoice's items, each with its tax; NotFound for another account's bill."""
        invoice = await self._fetch_invoice(account, bill_id)
        return _killbill_mapping.parse_bill_lines(
            invoice, self._options.rubrics, await self._numbers_by_bundle(account)
        )

    async def get_media(self, account: str) -> BillMedia:
        """Return how bills reach this account today, by its custom field."""
        return _killbill_mapping.media_from_fields(
            await self._custom_fields(account), self._options.media_field
        )

    async def set_media(self, account: str, media: BillMedia) -> bool:
        """Set the account's custom field; False when it already has this value."""
        fields, field_name = await self._custom_fields(account), self._options.media_field
        if _killbill_mapping.media_from_fields(fields, field_name) == media:
            return False
        path = f"1.0/kb/accounts/{path_segment(account)}/customFields"
        existing = next((each for each in fields if each["name"] == field_name), None)
        if existing:
            change = {"customFieldId": existing["id"], "name": field_name, "value": media}
            await self._client.send("PUT", path, [change])
        else:
            new_field = {"objectType": "ACCOUNT", "name": field_name, "value": media}
            await self._client.send("POST", path, [new_field])
        return True

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Raise NotFound: Kill Bill rolls usage up by unit and has no single calls."""
        raise NotFound

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the invoice as Kill Bill renders it from the tenant's template: unsigned HTML."""
        await self._fetch_invoice(account, bill_id)
        file = await self._client.download_file(
            f"{self._client.base_url}/1.0/kb/invoices/{path_segment(bill_id)}/html", ACCEPT_HEADER
        )
        return build_document(file, HTML_ATTACHMENT, "")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _numbers_by_bundle(self, account: str) -> dict[str, str]:
        """Return the phone numbers of the account's lines by bundle id."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        return {
            identifier_text(each.get("bundleId")): clean_text(each.get("externalKey"))
            for each in objects_in(bundles)
        }

    async def _custom_fields(self, account: str) -> list[dict[str, str]]:
        fields = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/customFields")).body
        return [
            {
                "id": identifier_text(each.get("customFieldId")),
                "name": clean_text(each.get("name")),
                "value": clean_text(each.get("value")),
            }
            for each in objects_in(fields)
        ]

    async def list_issued_bills(
        self, first: date, last: date
    ) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders.

        Kill Bill cannot list invoices by date, so every invoice is read.
        """
        last, offset = min(last, self._context.today()), 0
        while page := await self._fetch_page(offset):
            offset += len(page)
            bills = [self._parse_bill(each) for each in page if _killbill_mapping.is_published(each)]
            yield await self._with_holders([bill for bill in bills if first <= bill.issued <= last])

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first running bundle."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        return await self._fetch_subscriber(_killbill_mapping.active_bundle(bundles))

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Pair each bill with its holder; bills without one, as of a closed line, are left out."""
        pairs: list[tuple[Bill, Subscriber]] = []
        for bill in bills:
            with suppress(NotFound):
                pairs.append((bill, await self.get_account_holder(bill.account)))
        return pairs

    async def _fetch_page(self, offset: int) -> list[Mapping[str, Any]]:
        query = {"offset": str(offset), "limit": str(PAGE_SIZE)}
        return list(objects_in((await self._client.get("1.0/kb/invoices/pagination", query)).body))

    async def _fetch_subscriber(self, bundle: Mapping[str, Any]) -> Subscriber:
        if not bundle:
            raise NotFound
        account = _killbill_mapping.account_id_of(bundle)
        holder = as_object((await self._client.get(f"1.0/kb/accounts/{path_segment(account)}")).body)
        fields, kinds = await self._custom_fields(account), self._options.kinds
        return _killbill_mapping.parse_subscriber(
            bundle, holder, fields, kinds, self._context.operator, self._context.zone
        )

    async def _fetch_invoice(self, account: str, bill_id: str) -> Mapping[str, Any]:
        invoice = as_object((await self._client.get(f"1.0/kb/invoices/{path_segment(bill_id)}")).body)
        if identifier_text(invoice.get("accountId")) != account or invoice.get("invoiceId") != bill_id:
            raise NotFound
        if (
            not _killbill_mapping.is_published(invoice)
            or self._parse_bill(invoice).issued > self._context.today()
        ):
            raise NotPublished
        return invoice

    def _parse_bill(self, invoice: Mapping[str, Any]) -> Bill:
        return _killbill_mapping.parse_bill(
            invoice, self._options.due_days, self._context.today(), self._context.zone
        )


def _issue_order(bill: Bill) -> tuple[date, str]:
    return bill.issued, bill.number


def connect(address: str, context: BackendContext) -> CachedBilling:
    """Return the backend for a Kill Bill server at `address`; ValueError names a wrong setting."""
    options = parse_options(KillBillOptions, context.options)
    headers = {
        "X-Killbill-ApiKey": options.api_key.value,
        "X-Killbill-ApiSecret": options.api_secret.value,
        "X-Killbill-CreatedBy": CREATED_BY,
        "Authorization": encode_basic_auth(options.user, options.password.value),
    }
    client = BssClient(address, options, headers)
    return CachedBilling(KillBillBilling(client, context, options), context.today, options.cache_seconds)
