"""TM Forum billing backend: TMF678 bills, TMF666 accounts, TMF637 products to find a number's holder."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast, get_args

from flows.domain.failures import Down, Failure, NotFound, NotPublished
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    BillMedia,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from storage.billing import _tmf_account_mapping as accounts
from storage.billing import _tmf_mapping as tmf
from storage.billing._client.answer_fields import as_object, field_error, objects_in, require_identifier
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.body_reader import JsonAnswer, read_bill_json
from storage.billing._client.caching import CachedBilling
from storage.billing._client.documents import ACCEPT_HEADER, build_document, decode_attachment
from storage.billing._client.http import BssClient, path_segment, validate_base_url
from storage.billing._client.oauth import OAuthTokenSource
from storage.billing._client.ssrf_guard import UrlAllowList
from storage.billing._tmf_options import TmForumOptions
from storage.billing.backend import BackendContext

PAGE_SIZE = 50
"""Resources per page."""
MAX_PAGES = 10
"""Pages read of one list: 500 bills are forty years of months."""
RUBRIC_BY_ENTRY_TYPE: Mapping[EntryType, str] = {"usage": "communications", "purchases": "third_party"}
"""Rubric of the unbilled rates that answer each kind of entry."""


class TmForumBilling:
    """TM Forum implementation of the `Billing` port; raises Refused and Unavailable only."""

    def __init__(self, client: BssClient, context: BackendContext, options: TmForumOptions) -> None:
        self._client, self._context, self._options = client, context, options
        self.capabilities = cast(Collection[Capability], options.serves)
        self._bills_path = options.bills.replace("{dialect}", options.dialect).strip("/")
        self._accounts_path = options.accounts.strip("/")

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: its product, then that product's billing account."""
        path = self._options.resolver.replace("{msisdn}", path_segment(msisdn))
        body = (await self._client.get(path.replace("{digits}", path_segment(msisdn.removeprefix("+"))))).body
        product = next(objects_in(body), as_object(body))
        if not product:
            raise NotFound
        account = await self._fetch_account(accounts.billing_account_of(product))
        return accounts.parse_subscriber(product, account, self._context.operator, msisdn, self._context.zone)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first whatever the BSS's own order."""
        today = self._context.today()
        every = await self._complete_bills(await self._fetch_account_bills(account))
        own = [each for each in every if tmf.is_published(each) and tmf.account_id_of(each) == account]
        bills = [self._parse_bill(each, account) for each in own]
        newest_first = sorted((bill for bill in bills if bill.issued <= today), key=_issue_order, reverse=True)
        return newest_first[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished before it is sent."""
        return self._published_bill(await self._fetch_bill(bill_id), account, bill_id)

    def _published_bill(self, answer: JsonAnswer, account: str, bill_id: str) -> Bill:
        resource = as_object(answer.body)
        if tmf.account_id_of(resource) != account or resource.get("id") != bill_id:
            raise NotFound
        if not tmf.is_published(resource):
            raise NotPublished
        bill = self._parse_bill(resource, account)
        if bill.issued > self._context.today():
            raise NotPublished
        return bill

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        fields = tmf.RATE_FIELDS[self._options.dialect]
        query = {"bill.id": bill_id, "isBilled": "true", "fields": fields}
        rates = await self._fetch_all_pages("appliedCustomerBillingRate", query)
        return [
            tmf.parse_bill_line(each, self._options.currency, self._options.rubrics, self._context.zone)
            for each in rates
            if as_object(each.get("bill")).get("id", bill_id) == bill_id
        ]

    async def get_media(self, account: str) -> BillMedia:
        """Return how bills reach this account today: TMF666 `billStructure.presentationMedia`."""
        return accounts.account_media(await self._fetch_account(account), self._options.media)

    async def set_media(self, account: str, media: BillMedia) -> bool:
        """PATCH the account's presentation media, keeping other media; False when it already has this one."""
        resource = await self._fetch_account(account)
        if accounts.account_media(resource, self._options.media) == media:
            return False
        names = self._options.media
        others = [
            each for each in accounts.presentation_media(resource) if not accounts.match_medium(each, names)
        ]
        wanted = {"name": names.get(media, media), "isRef": False}
        structure = {**as_object(resource.get("billStructure")), "presentationMedia": [*others, wanted]}
        # The TMF666 update schema requires these two, so they are sent back unchanged.
        required = {part: resource[part] for part in ("name", "relatedParty") if part in resource}
        path = f"{self._accounts_path}/billingAccount/{path_segment(account)}"
        change = {**required, "billStructure": structure}
        await self._client.send("PATCH", path, change, "application/json;charset=utf-8")
        return True

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases that are on no bill yet, newest first: the rates not billed."""
        if what not in self.capabilities:
            raise NotFound
        fields = tmf.RATE_FIELDS[self._options.dialect]
        query = {"billingAccount.id": account, "isBilled": "false", "fields": fields, "sort": "-date"}
        rates = await self._fetch_all_pages("appliedCustomerBillingRate", query)
        own = [each for each in rates if not each.get("isBilled") and tmf.account_id_of(each) == account]
        wanted = [
            each for each in own if tmf.rubric_of(each, self._options.rubrics) == RUBRIC_BY_ENTRY_TYPE[what]
        ]
        wanted.sort(key=lambda each: str(each.get("date")), reverse=True)
        return [tmf.parse_entry(each, self._options.currency, self._context.zone) for each in wanted[:limit]]

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the bill's `billDocument`, embedded in the bill or downloaded from its URL."""
        if "documents" not in self.capabilities:
            raise NotFound
        query = {"fields": f"{tmf.BILL_FIELDS},billDocument"}
        answer = await self._client.get_with_document(self._bill_path(bill_id), query)
        self._published_bill(answer, account, bill_id)
        attachment = tmf.find_attachment(as_object(answer.body))
        if attachment.content_base64:
            return build_document(decode_attachment(attachment), attachment, self._options.platform)
        file = await self._client.download_file(attachment.url, ACCEPT_HEADER)
        return build_document(file, attachment, self._options.platform)

    async def list_issued_bills(
        self, first: date, last: date
    ) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, in the BSS's order, one page in memory."""
        end = (last + timedelta(days=1)).isoformat()
        query = {"billDate.gte": first.isoformat(), "billDate.lt": end, "fields": tmf.BILL_FIELDS}
        offset = 0
        while page := list(objects_in((await self._fetch_page("customerBill", query, offset)).body)):
            offset += len(page)
            public = [each for each in await self._complete_bills(page) if tmf.is_published(each)]
            bills = [
                self._parse_bill(each, tmf.account_id_of(each)) for each in public if tmf.account_id_of(each)
            ]
            in_period = [bill for bill in bills if first <= bill.issued <= min(last, self._context.today())]
            yield await self._with_holders(in_period)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its first product's line."""
        body = (await self._client.get(self._options.holder.replace("{account}", path_segment(account)))).body
        product = next(objects_in(body), None)
        if product is None:
            raise NotFound
        resource, number = await self._fetch_account(account), accounts.msisdn_of(product)
        return accounts.parse_subscriber(product, resource, self._context.operator, number, self._context.zone)

    async def register_callback(self, callback: str) -> None:
        """Register `callback` at the TMF678 hub for new bills and bill state changes."""
        query = "eventType=CustomerBillCreateEvent&eventType=CustomerBillStateChangeEvent"
        kind = {"@type": "Hub"} if self._options.dialect == "v5" else {}
        hub = {"callback": callback, "query": query, **kind}
        await self._client.send("POST", f"{self._bills_path}/hub", hub)

    async def _with_holders(self, bills: Sequence[Bill]) -> list[tuple[Bill, Subscriber]]:
        """Pair each bill with its holder, read concurrently; bills without a holder are left out."""
        holders = await asyncio.gather(
            *(self.get_account_holder(bill.account) for bill in bills), return_exceptions=True
        )
        for each in holders:
            if isinstance(each, BaseException) and not isinstance(each, NotFound):
                raise each
        return [(bill, each) for bill, each in zip(bills, holders, strict=True) if isinstance(each, Subscriber)]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _parse_bill(self, resource: Mapping[str, Any], account: str) -> Bill:
        return tmf.parse_bill(
            resource, account, self._context.today(), self._context.zone, self._options.currency
        )

    async def _fetch_account(self, account: str) -> Mapping[str, Any]:
        answer = await self._client.get(f"{self._accounts_path}/billingAccount/{path_segment(account)}")
        resource = as_object(answer.body)
        if not resource:
            raise field_error("billingAccount")
        return resource

    async def _fetch_bill(self, bill_id: str) -> JsonAnswer:
        return await self._client.get(self._bill_path(bill_id), {"fields": tmf.BILL_FIELDS}, read_bill_json)

    def _bill_path(self, bill_id: str) -> str:
        return f"{self._bills_path}/customerBill/{path_segment(bill_id)}"

    async def _fetch_account_bills(self, account: str) -> list[Mapping[str, Any]]:
        query = {"billingAccount.id": account, "fields": tmf.BILL_FIELDS, "sort": "-billDate"}
        return await self._fetch_all_pages("customerBill", query)

    async def _fetch_all_pages(self, resource: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Return all pages of a list: the first gives the total, the others are read concurrently."""
        first = await self._fetch_page(resource, query, 0)
        if not isinstance(first.body, list):
            raise field_error(resource)
        size, total = len(first.body), min(first.total_count or 0, PAGE_SIZE * MAX_PAGES)
        starts = range(size, total, size) if size else range(0)
        later = await _gather_answers(
            [self._fetch_page(resource, query, start) for start in starts[:MAX_PAGES]]
        )
        return [each for answer in (first, *later) for each in objects_in(answer.body)]

    async def _fetch_page(self, resource: str, query: Mapping[str, str], offset: int) -> JsonAnswer:
        window = {"offset": str(offset), "limit": str(PAGE_SIZE)}
        return await self._client.get(f"{self._bills_path}/{resource}", {**query, **window})

    async def _complete_bills(self, resources: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the bills with the fields the list left out; at most `PAGE_SIZE` are read again."""
        incomplete = [each for each in resources if not tmf.is_complete(each)][:PAGE_SIZE]
        if not incomplete:
            return resources
        answers = await _gather_answers(
            [self._fetch_bill(require_identifier(each.get("id"))) for each in incomplete]
        )
        complete = {id(each): as_object(answer.body) for each, answer in zip(incomplete, answers, strict=True)}
        return [complete.get(id(each), each) for each in resources]


def _issue_order(bill: Bill) -> tuple[Any, ...]:
    return bill.issued, bill.id


async def _gather_answers(calls: Sequence[Any]) -> list[JsonAnswer]:
    """Return all answers, or raise the first failure once all calls are over."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for each in answers:
        if isinstance(each, Failure):
            raise each
        if isinstance(each, BaseException):
            raise Down from each
    return [each for each in answers if isinstance(each, JsonAnswer)]


def connect(address: str, context: BackendContext) -> CachedBilling:
    """Return the backend for a TM Forum BSS; `address` ends before `tmf-api/`.

    Raises ValueError that names a wrong setting.
    """
    options = parse_options(TmForumOptions, context.options)
    if options.dialect not in ("v4", "v5"):
        raise ValueError("bss.dialect: must be v4 or v5")
    if not set(options.serves) <= set(get_args(Capability)):
        raise ValueError(f"bss.serves: may name {', '.join(get_args(Capability))}")
    allow_list = UrlAllowList(options.document_hosts, options.document_networks)
    client = BssClient(address, options, token_source=_build_token_source(options), allow_list=allow_list)
    return CachedBilling(TmForumBilling(client, context, options), context.today, options.cache_seconds)


def _build_token_source(options: TmForumOptions) -> OAuthTokenSource | None:
    if not options.token_url:
        return None
    if not (options.client_id and options.client_secret.value):
        raise ValueError("bss.client_id: a token_url needs client_id and client_secret")
    return OAuthTokenSource(
        validate_base_url(options.token_url), options.client_id, options.client_secret, options.scope
    )
