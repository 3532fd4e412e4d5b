"""Kill Bill billing backend: bundles are lines, invoices are bills, a custom field is the media.

Sources: the project's API reference (account, bundle, invoice, custom field). A bundle's external key is
the line's number; amounts are JSON numbers in the account's currency; an invoice has no due date of its
own, so it is the invoice date plus `due_days`.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta

from aiohttp import encode_basic_auth

from flows.domain.account_activity import Allowance, BookedPayment, DirectDebit, SubscribedService
from flows.domain.bill_cycle import CyclePage, RejectedBill
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
from storage.billing import _killbill_activity as activity
from storage.billing import _killbill_mapping
from storage.billing._client.answer_fields import (
    as_object,
    clean_text,
    field_error,
    identifier_text,
    objects_in,
)
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.bill_order import usable_bills
from storage.billing._client.body_reader import JsonAnswer
from storage.billing._client.caching import CachedBilling
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.cycle_pages import CycleReader, reject_record
from storage.billing._client.documents import ACCEPT_HEADER, BillAttachment, build_document
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.ownership import OwnershipClaim, require_named, select_holder, select_owner
from storage.billing._client.paging import BssResource, iterate_pages
from storage.billing._killbill_accounts import KillBillAccounts
from storage.billing._killbill_charges import KillBillCharges
from storage.billing._killbill_invoices import KillBillInvoices
from storage.billing._killbill_options import KillBillOptions
from storage.billing._killbill_payments import KillBillPayments
from storage.billing._remote_bookings import RemoteBookings
from storage.billing._remote_charges import RemoteCharges
from storage.billing.backend import BackendContext

CREATED_BY = "dialtree"
"""The `X-Killbill-CreatedBy` that Kill Bill's audit log shows for our changes."""
PAGE_SIZE = 200
"""Invoices per page of a billing cycle."""
CAPABILITIES: tuple[Capability, ...] = (
    *("documents", "payments"),
    *("history", "unbilled", "meter", "services"),
)
UNNAMED_ATTACHMENT = BillAttachment("", "", "", "")
"""The response says what a document is."""


