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
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Secret, Subscriber
from storage.billing import _killbill_mapping
from storage.billing._client.caching import FRESH_SECONDS, Kept
from storage.billing._client.documents import ACCEPT, Attached, document
from storage.billing._client.fields import table, tables, text, told, wrong
from storage.billing._client.http import Http, Line, segment
from storage.billing._client.options import read
from storage.billing.backend import Site

CREATED_BY = "dialtree"
"""The `X-Killbill-CreatedBy` that Kill Bill's audit log shows for our changes."""
PAGE = 200
"""Invoices per page of a billing cycle."""
AS_HTML = Attached("", "", "text/html", "HTML")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Line):
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


class KillBill:
    """Kill Bill implementation of the `Billing` port; an account is Kill Bill's accountId."""

    capabilities: Collection[Capability] = frozenset[Capability](("documents",))

    def __init__(self, http: Http, site: Site, options: Options) -> None:
        self._http, self._site, self._options = http, site, options

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: the bundle with that external key, then its account."""
        bundles = (await self._http.get("1.0/kb/bundles", {"externalKey": msisdn})).body
        return await self._subscriber(_killbill_mapping.bundle_of(bundles))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return committed and void invoices, newest first; drafts are not published."""
        query = {"includeVoidedInvoices": "true", "includeInvoiceComponents": "true"}
        invoices = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/invoices", query)).body
        if not isinstance(invoices, list):
            raise wrong("invoices")
        own = [each for each in tables(invoices) if told(each.get("accountId")) == account]
        bills = [self._bill(each) for each in own if _killbill_mapping.published(each)]
        newest_first = sorted(
            (bill for bill in bills if bill.issued <= self._site.today()), key=_newest, reverse=True
        )
        return newest_first[offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished for a draft."""
        return self._bill(await self._invoice(account, bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the invoice's items, each with its tax; NotFound for another account's bill."""
        invoice = await self._invoice(account, bill_id)
        return _killbill_mapping.lines(invoice, self._options.rubrics, await self._numbers(account))

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today, by its custom field."""
        return _killbill_mapping.media(await self._fields(account), self._options.media_field)

    async def set_media(self, account: str, media: Media) -> bool:
        """Set the account's custom field; False when it already has this value."""
        fields, field_name = await self._fields(account), self._options.media_field
        if _killbill_mapping.media(fields, field_name) == media:
            return False
        path = f"1.0/kb/accounts/{segment(account)}/customFields"
        existing = next((each for each in fields if each["name"] == field_name), None)
        if existing:
            change = {"customFieldId": existing["id"], "name": field_name, "value": media}
            await self._http.send("PUT", path, [change])
        else:
            new_field = {"objectType": "ACCOUNT", "name": field_name, "value": media}
            await self._http.send("POST", path, [new_field])
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Raise NotFound: Kill Bill rolls usage up by unit and has no single calls."""
        raise NotFound

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the invoice as Kill Bill renders it from the tenant's template: unsigned HTML."""
        await self._invoice(account, bill_id)
        file = await self._http.file(f"{self._http.base}/1.0/kb/invoices/{segment(bill_id)}/html", ACCEPT)
        return document(file, AS_HTML, "")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _numbers(self, account: str) -> dict[str, str]:
        """Return the phone numbers of the account's lines by bundle id."""
        bundles = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/bundles")).body
        return {told(each.get("bundleId")): text(each.get("externalKey")) for each in tables(bundles)}

    async def _fields(self, account: str) -> list[dict[str, str]]:
        fields = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/customFields")).body
        return [
            {
                "id": told(each.get("customFieldId")),
                "name": text(each.get("name")),
                "value": text(each.get("value")),
            }
            for each in tables(fields)
        ]

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders.

        Kill Bill cannot list invoices by date, so every invoice is read.
        """
        last, offset = min(last, self._site.today()), 0
        while page := await self._page(offset):
            offset += len(page)
            bills = [self._bill(each) for each in page if _killbill_mapping.published(each)]
            yield await self._with_holders([bill for bill in bills if first <= bill.issued <= last])

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first running bundle."""
        bundles = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/bundles")).body
        return await self._subscriber(_killbill_mapping.bundle_of(bundles))

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Pair each bill with its holder; bills without one, as of a closed line, are left out."""
        pairs: list[tuple[Bill, Subscriber]] = []
        for bill in bills:
            with suppress(NotFound):
                pairs.append((bill, await self.holder(bill.account)))
        return pairs

    async def _page(self, offset: int) -> list[Mapping[str, Any]]:
        query = {"offset": str(offset), "limit": str(PAGE)}
        return list(tables((await self._http.get("1.0/kb/invoices/pagination", query)).body))

    async def _subscriber(self, bundle: Mapping[str, Any]) -> Subscriber:
        if not bundle:
            raise NotFound
        account = _killbill_mapping.holder_of(bundle)
        holder = table((await self._http.get(f"1.0/kb/accounts/{segment(account)}")).body)
        fields, kinds = await self._fields(account), self._options.kinds
        return _killbill_mapping.subscriber(bundle, holder, fields, kinds, self._site.operator, self._site.zone)

    async def _invoice(self, account: str, bill_id: str) -> Mapping[str, Any]:
        invoice = table((await self._http.get(f"1.0/kb/invoices/{segment(bill_id)}")).body)
        if told(invoice.get("accountId")) != account or invoice.get("invoiceId") != bill_id:
            raise NotFound
        if not _killbill_mapping.published(invoice) or self._bill(invoice).issued > self._site.today():
            raise NotPublished
        return invoice

    def _bill(self, found: Mapping[str, Any]) -> Bill:
        return _killbill_mapping.bill(found, self._options.due_days, self._site.today(), self._site.zone)


def _newest(bill: Bill) -> tuple[date, str]:
    return bill.issued, bill.number


def connect(address: str, site: Site) -> Kept:
    """Return the backend for a Kill Bill server at `address`; ValueError names a wrong setting."""
    options = read(Options, site.options)
    headers = {
        "X-Killbill-ApiKey": options.api_key.value,
        "X-Killbill-ApiSecret": options.api_secret.value,
        "X-Killbill-CreatedBy": CREATED_BY,
        "Authorization": encode_basic_auth(options.user, options.password.value),
    }
    client = Http(address, options, headers)
    return Kept(KillBill(client, site, options), site.today, options.cache_seconds)
