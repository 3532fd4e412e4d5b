"""TM Forum billing backend: TMF678 bills, TMF666 accounts, TMF637 products to find a number's holder."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast, get_args

from flows.domain.failures import Down, Failure, NotFound, NotPublished
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Media, Subscriber
from storage.billing import _tmf_account_mapping as accounts
from storage.billing import _tmf_mapping as tmf
from storage.billing._client.body_reader import Answer
from storage.billing._client.caching import Kept
from storage.billing._client.documents import ACCEPT, decoded, document
from storage.billing._client.fields import name, table, tables, wrong
from storage.billing._client.http import Http, checked, segment
from storage.billing._client.oauth import Tokens
from storage.billing._client.options import read
from storage.billing._client.ssrf_guard import Reach
from storage.billing._tmf_options import Options
from storage.billing.backend import Site

PAGE = 50
"""Resources per page."""
MOST_PAGES = 10
"""Pages read of one list: 500 bills are forty years of months."""
ENTRIES: Mapping[Entries, str] = {"usage": "communications", "purchases": "third_party"}
"""Rubric of the unbilled rates that answer each kind of entry."""


class Tmf678:
    """TM Forum implementation of the `Billing` port; raises Refused and Unavailable only."""

    def __init__(self, http: Http, site: Site, options: Options) -> None:
        self._http, self._site, self._options = http, site, options
        self.capabilities = cast(Collection[Capability], options.serves)
        self._bills = options.bills.replace("{dialect}", options.dialect).strip("/")
        self._accounts = options.accounts.strip("/")

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: its product, then that product's billing account."""
        path = self._options.resolver.replace("{msisdn}", segment(msisdn))
        body = (await self._http.get(path.replace("{digits}", segment(msisdn.removeprefix("+"))))).body
        product = next(tables(body), table(body))
        if not product:
            raise NotFound
        account = await self._account(accounts.holder(product))
        return accounts.subscriber(product, account, self._site.operator, msisdn, self._site.zone)

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first whatever the BSS's own order."""
        today = self._site.today()
        every = await self._whole(await self._pages(account))
        own = [each for each in every if tmf.published(each) and tmf.whose(each) == account]
        bills = [self._bill(each, account) for each in own]
        newest_first = sorted((bill for bill in bills if bill.issued <= today), key=_newest, reverse=True)
        return newest_first[offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished before it is sent."""
        return self._shown(await self._bill_answer(bill_id), account, bill_id)

    def _shown(self, answer: Answer, account: str, bill_id: str) -> Bill:
        resource = table(answer.body)
        if tmf.whose(resource) != account or resource.get("id") != bill_id:
            raise NotFound
        if not tmf.published(resource):
            raise NotPublished
        bill = self._bill(resource, account)
        if bill.issued > self._site.today():
            raise NotPublished
        return bill

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.bill(account, bill_id)
        fields = tmf.RATE_FIELDS[self._options.dialect]
        query = {"bill.id": bill_id, "isBilled": "true", "fields": fields}
        rates = await self._all("appliedCustomerBillingRate", query)
        return [
            tmf.line(each, self._options.currency, self._options.rubrics, self._site.zone)
            for each in rates
            if table(each.get("bill")).get("id", bill_id) == bill_id
        ]

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today: TMF666 `billStructure.presentationMedia`."""
        return accounts.media(await self._account(account), self._options.media)

    async def set_media(self, account: str, media: Media) -> bool:
        """PATCH the account's presentation media, keeping other media; False when it already has this one."""
        resource = await self._account(account)
        if accounts.media(resource, self._options.media) == media:
            return False
        names = self._options.media
        others = [each for each in accounts.presented(resource) if not accounts.medium(each, names)]
        wanted = {"name": names.get(media, media), "isRef": False}
        structure = {**table(resource.get("billStructure")), "presentationMedia": [*others, wanted]}
        # The TMF666 update schema requires these two, so they are sent back unchanged.
        required = {part: resource[part] for part in ("name", "relatedParty") if part in resource}
        path = f"{self._accounts}/billingAccount/{segment(account)}"
        change = {**required, "billStructure": structure}
        await self._http.send("PATCH", path, change, "application/json;charset=utf-8")
        return True

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Return usage or purchases that are on no bill yet, newest first: the rates not billed."""
        if what not in self.capabilities:
            raise NotFound
        fields = tmf.RATE_FIELDS[self._options.dialect]
        query = {"billingAccount.id": account, "isBilled": "false", "fields": fields, "sort": "-date"}
        rates = await self._all("appliedCustomerBillingRate", query)
        own = [each for each in rates if not each.get("isBilled") and tmf.whose(each) == account]
        wanted = [each for each in own if tmf.rubric(each, self._options.rubrics) == ENTRIES[what]]
        wanted.sort(key=lambda each: str(each.get("date")), reverse=True)
        return [tmf.entry(each, self._options.currency, self._site.zone) for each in wanted[:limit]]

    async def document(self, account: str, bill_id: str) -> Document:
        """Return the bill's `billDocument`, embedded in the bill or downloaded from its URL."""
        if "documents" not in self.capabilities:
            raise NotFound
        answer = await self._bill_answer(bill_id, f"{tmf.BILL_FIELDS},billDocument")
        self._shown(answer, account, bill_id)
        attachment = tmf.attachment(table(answer.body))
        if attachment.content:
            return document(decoded(attachment), attachment, self._options.platform)
        file = await self._http.file(attachment.where, ACCEPT)
        return document(file, attachment, self._options.platform)

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, in the BSS's order, one page in memory."""
        end = (last + timedelta(days=1)).isoformat()
        query = {"billDate.gte": first.isoformat(), "billDate.lt": end, "fields": tmf.BILL_FIELDS}
        offset = 0
        while page := list(tables((await self._page("customerBill", query, offset)).body)):
            offset += len(page)
            public = [each for each in await self._whole(page) if tmf.published(each)]
            bills = [self._bill(each, tmf.whose(each)) for each in public if tmf.whose(each)]
            in_period = [bill for bill in bills if first <= bill.issued <= min(last, self._site.today())]
            yield await self._with_holders(in_period)

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first product's line."""
        body = (await self._http.get(self._options.holder.replace("{account}", segment(account)))).body
        product = next(tables(body), None)
        if product is None:
            raise NotFound
        resource, number = await self._account(account), accounts.number(product)
        return accounts.subscriber(product, resource, self._site.operator, number, self._site.zone)

    async def register_callback(self, callback: str) -> None:
        """Register `callback` at the TMF678 hub for new bills and bill state changes."""
        query = "eventType=CustomerBillCreateEvent&eventType=CustomerBillStateChangeEvent"
        kind = {"@type": "Hub"} if self._options.dialect == "v5" else {}
        hub = {"callback": callback, "query": query, **kind}
        await self._http.send("POST", f"{self._bills}/hub", hub)

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Pair each bill with its holder, read concurrently; bills without a holder are left out."""
        holders = await asyncio.gather(*(self.holder(bill.account) for bill in bills), return_exceptions=True)
        for each in holders:
            if isinstance(each, BaseException) and not isinstance(each, NotFound):
                raise each
        return [(bill, each) for bill, each in zip(bills, holders, strict=True) if isinstance(each, Subscriber)]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _bill(self, found: Mapping[str, Any], account: str) -> Bill:
        return tmf.bill(found, account, self._site.today(), self._site.zone, self._options.currency)

    async def _account(self, account: str) -> Mapping[str, Any]:
        answer = await self._http.get(f"{self._accounts}/billingAccount/{segment(account)}")
        resource = table(answer.body)
        if not resource:
            raise wrong("billingAccount")
        return resource

    async def _bill_answer(self, bill_id: str, fields: str = tmf.BILL_FIELDS) -> Answer:
        return await self._http.get(f"{self._bills}/customerBill/{segment(bill_id)}", {"fields": fields})

    async def _pages(self, account: str) -> list[Mapping[str, Any]]:
        query = {"billingAccount.id": account, "fields": tmf.BILL_FIELDS, "sort": "-billDate"}
        return await self._all("customerBill", query)

    async def _all(self, resource: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Return all pages of a list: the first gives the total, the others are read concurrently."""
        first = await self._page(resource, query, 0)
        if not isinstance(first.body, list):
            raise wrong(resource)
        size, total = len(first.body), min(first.total or 0, PAGE * MOST_PAGES)
        starts = range(size, total, size) if size else range(0)
        later = await _together([self._page(resource, query, start) for start in starts[:MOST_PAGES]])
        return [each for answer in (first, *later) for each in tables(answer.body)]

    async def _page(self, resource: str, query: Mapping[str, str], offset: int) -> Answer:
        window = {"offset": str(offset), "limit": str(PAGE)}
        return await self._http.get(f"{self._bills}/{resource}", {**query, **window})

    async def _whole(self, found: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the bills with the fields the list left out; at most `PAGE_SIZE` are read again."""
        incomplete = [each for each in found if not tmf.complete(each)][:PAGE]
        if not incomplete:
            return found
        answers = await _together([self._bill_answer(name(each.get("id"))) for each in incomplete])
        complete = {id(each): table(answer.body) for each, answer in zip(incomplete, answers, strict=True)}
        return [complete.get(id(each), each) for each in found]


def _newest(bill: Bill) -> tuple[Any, ...]:
    return bill.issued, bill.id


async def _together(calls: Sequence[Any]) -> list[Answer]:
    """Return all answers, or raise the first failure once all calls are over."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for each in answers:
        if isinstance(each, Failure):
            raise each
        if isinstance(each, BaseException):
            raise Down from each
    return [each for each in answers if isinstance(each, Answer)]


def connect(address: str, site: Site) -> Kept:
    """Return the backend for a TM Forum BSS; `address` ends before `tmf-api/`.

    Raises ValueError that names a wrong setting.
    """
    options = read(Options, site.options)
    if options.dialect not in ("v4", "v5"):
        raise ValueError("bss.dialect: must be v4 or v5")
    if not set(options.serves) <= set(get_args(Capability)):
        raise ValueError(f"bss.serves: may name {', '.join(get_args(Capability))}")
    allow_list = Reach(options.document_hosts, options.document_networks)
    client = Http(address, options, tokens=_tokens(options), reach=allow_list)
    return Kept(Tmf678(client, site, options), site.today, options.cache_seconds)


def _tokens(options: Options) -> Tokens | None:
    if not options.token_url:
        return None
    if not (options.client_id and options.client_secret.value):
        raise ValueError("bss.client_id: a token_url needs client_id and client_secret")
    return Tokens(checked(options.token_url), options.client_id, options.client_secret, options.scope)
