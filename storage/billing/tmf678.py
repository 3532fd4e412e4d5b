"""TM Forum billing backend: TMF678 bills, TMF666 accounts, TMF637 products to find a number's holder."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import cast, get_args

from flows.domain.account_activity import Allowance, BookedPayment, DirectDebit, SubscribedService
from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound, NotPublished
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from flows.domain.rubrics import rubric_heading
from storage.billing import _tmf_account_mapping as accounts
from storage.billing import _tmf_account_patches as patches
from storage.billing import _tmf_activity as activity
from storage.billing import _tmf_debits as debits
from storage.billing import _tmf_mapping as tmf
from storage.billing._client.answer_fields import (
    as_object,
    clean_text,
    identifier_text,
    parse_day,
    require_identifier,
)
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.bill_order import usable_bills
from storage.billing._client.body_reader import JsonAnswer
from storage.billing._client.caching import CachedBilling
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.cycle_pages import CycleReader
from storage.billing._client.documents import ACCEPT_HEADER, build_document, decode_attachment
from storage.billing._client.http import BssClient, validate_base_url
from storage.billing._client.oauth import OAuthTokenSource
from storage.billing._client.ownership import OwnershipClaim, select_holder, select_owner
from storage.billing._client.paging import BssResource
from storage.billing._client.ssrf_guard import UrlAllowList
from storage.billing._remote_bookings import RemoteBookings
from storage.billing._remote_charges import RemoteCharges
from storage.billing._tmf_charges import TmfCharges
from storage.billing._tmf_options import TmForumOptions
from storage.billing._tmf_payments import TmfPayments
from storage.billing._tmf_promises import TmfPromises
from storage.billing._tmf_reads import MAX_BILLS, TmfResourceReader
from storage.billing.backend import BackendContext

RUBRIC_BY_ENTRY_TYPE: Mapping[EntryType, str] = {"usage": "communications", "purchases": "third_party"}
"""Rubric of the unbilled rates that answer each kind of entry."""


class TmForumBilling(RemoteBookings, RemoteCharges, TmfPromises):
    """TM Forum implementation of the `Billing` port; raises Refused and Unavailable only."""

    def __init__(self, client: BssClient, context: BackendContext, options: TmForumOptions) -> None:
        self._client, self._context, self._options = client, context, options
        self._reads = TmfResourceReader(client, options)
        self._currency = CurrencyRule(options.currency or context.currency, context.currency)
        self._payments: TmfPayments = TmfPayments(client, options.payments, options.currency)
        self._charges = TmfCharges(client, options, options.currency or context.currency, context.zone)
        self.capabilities = cast(Collection[Capability], options.serves)

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: its current product, then that product's billing account."""
        products = await self._reads.find_products(msisdn)
        return await self._read_subscriber(
            select_owner(self._claims(products), msisdn, self._context.today()), msisdn
        )

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first whatever the BSS's own order."""
        own = await self._reads.list_account_bills(account)
        newest_first = usable_bills(
            [each for each in own if tmf.is_published(each)],
            lambda each: self._parse_bill(each, account),
            lambda each: tmf.issue_day(each, self._context.zone),
            self._context.today(),
        )
        return newest_first[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished before it is sent."""
        return self._published_bill(await self._reads.get_bill(bill_id), account, bill_id)

    def _published_bill(self, answer: JsonAnswer, account: str, bill_id: str) -> Bill:
        resource = as_object(answer.body)
        if tmf.account_id_of(resource) != account or identifier_text(resource.get("id")) != bill_id:
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
        rates = tmf.rates_of_bill(await self._reads.list_bill_rates(bill_id), account, bill_id)
        return self._parse_lines(rates)

    def _parse_lines(self, rates: Iterable[BssResource]) -> list[BillLine]:
        return self._currency.round_bill_lines(
            tmf.parse_bill_line(each, self._currency, self._options.rubrics, self._context.zone)
            for each in rates
        )

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today: TMF666 `billStructure.presentationMedia`."""
        return accounts.account_destination(await self._reads.get_account(account), self._options.media)

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """PATCH the account's presentation media and its e-mail contact; all else stays as it is."""
        names, today = self._options.media, self._context.today()
        return await self._reads.patch_account(
            account,
            lambda found: destination.is_met_by(accounts.account_destination(found, names)),
            lambda found: patches.media_patch(found, destination, names, today),
        )

    async def set_postal_address(self, account: str, address: str) -> bool:
        """PATCH the account's postal contact; its other contacts stay as they are."""
        wanted, today = clean_text(address), self._context.today()
        return await self._reads.patch_account(
            account,
            lambda found: accounts.postal_address(found) == wanted,
            lambda found: patches.address_patch(found, wanted, today),
        )

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases that are on no bill yet, newest first: the rates not billed.

        For a limit above `MAX_BILLS` the whole list is read; InvalidRecord when it does not end.
        """
        if what not in self.capabilities:
            raise NotFound
        own = await self._reads.list_unbilled_rates(account, is_whole_list_needed=limit > MAX_BILLS)
        wanted = [
            each
            for each in own
            if rubric_heading(tmf.rubric_of(each, self._options.rubrics)) == RUBRIC_BY_ENTRY_TYPE[what]
        ]
        wanted.sort(key=lambda each: str(each.get("date")), reverse=True)
        return [tmf.parse_entry(each, self._currency, self._context.zone) for each in wanted[:limit]]

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return payments booked, newest first: TMF676 `payment` of the account."""
        found = await self._payments.list_payments(account)
        return activity.parse_payments(found, account, self._currency, self._context.zone)[:limit]

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return the rates of the account that are on no bill yet, all of them."""
        rates = await self._reads.list_unbilled_rates(account, is_whole_list_needed=True)
        return self._parse_lines(rates)

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used: TMF677 `usageConsumptionReport` of its number."""
        report = await self._reads.get_consumption_report(msisdn)
        return activity.parse_allowances(report, msisdn, self._context.zone)

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return the current products of the account."""
        claims = self._claims(await self._reads.find_account_products(account))
        today = self._context.today()
        own = [each.record for each in claims if each.accounts == {account} and each.is_current(today)]
        return activity.parse_services(own, self._context.zone)

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's mandate: TMF666 `defaultPaymentMethod`, and its day from `paymentPlan`."""
        found = await self._reads.get_account(account)
        return debits.parse_debit(found, self._options, self._context.today(), self._context.zone)

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the bill's `billDocument`, embedded in the bill or downloaded from its URL."""
        if "documents" not in self.capabilities:
            raise NotFound
        query = {"fields": f"{tmf.BILL_FIELDS},billDocument"}
        answer = await self._client.get_with_document(self._reads.bill_path(bill_id), query)
        self._published_bill(answer, account, bill_id)
        attachment = tmf.find_attachment(as_object(answer.body))
        if attachment.content_base64:
            return build_document(decode_attachment(attachment), attachment, self._options.platform)
        file = await self._client.download_file(attachment.url, ACCEPT_HEADER)
        return build_document(file, attachment, self._options.platform)

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, in the BSS's order, one page in memory."""
        reader = CycleReader()
        async for resources in self._reads.iterate_bills(first, last):
            bills, rejected = await reader.read_bills(
                resources,
                self._reads.complete_bill,
                lambda each: self._parse_cycle_bill(each, first, last),
                lambda each: each.get("id"),
            )
            page = await reader.pair_with_holders(bills, self.get_account_holder)
            yield CyclePage(page, (*rejected, *page.rejected), page.without_holder)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its oldest current line."""
        products = await self._reads.find_account_products(account)
        product = select_holder(self._claims(products), account, self._context.today())
        return await self._read_subscriber(product, accounts.msisdn_of(product))

    async def register_callback(self, callback: str) -> None:
        """Register `callback` at the TMF678 hub for new bills and bill state changes."""
        query = "eventType=CustomerBillCreateEvent&eventType=CustomerBillStateChangeEvent"
        kind = {"@type": "Hub"} if self._options.dialect == "v5" else {}
        hub = {"callback": callback, "query": query, **kind}
        await self._client.send("POST", f"{self._reads.bills_path}/hub", hub)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _parse_bill(self, resource: BssResource, account: str) -> Bill:
        return tmf.parse_bill(resource, account, self._context.today(), self._context.zone, self._currency)

    def _parse_cycle_bill(self, resource: BssResource, first: date, last: date) -> Bill | None:
        """Parse a bill of these days; None for one that is not published, or of other days."""
        if not tmf.is_published(resource):
            return None
        issued = parse_day(resource.get("billDate"), self._context.zone, "billDate")
        if not first <= issued <= min(last, self._context.today()):
            return None
        return self._parse_bill(resource, require_identifier(tmf.account_id_of(resource), "billingAccount"))

    async def _read_subscriber(self, product: BssResource, msisdn: str) -> Subscriber:
        account = await self._reads.get_account(accounts.billing_account_of(product))
        found = accounts.parse_subscriber(product, account, self._context.operator, msisdn, self._context.zone)
        return replace(found, media=accounts.account_destination(account, self._options.media).media)

    def _claims(self, products: Sequence[BssResource]) -> list[OwnershipClaim[BssResource]]:
        return [accounts.ownership_claim(each, self._context.zone) for each in products]


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