class KillBillBilling(RemoteBookings, RemoteCharges):
    """Kill Bill implementation of the `Billing` port; an account is Kill Bill's accountId."""

    def __init__(self, client: BssClient, context: BackendContext, options: KillBillOptions) -> None:
        self._client, self._context, self._options = client, context, options
        self._accounts = KillBillAccounts(client, options.media_field)
        self._currency = CurrencyRule(options.currency or context.currency, context.currency)
        self._payments = KillBillPayments(client)
        self._invoices = KillBillInvoices(client)
        self._charges = KillBillCharges(client, self._invoices, options.currency or context.currency)
        debits: tuple[Capability, ...] = ("debits",) if options.debit_plugins else ()
        charges: tuple[Capability, ...] = ("charges",) if options.takes_charges else ()
        self.capabilities: Collection[Capability] = frozenset((*CAPABILITIES, *debits, *charges))

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Find the subscriber of a number: the bundle with that external key, then its account."""
        bundles = (await self._client.get("1.0/kb/bundles", {"externalKey": msisdn})).body
        return await self._fetch_subscriber(select_owner(self._claims(bundles), msisdn, self._context.today()))

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return committed and void invoices, newest first; drafts are not published."""
        listed = await self._invoices.list_invoices(account)
        published = [each for each in listed if _killbill_mapping.is_published(each)]
        newest_first = usable_bills(
            await self._invoices.complete_invoices(published),
            self._parse_bill,
            lambda each: _killbill_mapping.issue_day(each, self._context.zone),
            self._context.today(),
        )
        return newest_first[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's, NotPublished for a draft."""
        return self._parse_bill(await self._fetch_invoice(account, bill_id))

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the invoice's items, each with its tax; NotFound for another account's bill."""
        invoice = await self._fetch_invoice(account, bill_id)
        return _killbill_mapping.parse_bill_lines(
            invoice, self._options.rubrics, await self._numbers_by_bundle(account), self._currency
        )

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today, by its custom field."""
        return await self._accounts.get_destination(account)

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Set the account's e-mail address and its custom field; False when it already has these values."""
        return await self._accounts.set_destination(account, destination)

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Set the account's postal address; False when it already has this one."""
        return await self._accounts.set_address(account, clean_text(address))

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Raise NotFound: Kill Bill rolls usage up by unit and has no single calls."""
        raise NotFound

    async def list_payments(self, account: str, limit: int) -> Sequence[BookedPayment]:
        """Return the payments of the account's invoices, newest first."""
        found = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/invoicePayments")).body
        return activity.parse_payments(found, account, self._currency, self._context.zone)[:limit]

    async def list_unbilled_lines(self, account: str) -> Sequence[BillLine]:
        """Return the items of the invoice that would come next; none when there would be none."""
        path = f"1.0/kb/invoices/dryRun?accountId={path_segment(account)}"
        try:
            invoice = as_object((await self._client.send("POST", path, activity.DRY_RUN_BODY)).body)
        except NotFound:
            return []
        if not invoice:
            return []
        require_named(invoice.get("accountId"), account, "dry run")
        numbers = await self._numbers_by_bundle(account)
        return _killbill_mapping.parse_bill_lines(invoice, self._options.rubrics, numbers, self._currency)

    async def list_services(self, account: str) -> Sequence[SubscribedService]:
        """Return the running subscriptions of the account's bundles."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        claims, today = self._claims(bundles), self._context.today()
        return activity.parse_services(claims, account, today, self._context.zone)

    async def list_allowances(self, account: str, msisdn: str) -> Sequence[Allowance]:
        """Return what a line has used since the first of the month; Kill Bill does not tell what is left."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        today = self._context.today()
        bundle = select_owner(self._claims(bundles), msisdn, today)
        period = {"startDate": f"{today:%Y-%m}-01", "endDate": (today + timedelta(days=1)).isoformat()}
        path = f"1.0/kb/usages/{path_segment(activity.subscription_id(bundle))}"
        return activity.parse_usage((await self._client.get(path, period)).body)

    async def find_debit(self, account: str) -> DirectDebit | None:
        """Return the account's default payment method where a direct debit plugin keeps it."""
        path = f"1.0/kb/accounts/{path_segment(account)}/paymentMethods"
        found = (await self._client.get(path, {"withPluginInfo": "true"})).body
        return activity.parse_debit(found, account, self._options.debit_plugins)

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the invoice's document: HTML from the tenant's template, or what a plugin makes of it."""
        await self._fetch_invoice(account, bill_id)
        path = self._options.document_path.replace("{invoice}", path_segment(bill_id))
        file = await self._client.download_file(f"{self._client.base_url}/{path}", ACCEPT_HEADER)
        return build_document(file, UNNAMED_ATTACHMENT, "")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _numbers_by_bundle(self, account: str) -> dict[str, str]:
        """Return the phone numbers of the account's lines by bundle id."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        return {
            identifier_text(each.get("bundleId")): clean_text(each.get("externalKey"))
            for each in objects_in(bundles)
            if identifier_text(each.get("accountId")) == account
        }

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders.

        Kill Bill cannot list invoices by date, so every invoice is listed; and its pages are shallow, without
        items and with amounts of 0, so each invoice of these days is read by itself.
        """
        last, reader = min(last, self._context.today()), CycleReader()
        async for page in iterate_pages(self._fetch_page, PAGE_SIZE):
            listed, undated = self._invoices_of(page, first, last)
            bills, rejected = await reader.read_bills(
                listed,
                self._invoices.read_invoice,
                lambda each: self._parse_bill(each) if _killbill_mapping.is_published(each) else None,
                lambda each: each.get("invoiceId"),
            )
            paired = await reader.pair_with_holders(bills, self.get_account_holder)
            yield CyclePage(paired, (*undated, *rejected, *paired.rejected), paired.without_holder)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills: its oldest running bundle."""
        bundles = (await self._client.get(f"1.0/kb/accounts/{path_segment(account)}/bundles")).body
        return await self._fetch_subscriber(
            select_holder(self._claims(bundles), account, self._context.today())
        )

    def _claims(self, bundles: object) -> list[OwnershipClaim[BssResource]]:
        every = [*objects_in(bundles), *objects_in([bundles])]
        return [_killbill_mapping.ownership_claim(each, self._context.zone) for each in every]

    def _invoices_of(
        self, page: Sequence[BssResource], first: date, last: date
    ) -> tuple[list[BssResource], list[RejectedBill]]:
        """Return the published invoices of these days, and those whose day cannot be read."""
        dated = [
            (each, _killbill_mapping.issue_day(each, self._context.zone))
            for each in page
            if _killbill_mapping.is_published(each)
        ]
        undated = [
            reject_record(each.get("invoiceId"), field_error("invoiceDate")) for each, day in dated if not day
        ]
        return [each for each, day in dated if day and first <= day <= last], undated

    async def _fetch_page(self, offset: int) -> JsonAnswer:
        query = {"offset": str(offset), "limit": str(PAGE_SIZE)}
        return await self._client.get("1.0/kb/invoices/pagination", query)

    async def _fetch_subscriber(self, bundle: BssResource) -> Subscriber:
        account = _killbill_mapping.account_id_of(bundle)
        holder = await self._accounts.get_account(account)
        fields, kinds = await self._accounts.list_fields(account), self._options.kinds
        found = _killbill_mapping.parse_subscriber(
            bundle, holder, fields, kinds, self._context.operator, self._context.zone
        )
        media = _killbill_mapping.media_from_fields(fields, self._options.media_field)
        return replace(found, media=media)

    async def _fetch_invoice(self, account: str, bill_id: str) -> BssResource:
        invoice = as_object((await self._client.get(f"1.0/kb/invoices/{path_segment(bill_id)}")).body)
        if (
            identifier_text(invoice.get("accountId")) != account
            or identifier_text(invoice.get("invoiceId")) != bill_id
        ):
            raise NotFound
        if (
            not _killbill_mapping.is_published(invoice)
            or self._parse_bill(invoice).issued > self._context.today()
        ):
            raise NotPublished
        return invoice

    def _parse_bill(self, invoice: BssResource) -> Bill:
        return _killbill_mapping.parse_bill(
            invoice, self._options.due_days, self._context.today(), self._context.zone, self._currency
        )


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
