"""Mapped billing backend: an operator's own tables or views, mapped by settings, read-only."""

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select

from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import InvalidRecord, NotEligible, NotFound, NotPublished
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    Subscriber,
)
from storage.billing._client.answer_fields import clean_text, field_error, parse_flag
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.bill_order import usable_bills
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.cycle_pages import CycleReader, parse_records, reject_record
from storage.billing._client.ownership import OwnershipClaim, select_holder, select_owner
from storage.billing._mapped_activity import TABLES_BY_CAPABILITY, MappedActivity
from storage.billing._mapped_options import TableMappingOptions
from storage.billing._mapped_records import (
    ROW_FAULT,
    MappedRecordParser,
    key_text,
    merge_duplicates,
)
from storage.billing._mapped_tables import MappedTable, MappedTableReader
from storage.billing._sql_rows import RowBatch, reject_row, unreadable_row
from storage.billing.backend import BackendContext
from storage.sql.engine import Database
from storage.sql.engine import connect as open_database

log = logging.getLogger("dialtree.billing")
PAGE_SIZE = 1_000
"""Bills per page of a billing cycle."""
MAX_BILLS = 600
"""Newest bills read of one account."""


class MappedBilling(MappedActivity):
    """Read-only `Billing` port over the operator's tables; changing the media raises NotEligible."""

    def __init__(self, database: Database, context: BackendContext, options: TableMappingOptions) -> None:
        self._database, self._context, self._reader = database, context, MappedTableReader(database)
        self._subscribers_table = MappedTable("subscribers", options.subscribers)
        self._bills_table = MappedTable("bills", options.bills)
        self._lines_table = MappedTable("lines", options.lines) if options.lines else None
        self._activity_tables = options.activity_tables()
        self.capabilities: Collection[Capability] = tuple(
            each for each, needed in TABLES_BY_CAPABILITY.items() if needed in self._activity_tables
        )
        currency = CurrencyRule(options.currency or context.currency, context.currency)
        self._currency, self._parser = currency, MappedRecordParser(context, currency, options.electronic)

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        spellings = (msisdn, msisdn.removeprefix("+"), msisdn.replace("+", "00", 1))
        row = select_owner(await self._line_claims("msisdn", spellings), msisdn, self._context.today())
        return replace(self._parser.parse_subscriber(row), msisdn=msisdn)

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        newest = self._bills_table.columns["issued"].desc()
        rows = await self._find_bill_rows(
            "account", account, lambda query: query.order_by(newest).limit(MAX_BILLS)
        )
        own = [row for row in rows if key_text(row["account"]) == account]
        shown = [row for row in merge_duplicates(own) if parse_flag(row["published"]) is not False]
        bills = usable_bills(shown, self._parse_shown_bill, self._parser.issue_day, self._context.today())
        return bills[offset : offset + limit]

    def _parse_shown_bill(self, row: Mapping[str, Any]) -> Bill:
        bill = self._parser.parse_published_bill(row)
        if bill is None:
            raise NotPublished
        return bill

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        return self._own_bill(await self._find_bill_rows("id", bill_id), account, bill_id)

    def _own_bill(self, rows: Sequence[Mapping[str, Any]], account: str, bill_id: str) -> Bill:
        for row in merge_duplicates(rows):
            if key_text(row["id"]) == bill_id and key_text(row["account"]) == account:
                bill = self._parser.parse_published_bill(row)
                if bill is not None and bill.issued <= self._context.today():
                    return bill
        raise NotFound

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail; empty when no table is mapped for it.

        Raises InvalidRecord, with a log alert, when two accounts have a bill of this id: the lines do not say
        whose they are.
        """
        bills = await self._find_bill_rows("id", bill_id)
        self._own_bill(bills, account, bill_id)
        owners = {key_text(row["account"]) for row in bills if key_text(row["id"]) == bill_id}
        if len(owners) > 1:
            log.error("billing.ambiguous_owner", extra={"claims": len(owners)})
            raise InvalidRecord("two accounts have a bill of this id")
        if self._lines_table is None:
            return []
        batch = await self._reader.find_rows(self._lines_table, "bill", (bill_id,), "bill")
        if batch.unreadable:
            raise unreadable_row()  # the others would not add up to the bill
        return self._parser.parse_lines(row for row in batch.rows if key_text(row["bill"]) == bill_id)

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; NotFound for an unknown account."""
        row = select_holder(await self._line_claims("account", (account,)), account, self._context.today())
        return BillDestination(self._parser.read_media(row), clean_text(row["email"], 320))

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Return False when it is already set, else raise NotEligible: these tables are read-only."""
        if destination.is_met_by(await self.get_media(account)):
            return False
        raise NotEligible("the billing tables of this operator are read-only")

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Raise NotEligible: these tables are read-only."""
        raise NotEligible("the billing tables of this operator are read-only")

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        end, key = min(last, self._context.today()), self._bills_table.columns["id"]
        days, is_exact = await self._issued_between(first, end)
        expected = await self._reader.count_rows(self._bills_table, days) if is_exact else None
        nameless = await self._reader.count_rows(self._bills_table, days & key.is_(None))
        if nameless:
            yield CyclePage(rejected=[reject_record("", field_error("id"))] * nameless, expected_bills=expected)
        query = self._bills_table.select_all().where(days).order_by(key).limit(PAGE_SIZE)
        batch = await self._reader.fetch_rows(self._bills_table, query.where(key.is_not(None)), "id")
        while batch.rows or batch.unreadable:
            yield await self._read_cycle_page(batch, first, end, expected)
            last_key = batch.rows[-1]["id"] if batch.last_key is None else batch.last_key
            batch = await self._reader.fetch_rows(self._bills_table, query.where(key > last_key), "id")

    async def _read_cycle_page(
        self, batch: RowBatch, first: date, end: date, expected: int | None
    ) -> CyclePage:
        bills, rejected = parse_records(
            merge_duplicates(batch.rows),
            lambda row: self._parser.parse_cycle_bill(row, first, end),
            lambda row: key_text(row["id"]),
        )
        page = await CycleReader().pair_with_holders(bills, await self._holder_finder(batch.rows))
        left_out = (*(reject_row(key_text(each)) for each in batch.unreadable), *rejected, *page.rejected)
        return CyclePage(page, left_out, page.without_holder, expected)

    async def _issued_between(self, first: date, end: date) -> tuple[ColumnElement[bool], bool]:
        """Return the condition for bills of these days, and whether it lets pass no others.

        A column of instants is asked for a day more on both sides: its days are those of other time zones.
        """
        kind, issued = (
            await self._reader.key_type(self._bills_table, "issued"),
            self._bills_table.columns["issued"],
        )
        if kind is date:
            return issued.between(first, end), True
        since, until = first - timedelta(days=1), end + timedelta(days=2)
        if kind is str:
            return (issued >= since.isoformat()) & (issued < until.isoformat()), False
        return (issued >= since) & (issued < until), False

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        return self._parse_holder(await self._line_claims("account", (account,)), account)

    async def _holder_finder(
        self, records: Sequence[Mapping[str, Any]]
    ) -> Callable[[str], Awaitable[Subscriber]]:
        """Read the lines of a page's accounts at once; return the look-up of an account's holder in them."""
        column_of = self._subscribers_table.columns["account"]
        accounts = {row["account"] for row in records if row["account"] is not None}
        query = self._subscribers_table.select_all().where(column_of.in_(accounts))
        ordered = query.order_by(self._subscribers_table.columns["id"])
        batch = await self._reader.fetch_rows(self._subscribers_table, ordered, "account")
        unreadable, lines = set(map(key_text, batch.unreadable)), defaultdict[str, list[Any]](list)
        for row in batch.rows:
            lines[key_text(row["account"])].append(self._parser.ownership_claim(row))

        async def find_holder(account: str) -> Subscriber:
            if account in unreadable:
                raise unreadable_row()
            return self._parse_holder(lines.get(account, []), account)

        return find_holder

    def _parse_holder(self, claims: Iterable[OwnershipClaim[Mapping[str, Any]]], account: str) -> Subscriber:
        return self._parser.parse_subscriber(select_holder(claims, account, self._context.today()))

    @property
    def _today(self) -> date:
        return self._context.today()

    async def close(self) -> None:
        """Close the connections of a database of its own."""
        if self._database is not self._context.database:
            await self._database.close()

    async def _line_claims(
        self, column_name: str, values: Sequence[str]
    ) -> list[OwnershipClaim[Mapping[str, Any]]]:
        """Return whom the lines with these values name, by id; InvalidRecord when one cannot be read."""
        by_id = self._subscribers_table.columns["id"]
        batch = await self._reader.find_rows(
            self._subscribers_table, column_name, values, "id", lambda query: query.order_by(by_id)
        )
        if batch.unreadable:
            raise unreadable_row()
        return list(map(self._parser.ownership_claim, batch.rows))

    async def _find_bill_rows(
        self,
        column_name: str,
        value: str,
        refine: Callable[[Select[Any]], Select[Any]] = lambda query: query,
    ) -> list[Mapping[str, Any]]:
        """Return the bills with this value; one that cannot be read only with its owner, day and fault."""
        table = self._bills_table
        batch = await self._reader.find_rows(table, column_name, (value,), "id", refine)
        if not batch.unreadable:
            return list(batch.rows)
        known = [table.columns[name].label(name) for name in ("id", "account", "issued")]
        query = table.select_all().with_only_columns(*known).where(table.columns["id"].in_(batch.unreadable))
        named = await self._reader.fetch_rows(table, query, "id")
        fault = {ROW_FAULT: str(unreadable_row())}
        return [*batch.rows, *({**row, **fault} for row in named.rows)]


def connect(address: str, context: BackendContext) -> MappedBilling:
    """Return the backend for tables at `address`, or in our database; ValueError names a wrong setting."""
    options = parse_options(TableMappingOptions, context.options)
    return MappedBilling(open_database(address) if address else context.database, context, options)
