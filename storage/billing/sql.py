"""SQL billing backend: bills in our own tables, for the demo, small operators and tests."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, tzinfo
from typing import Any, get_args

from sqlalchemy import ColumnElement, Update

from flows.domain.account_activity import DirectDebit, LiveAccount
from flows.domain.bill_cycle import CyclePage, RejectedBill
from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import InvalidRecord, NotFound
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    Subscriber,
    UsageEntry,
)
from storage.billing import _sql_statements as queries
from storage.billing._client.currency import CurrencyRule
from storage.billing._client.cycle_pages import parse_records
from storage.billing._client.ownership import (
    select_holder,
    select_owner,
)
from storage.billing._sql_activity import SqlActivity
from storage.billing._sql_bookings import SqlBookings
from storage.billing._sql_charges import SqlChargeEntries
from storage.billing._sql_promises import SqlPromises
from storage.billing._sql_records import (
    holders_by_account,
    line_claim,
    row_to_bill,
    row_to_bill_line,
    row_to_subscriber,
)
from storage.billing._sql_rows import (
    BillingQuery,
    RowBatch,
    fetch_batch,
    log_unreadable,
    reject_row,
    unreadable_row,
)
from storage.billing.backend import BackendContext
from storage.sql.engine import Database
from storage.sql.tables import billing_bills as bills
from storage.sql.tables import billing_documents as documents
from storage.sql.tables import billing_entries as entries
from storage.sql.tables import billing_lines as lines
from storage.sql.tables import billing_subscribers as subscribers

PAGE_SIZE = 2_000
"""Bills per page of a billing cycle."""


class SqlBilling(SqlBookings, SqlChargeEntries, SqlActivity, SqlPromises):
    """`Billing` port on our own tables, for one operator. `today` returns the date in its time zone."""

    capabilities: Collection[Capability] = get_args(Capability)

    def __init__(
        self,
        database: Database,
        operator: str,
        today: Callable[[], date],
        currency: str = "",
        zone: tzinfo = UTC,
    ) -> None:
        self._database = database
        self._operator = operator
        self._today = today
        self._currency, self._zone = currency, zone

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        row = await self._fetch_first_row(queries.SUBSCRIBER_QUERY, subscribers.c.id, msisdn=msisdn)
        return select_owner([line_claim(row_to_subscriber(row))], msisdn, self._today())

    async def get_subscriber_and_bill(self, msisdn: str) -> tuple[Subscriber, Sequence[Bill] | None]:
        """Return the subscriber of a number and the account's newest bill, in one query.

        No bill for an account without any; None where it cannot be read, which `list_bills` then reports.
        """
        today, width = self._today(), len(queries.SUBSCRIBER_FIELDS)
        try:
            row = await self._fetch_first_row(
                queries.SUBSCRIBER_AND_BILL_QUERY, subscribers.c.id, msisdn=msisdn, today=today
            )
        except InvalidRecord:
            return await self.get_subscriber(msisdn), None
        line = row_to_subscriber(row[:width])
        owner = select_owner([line_claim(line)], msisdn, today)
        return owner, self._newest_bill(row[width:], today)

    def _newest_bill(self, row: Sequence[Any], today: date) -> Sequence[Bill] | None:
        if row[0] is None:
            return ()
        with suppress(InvalidRecord):
            return (row_to_bill(row, today, self._currency),)
        return None

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first; future ones and rows that cannot be read are left out.

        Raises InvalidRecord when the newest cannot be read: the one before must not pass for the latest.
        """
        return (await self._list_newest(queries.NEWEST_BILLS_QUERY, account, limit, offset))[0]

    async def read_live_account(self, account: str, limit: int) -> LiveAccount:
        """Return the newest bills and the mandate, read in one statement: this backend has no cache."""
        newest, rows = await self._list_newest(queries.LIVE_ACCOUNT_QUERY, account, limit, 0)
        reference, *of_mandate = rows[0][len(queries.BILL_FIELDS) :] if rows else (None,)
        return LiveAccount(newest, None if reference is None else DirectDebit(reference, *of_mandate))

    async def _list_newest(
        self, query: BillingQuery, account: str, limit: int, offset: int
    ) -> tuple[list[Bill], Sequence[Any]]:
        """Return the bills a query finds, newest first, and the rows they were read from."""
        today = self._today()
        values = {"account": account, "today": today, "most": limit, "skipped": offset}
        batch = await self._fetch_rows(query, bills.c.id, **values)
        parsed, rejected = self._parse_bills(batch.rows, today)
        unusable = {*batch.unreadable, *(each.bill_id for each in rejected)}
        if unusable and (not parsed or await self._newest_bill_id(values) in unusable):
            raise unreadable_row()
        log_unreadable(len(unusable))
        return parsed, batch.rows

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        today = self._today()
        row = await self._fetch_first_row(
            queries.BILL_QUERY, bills.c.id, account=account, today=today, bill=bill_id
        )
        return row_to_bill(row, today, self._currency)

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail by rubric and user; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        batch = await self._fetch_rows(queries.SELECT_LINES, lines.c.bill, bill=bill_id)
        if batch.unreadable:
            raise unreadable_row()  # the others would not add up to the bill
        lines_of_bill = list(map(row_to_bill_line, batch.rows))
        return CurrencyRule(rounding=self._currency).round_bill_lines(lines_of_bill)

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; NotFound for an unknown account."""
        row = await self._fetch_first_row(queries.SELECT_MEDIA, subscribers.c.id, account=account)
        return BillDestination(row.media, row.email)

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Set paper or e-mail, and the address of all lines of the account; False when it is already set."""
        if destination.is_met_by(await self.get_media(account)):
            return False
        statement = queries.UPDATE_MEDIA_AND_EMAIL if destination.email else queries.UPDATE_MEDIA
        values = {"wanted": destination.media} | ({"to": destination.email} if destination.email else {})
        return await self._update_account(statement, account, values)

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Set the postal address of all lines of the account; False when it is already set."""
        if (
            await self._fetch_first_row(queries.SELECT_MEDIA, subscribers.c.id, account=account)
        ).address == address:
            return False
        return await self._update_account(queries.UPDATE_ADDRESS, account, {"wanted": address})

    async def _update_account(self, statement: Update, account: str, values: dict[str, str]) -> bool:
        parameters = {"here": self._operator, "whose": account, **values}
        count = await self._database.write(
            lambda connection: connection.execute(statement, parameters).rowcount
        )
        return bool(count)

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Return usage or purchases, newest first."""
        batch = await self._fetch_rows(
            queries.SELECT_ENTRIES, entries.c.id, account=account, what=what, most=limit
        )
        usable = [row for row in batch.rows if row.amount.is_finite()]
        log_unreadable(len(batch.unreadable) + len(batch.rows) - len(usable))
        return [UsageEntry(*row) for row in usable]

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Return the issuer's document unchanged; NotFound for another account's bill."""
        await self.get_bill(account, bill_id)
        return BillDocument(
            *await self._fetch_first_row(queries.SELECT_DOCUMENT, documents.c.bill, bill=bill_id)
        )

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        today, after = self._today(), ""
        days = {"first": first, "last": min(last, today)}
        expected = (await self._fetch_rows(queries.COUNT_CYCLE, bills.c.id, **days)).rows[0][0]
        while True:
            batch = await self._fetch_rows(
                queries.CYCLE_PAGE_QUERY, bills.c.id, **days, after=after, most=PAGE_SIZE
            )
            if not batch.rows and not batch.unreadable:
                return
            after = batch.last_key or batch.rows[-1][0]
            page, rejected = self._parse_bills(batch.rows, today)
            left_out = [*map(reject_row, batch.unreadable), *rejected]
            yield await self._pair_with_holders(page, left_out, expected)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        batch = await self._fetch_rows(queries.SELECT_HOLDER, subscribers.c.account, account=account)
        if batch.unreadable:
            raise unreadable_row()
        claims = [line_claim(row_to_subscriber(row)) for row in batch.rows]
        return select_holder(claims, account, self._today())

    def _parse_bills(self, rows: Sequence[Any], today: date) -> tuple[list[Bill], list[RejectedBill]]:
        return parse_records(rows, lambda row: row_to_bill(row, today, self._currency), lambda row: row[0])

    async def _pair_with_holders(
        self, page: Sequence[Bill], rejected: Sequence[RejectedBill], expected: int
    ) -> CyclePage:
        """Pair the bills of a page with their holders; a holder whose row cannot be read rejects the bill."""
        accounts = [bill.account for bill in page]
        batch = await self._fetch_rows(queries.HOLDERS_QUERY, subscribers.c.account, accounts=accounts)
        unreadable, today = set(batch.unreadable), self._today()
        holders = holders_by_account(map(row_to_subscriber, batch.rows), today)
        pairs = [(bill, holders[bill.account]) for bill in page if bill.account in holders]
        unpaired = [reject_row(bill.id) for bill in page if bill.account in unreadable]
        return CyclePage(pairs, (*rejected, *unpaired), len(page) - len(pairs) - len(unpaired), expected)

    async def _newest_bill_id(self, values: Mapping[str, Any]) -> object:
        """Return the id of an account's newest bill, without reading the rest of it."""
        query = queries.SELECT_NEWEST_BILLS.with_only_columns(bills.c.id)
        batch = await self._fetch_rows(query, bills.c.id, **{**values, "skipped": 0, "most": 1})
        return batch.rows[0].id if batch.rows else None

    async def _fetch_rows(self, statement: BillingQuery, key: ColumnElement[Any], **given: Any) -> RowBatch:
        values = {"operator": self._operator, **given}
        return await fetch_batch(self._database, statement, key, values)

    async def _fetch_first_row(self, query: BillingQuery, key: ColumnElement[Any], **given: Any) -> Any:
        """Return the first row; NotFound when there is none or a value holds a NUL (refused by PostgreSQL).

        Raises InvalidRecord for a row that cannot be read.
        """
        if any("\0" in value for value in given.values() if isinstance(value, str)):
            raise NotFound
        batch = await self._fetch_rows(query, key, **given)
        if batch.unreadable:
            raise unreadable_row()
        if not batch.rows:
            raise NotFound
        return batch.rows[0]


def connect(_address: str, context: BackendContext) -> SqlBilling:
    """Return the backend named `sql`, on our own database; the address is ignored."""
    return SqlBilling(context.database, context.operator, context.today, context.currency, context.zone)
