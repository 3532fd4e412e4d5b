"""Kill Bill over its REST interface: bundles are lines, invoices are bills, a custom field says how they come.

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
"""Whom Kill Bill's audit names for what we change."""
PAGE = 200
"""Invoices of one page of a cycle."""
AS_HTML = Attached("", "", "text/html", "HTML")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Line):
    """The table `bss` of an operator whose billing is `killbill+https://host`."""

    api_key: Secret = field(repr=False)
    """The tenant's key."""
    api_secret: Secret = field(repr=False)
    user: str = "admin"
    password: Secret = field(default=Secret(""), repr=False)
    due_days: int = 14
    """From the invoice date to the day it must be paid."""
    media_field: str = "presentationMedia"
    """The account's custom field that holds `paper` or `email`; without one it is paper."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The line's kind by product name; `mobile` for any other."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by product, plan or usage name, or by item type."""
    cache_seconds: float = FRESH_SECONDS


class KillBill:
    """The `Billing` port over Kill Bill; an account is Kill Bill's accountId."""

    capabilities: Collection[Capability] = frozenset[Capability](("documents",))

    def __init__(self, http: Http, site: Site, options: Options) -> None:
        self._http, self._site, self._options = http, site, options

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Who stands behind a number: the bundle with that external key, then its account."""
        found = (await self._http.get("1.0/kb/bundles", {"externalKey": msisdn})).body
        return await self._subscriber(_killbill_mapping.bundle_of(found))

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Committed invoices, newest first, and those made void; drafts are not published."""
        query = {"includeVoidedInvoices": "true", "includeInvoiceComponents": "true"}
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/invoices", query)).body
        if not isinstance(found, list):
            raise wrong("invoices")
        own = [each for each in tables(found) if told(each.get("accountId")) == account]
        bills = [self._bill(each) for each in own if _killbill_mapping.published(each)]
        issued = sorted(
            (bill for bill in bills if bill.issued <= self._site.today()), key=_newest, reverse=True
        )
        return issued[offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """One bill of this account; NotFound for any other account's, NotPublished while a draft."""
        return self._bill(await self._invoice(account, bill_id))

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """The invoice's items, each with its tax; NotFound for any other account's bill."""
        found = await self._invoice(account, bill_id)
        return _killbill_mapping.lines(found, self._options.rubrics, await self._numbers(account))

    async def media(self, account: str) -> Media:
        """How bills reach this account today: its custom field."""
        return _killbill_mapping.media(await self._fields(account), self._options.media_field)

    async def set_media(self, account: str, media: Media) -> bool:
        """Set the account's custom field; False when it was so already."""
        fields, wanted = await self._fields(account), self._options.media_field
        if _killbill_mapping.media(fields, wanted) == media:
            return False
        path = f"1.0/kb/accounts/{segment(account)}/customFields"
        known = next((each for each in fields if each["name"] == wanted), None)
        if known:
            changed = {"customFieldId": known["id"], "name": wanted, "value": media}
            await self._http.send("PUT", path, [changed])
        else:
            await self._http.send("POST", path, [{"objectType": "ACCOUNT", "name": wanted, "value": media}])
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Not asked: Kill Bill rolls usage up by unit and knows no single call."""
        raise NotFound

    async def document(self, account: str, bill_id: str) -> Document:
        """The invoice as Kill Bill renders it from the tenant's template: HTML, signed by nobody."""
        await self._invoice(account, bill_id)
        sent = await self._http.file(f"{self._http.base}/1.0/kb/invoices/{segment(bill_id)}/html", ACCEPT)
        return document(sent, AS_HTML, "")

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()

    async def _numbers(self, account: str) -> dict[str, str]:
        """The account's lines: number by bundle."""
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/bundles")).body
        return {told(each.get("bundleId")): text(each.get("externalKey")) for each in tables(found)}

    async def _fields(self, account: str) -> list[dict[str, str]]:
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/customFields")).body
        return [
            {
                "id": told(each.get("customFieldId")),
                "name": text(each.get("name")),
                "value": text(each.get("value")),
            }
            for each in tables(found)
        ]

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Bills of these days with their holders. Kill Bill lists invoices by no day: all are gone through."""
        last, offset = min(last, self._site.today()), 0
        while found := await self._page(offset):
            offset += len(found)
            bills = [self._bill(each) for each in found if _killbill_mapping.published(each)]
            yield await self._with_holders([bill for bill in bills if first <= bill.issued <= last])

    async def holder(self, account: str) -> Subscriber:
        """Who is told of this account's bills: its first bundle that goes on."""
        found = (await self._http.get(f"1.0/kb/accounts/{segment(account)}/bundles")).body
        return await self._subscriber(_killbill_mapping.bundle_of(found))

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Each bill's holder; bills nobody holds, as the last of a line that was given up, are left out."""
        held: list[tuple[Bill, Subscriber]] = []
        for bill in bills:
            with suppress(NotFound):
                held.append((bill, await self.holder(bill.account)))
        return held

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
        found = table((await self._http.get(f"1.0/kb/invoices/{segment(bill_id)}")).body)
        if told(found.get("accountId")) != account or found.get("invoiceId") != bill_id:
            raise NotFound
        if not _killbill_mapping.published(found) or self._bill(found).issued > self._site.today():
            raise NotPublished
        return found

    def _bill(self, found: Mapping[str, Any]) -> Bill:
        return _killbill_mapping.bill(found, self._options.due_days, self._site.today(), self._site.zone)


def _newest(bill: Bill) -> tuple[date, str]:
    return bill.issued, bill.number


def connect(address: str, site: Site) -> Kept:
    """A Kill Bill server at `address`; ValueError names a wrong setting."""
    options = read(Options, site.options)
    headers = {
        "X-Killbill-ApiKey": options.api_key.value,
        "X-Killbill-ApiSecret": options.api_secret.value,
        "X-Killbill-CreatedBy": CREATED_BY,
        "Authorization": encode_basic_auth(options.user, options.password.value),
    }
    http = Http(address, options, headers)
    return Kept(KillBill(http, site, options), site.today, options.cache_seconds)
