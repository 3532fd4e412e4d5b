"""TM Forum requests: products, billing accounts, bills and rates read in full, and accounts changed."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import date, timedelta

from flows.domain.failures import InvalidRecord, NotFound
from storage.billing import _tmf_mapping as tmf
from storage.billing._client.account_changes import change_account
from storage.billing._client.answer_fields import (
    as_object,
    field_error,
    identifier_text,
    objects_in,
    parse_flag,
    require_identifier,
)
from storage.billing._client.body_reader import JsonAnswer, read_bill_json
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.ownership import require_named
from storage.billing._client.paging import BssList, BssResource, gather_all, iterate_pages, read_list
from storage.billing._tmf_options import TmForumOptions

PAGE_SIZE = 50
"""Resources per page."""
MAX_BILLS = 500
"""Bills read of one account: forty years of months."""
MAX_RATES = 5_000
"""Rates read of one bill, or of an account's current month."""


class TmfResourceReader:
    """Reads TMF678, TMF666 and TMF637 resources through one client."""

    def __init__(self, client: BssClient, options: TmForumOptions) -> None:
        self._client, self._options = client, options
        self.bills_path = options.bills.replace("{dialect}", options.dialect).strip("/")
        self._accounts_path = options.accounts.strip("/")

    async def find_products(self, msisdn: str) -> list[BssResource]:
        """Return the resolver's answer for a number; its owner is still to be checked."""
        path = self._options.resolver.replace("{msisdn}", path_segment(msisdn))
        body = (await self._client.get(path.replace("{digits}", path_segment(msisdn.removeprefix("+"))))).body
        return [*objects_in(body), *objects_in([body])]

    async def find_account_products(self, account: str) -> list[BssResource]:
        """Return the holder query's answer for an account; its owner is still to be checked."""
        body = (await self._client.get(self._options.holder.replace("{account}", path_segment(account)))).body
        return [*objects_in(body), *objects_in([body])]

    async def get_consumption_report(self, msisdn: str) -> object:
        """Return the answer to the query for a line's consumption; its owner is still to be checked."""
        path = self._options.consumption.replace("{msisdn}", path_segment(msisdn))
        return (await self._client.get(path.replace("{digits}", path_segment(msisdn.removeprefix("+"))))).body

    async def get_account(self, account: str) -> BssResource:
        """Return a billing account; NotFound when the answer is another account."""
        return as_object((await self.read_account(account)).body)

    async def read_account(self, account: str) -> JsonAnswer:
        """Return the answer with a billing account and its version; NotFound when it is another account."""
        answer = await self._client.get(self.account_path(account))
        if not as_object(answer.body):
            raise field_error("billingAccount")
        require_named(as_object(answer.body).get("id"), account, "billingAccount")
        return answer

    async def patch_account(
        self,
        account: str,
        is_as_wanted: Callable[[BssResource], bool],
        build_patch: Callable[[BssResource], Mapping[str, object]],
    ) -> bool:
        """Patch an account as it is now, unless another system has changed it meanwhile (`If-Match`)."""
        answer = JsonAnswer({})

        async def is_met() -> bool:
            nonlocal answer
            answer = await self.read_account(account)
            return is_as_wanted(as_object(answer.body))

        async def send_patch() -> int:
            return await self._send_patch(account, build_patch(as_object(answer.body)), answer)

        return await change_account(is_met, send_patch)

    async def _send_patch(self, account: str, patch: Mapping[str, object], seen: JsonAnswer) -> int:
        """PATCH a billing account made from the answer `seen`; return the HTTP status."""
        media_type = "application/json;charset=utf-8"
        path = self.account_path(account)
        return (await self._client.send("PATCH", path, patch, media_type, seen.entity_tag)).status

    async def get_bill(self, bill_id: str) -> JsonAnswer:
        """Return one bill, whosever it is."""
        return await self._client.get(self.bill_path(bill_id), {"fields": tmf.BILL_FIELDS}, read_bill_json)

    async def list_account_bills(self, account: str) -> list[BssResource]:
        """Return every bill that names this account; InvalidRecord when the list does not end."""
        query = {"billingAccount.id": account, "fields": tmf.BILL_FIELDS, "sort": "-billDate"}
        bills = require_newest(await self._read_all("customerBill", query, MAX_BILLS), "billDate")
        complete = await gather_all(self.complete_bill(each) for each in bills)
        return [
            each for each in complete if not isinstance(each, NotFound) and tmf.account_id_of(each) == account
        ]

    async def list_bill_rates(self, bill_id: str) -> list[BssResource]:
        """Return the rates answered for a bill; InvalidRecord when the list does not end."""
        query = {"bill.id": bill_id, "isBilled": "true", "fields": tmf.RATE_FIELDS[self._options.dialect]}
        rates = await self._read_all("appliedCustomerBillingRate", query, MAX_RATES)
        if not rates.is_complete:
            raise field_error("list of rates: it does not end")
        return rates.rows

    async def list_unbilled_rates(
        self, account: str, *, is_whole_list_needed: bool = False
    ) -> list[BssResource]:
        """Return the rates of an account that are on no bill yet, the newest at least.

        With `is_whole_list_needed` all of them; InvalidRecord when the list does not end.
        """
        fields = tmf.RATE_FIELDS[self._options.dialect]
        query = {"billingAccount.id": account, "isBilled": "false", "fields": fields, "sort": "-date"}
        most = MAX_RATES if is_whole_list_needed else MAX_BILLS
        found = await self._read_all("appliedCustomerBillingRate", query, most)
        if is_whole_list_needed and not found.is_complete:
            raise field_error("list of rates: it does not end")
        rates = require_newest(found, "date")
        unbilled = [each for each in rates if parse_flag(each.get("isBilled")) is False]
        return [each for each in unbilled if tmf.account_id_of(each) == account]

    def iterate_bills(self, first: date, last: date) -> AsyncIterator[list[BssResource]]:
        """Yield pages of the bills of these days, and of a day on either side: the BSS's days may be UTC's."""
        one_day = timedelta(days=1)
        period = {
            "billDate.gte": (first - one_day).isoformat(),
            "billDate.lt": (last + 2 * one_day).isoformat(),
        }
        query = {**period, "fields": tmf.BILL_FIELDS}

        async def fetch_page(offset: int) -> JsonAnswer:
            return await self._fetch_page("customerBill", query, offset)

        return iterate_pages(fetch_page, PAGE_SIZE)

    async def complete_bill(self, listed: BssResource) -> BssResource:
        """Return a listed bill with the fields the list left out, read again by its id."""
        if not is_readable_again(listed):
            return listed
        with suppress(NotFound):
            return same_bill(listed, await self.get_bill(identifier_text(listed["id"])))
        return listed

    async def _read_all(self, resource: str, query: Mapping[str, str], max_rows: int) -> BssList:
        async def fetch_page(offset: int) -> JsonAnswer:
            return await self._fetch_page(resource, query, offset)

        return await read_list(fetch_page, PAGE_SIZE, max_rows)

    async def _fetch_page(self, resource: str, query: Mapping[str, str], offset: int) -> JsonAnswer:
        window = {"offset": str(offset), "limit": str(PAGE_SIZE)}
        return await self._client.get(f"{self.bills_path}/{resource}", {**query, **window})

    def bill_path(self, bill_id: str) -> str:
        """Return the path of a bill."""
        return f"{self.bills_path}/customerBill/{path_segment(bill_id)}"

    def account_path(self, account: str) -> str:
        """Return the path of a billing account."""
        return f"{self._accounts_path}/billingAccount/{path_segment(account)}"


def is_readable_again(resource: BssResource) -> bool:
    """Return whether a listed bill lacks fields that the bill itself, asked for by its id, may have."""
    if tmf.is_complete(resource):
        return False
    try:
        path_segment(require_identifier(resource.get("id")))
    except (NotFound, InvalidRecord):
        return False
    return True


def same_bill(listed: BssResource, answer: JsonAnswer) -> BssResource:
    """Return the bill read by its id; the listed one when another bill was answered."""
    resource = as_object(answer.body)
    return resource if identifier_text(resource.get("id")) == identifier_text(listed.get("id")) else listed


def require_newest(found: BssList, date_field: str) -> list[BssResource]:
    """Return the rows; InvalidRecord when the list was cut and its newest row may be behind the cut."""
    days = [str(each.get(date_field)) for each in found.rows]
    if not found.is_complete and days != sorted(days, reverse=True):
        raise field_error("list: it does not end, and is not sorted")
    return found.rows
