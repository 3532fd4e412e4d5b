"""Mapped billing backend: an operator's own tables or views, mapped by settings, read-only."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import Connection, Select

from flows.domain.bill_cycle import CyclePage
from flows.domain.bill_delivery import BillDestination, BillMedia
from flows.domain.failures import InvalidRecord, NotEligible, NotFound
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    Capability,
    EntryType,
    LineKind,
    Subscriber,
    UsageEntry,
)
from storage.billing._client.answer_fields import clean_text, parse_amount, parse_day, require_identifier
from storage.billing._client.backend_settings import parse_options
from storage.billing._client.bill_order import usable_bills
from storage.billing._client.currency import CurrencyRule, outstanding_amount
from storage.billing._client.cycle_pages import CycleReader, parse_records
from storage.billing._client.ownership import (
    OwnershipClaim,
    collect_numbers,
    end_day,
    number_digits,
    select_holder,
    select_owner,
    start_day,
)
from storage.billing._mapped_tables import MappedTable, convert_keys, iso_text
from storage.billing.backend import BackendContext
from storage.billing.sql import bill_state
from storage.sql.engine import Database
from storage.sql.engine import connect as open_database

PAGE_SIZE = 1_000
"""Bills per page of a billing cycle."""
MAX_BILLS = 600
"""Newest bills read of one account."""
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)


@dataclass(frozen=True, slots=True)
class TableMappingOptions:
    """The `bss` settings of an operator whose billing is `mapped`, or `mapped+postgresql://...` elsewhere.

    Each mapping has `table` (a table or view, `schema.table`) and for each of our columns its name there.
    """

    subscribers: Mapping[str, Any]
    bills: Mapping[str, Any]
    lines: Mapping[str, Any] = field(default_factory=dict)
    """Without it bills have no detail."""
    electronic: str = "email"
    """Value of the `media` column that means e-mail."""
    currency: str = ""
    """What the `currency` column of the bills must say; empty means the operator's ISO 4217 code."""


class MappedBilling:
    """Read-only `Billing` port over the operator's tables; changing the media raises NotEligible."""

    capabilities: Collection[Capability] = ()

    def __init__(self, database: Database, context: BackendContext, options: TableMappingOptions) -> None:
        self._database, self._context, self._email_word = database, context, options.electronic
        self._subscribers_table = MappedTable("subscribers", options.subscribers)
        self._bills_table = MappedTable("bills", options.bills)
        self._lines_table = MappedTable("lines", options.lines) if options.lines else None
        self._currency = CurrencyRule(options.currency or context.currency, context.currency)

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        spellings = (msisdn, msisdn.removeprefix("+"), msisdn.replace("+", "00", 1))
        rows = await self._find_rows(self._subscribers_table, "msisdn", spellings)
        row = select_owner(map(self._ownership_claim, rows), msisdn, self._context.today())
        return replace(self._parse_subscriber(row), msisdn=msisdn)

    def _parse_subscriber(self, row: Mapping[str, Any]) -> Subscriber:
        kind = str(row["kind"])
        return Subscriber(
            id=require_identifier(str(row["id"])),
            operator=self._context.operator,
            msisdn=f"+{number_digits(str(row['msisdn']))}",
            account=str(row["account"]),
            name=clean_text(row["name"]),
            kind=kind if kind in LINE_KINDS else "mobile",
            segment="business" if row["segment"] == "business" else "residential",
            language=clean_text(row["language"])[:2].lower(),
            since=self._parse_date(row["since"], "since"),
            email=clean_text(row["email"], 320),
            email_validated=bool(row["email_validated"]),
            address=clean_text(row["address"]),
            account_number=clean_text(row["account_number"]),
            media=self._media(row),
        )

    async def recheck_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number as it is now: nothing is cached here."""
        return await self.get_subscriber(msisdn)

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        newest = self._bills_table.columns["issued"].desc()
        rows = await self._find_rows(
            self._bills_table, "account", (account,), lambda query: query.order_by(newest).limit(MAX_BILLS)
        )
        own = [row for row in rows if row["published"] and str(row["account"]) == account]
        bills = usable_bills(own, self._parse_bill, self._issue_day, self._context.today())
        return bills[offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        rows = await self._find_rows(self._bills_table, "id", (bill_id,))
        for row in rows:
            if str(row["id"]) == bill_id and str(row["account"]) == account and row["published"]:
                bill = self._parse_bill(row)
                if bill.issued <= self._context.today():
                    return bill
        raise NotFound

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail; empty when no table is mapped for it."""
        await self.get_bill(account, bill_id)
        if self._lines_table is None:
            return []
        rows = await self._find_rows(self._lines_table, "bill", (bill_id,))
        return self._currency.round_bill_lines(
            BillLine(clean_text(row["rubric"]), clean_text(row["user"]), _column_amount(row["amount"]))
            for row in rows
            if str(row["bill"]) == bill_id
        )

    async def get_media(self, account: str) -> BillDestination:
        """Return how bills reach this account today; NotFound for an unknown account."""
        rows = await self._find_rows(self._subscribers_table, "account", (account,))
        row = select_holder(map(self._ownership_claim, rows), account, self._context.today())
        return BillDestination(self._media(row), clean_text(row["email"], 320))

    def _media(self, row: Mapping[str, Any]) -> BillMedia:
        return "email" if str(row["media"]) == self._email_word else "paper"

    async def set_media(self, account: str, destination: BillDestination) -> bool:
        """Return False when it is already set, else raise NotEligible: these tables are read-only."""
        if destination.is_met_by(await self.get_media(account)):
            return False
        raise NotEligible("the billing tables of this operator are read-only")

    async def set_postal_address(self, account: str, address: str) -> bool:
        """Raise NotEligible: these tables are read-only."""
        raise NotEligible("the billing tables of this operator are read-only")

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        columns = self._bills_table.columns
        days = columns["issued"].between(first, min(last, self._context.today()))
        query = self._bills_table.select_all().where(days).order_by(columns["id"]).limit(PAGE_SIZE)
        ((expected,),) = await self._fetch_rows(self._bills_table.count_rows().where(days))
        rows = await self._fetch_rows(query)
        while rows:
            records = [self._bills_table.with_defaults(row) for row in rows]
            bills, rejected = parse_records(records, self._parse_published_bill, lambda row: str(row["id"]))
            page = await CycleReader().pair_with_holders(bills, await self._holder_finder(records))
            yield CyclePage(page, (*rejected, *page.rejected), page.without_holder, expected)
            rows = await self._fetch_rows(query.where(columns["id"] > records[-1]["id"]))

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        rows = await self._find_rows(self._subscribers_table, "account", (account,))
        return self._parse_holder(rows, account)

    async def _holder_finder(
        self, records: Sequence[Mapping[str, Any]]
    ) -> Callable[[str], Awaitable[Subscriber]]:
        """Read the lines of a page's accounts at once; return the look-up of an account's holder in them."""
        column_of = self._subscribers_table.columns["account"]
        query = self._subscribers_table.select_all().where(
            column_of.in_({row["account"] for row in records if row["account"] is not None})
        )
        lines = defaultdict[str, list[Mapping[str, Any]]](list)
        for row in await self._fetch_rows(query):
            lines[str(row.account)].append(self._subscribers_table.with_defaults(row))

        async def find_holder(account: str) -> Subscriber:
            return self._parse_holder(lines.get(account, []), account)

        return find_holder

    def _parse_holder(self, rows: Iterable[Mapping[str, Any]], account: str) -> Subscriber:
        claims = map(self._ownership_claim, rows)
        return self._parse_subscriber(select_holder(claims, account, self._context.today()))

    def _ownership_claim(self, row: Mapping[str, Any]) -> OwnershipClaim[Mapping[str, Any]]:
        account, zone = row["account"], self._context.zone
        return OwnershipClaim(
            record=row,
            accounts=frozenset([str(account)] if account not in (None, "") else []),
            numbers=collect_numbers(str(row["msisdn"])),
            status=clean_text(str(row["status"] or "")),
            starts=start_day(iso_text(row["since"]), zone),
            ends=end_day(iso_text(row["until"]), zone),
        )

    async def close(self) -> None:
        """Close the connections of a database of its own."""
        if self._database is not self._context.database:
            await self._database.close()

    def _parse_published_bill(self, row: Mapping[str, Any]) -> Bill | None:
        return self._parse_bill(row) if row["published"] else None

    def _parse_bill(self, row: Mapping[str, Any]) -> Bill:
        unit = row["currency"]
        total = self._currency.parse_money(_as_number(row["total"]), unit, "total")
        balance = self._currency.parse_money(_as_number(row["remaining"]), unit, "remaining")
        remaining, cancelled = outstanding_amount(total, balance), bool(row["cancelled"])
        due = self._parse_date(row["due"], "due")
        return Bill(
            id=require_identifier(str(row["id"])),
            number=clean_text(str(row["number"] or row["id"])),
            account=str(row["account"]),
            issued=self._parse_date(row["issued"], "issued"),
            due=due,
            total=total,
            tax=self._currency.parse_money(_as_number(row["tax"]), unit, "tax"),
            remaining=remaining,
            state=bill_state(total, remaining, due, self._context.today(), cancelled=cancelled),
        )

    def _parse_date(self, value: object, column_name: str) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return parse_day(iso_text(value), self._context.zone, column_name)

    def _issue_day(self, row: Mapping[str, Any]) -> date | None:
        try:
            return self._parse_date(row["issued"], "issued")
        except InvalidRecord:
            return None

    async def _key_type(self, mapped_table: MappedTable, column_name: str) -> type:
        """Return the type of a key column's values, read once; text while the table is empty."""
        if column_name not in mapped_table.key_types:
            sample = await self._fetch_rows(mapped_table.select_sample(column_name))
            if not sample:
                return str
            mapped_table.key_types[column_name] = type(sample[0][0])
        return mapped_table.key_types[column_name]

    async def _find_rows(
        self,
        mapped_table: MappedTable,
        column_name: str,
        values: Sequence[str],
        refine: Callable[[Select[Any]], Select[Any]] = lambda query: query,
    ) -> list[dict[str, Any]]:
        """Return the rows where a column is one of these values, in whatever type the column has."""
        keys = convert_keys(values, await self._key_type(mapped_table, column_name))
        query = mapped_table.select_all().where(mapped_table.columns[column_name].in_(keys))
        return (
            [mapped_table.with_defaults(row) for row in await self._fetch_rows(refine(query))] if keys else []
        )

    async def _fetch_rows(self, query: Select[Any]) -> Sequence[Any]:
        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._database.read(job)


def _column_amount(value: object) -> Decimal:
    """Parse a numeric or text column; a float is read by its shortest digits."""
    return parse_amount(_as_number(value), "amount")


def _as_number(value: object) -> object:
    return value if isinstance(value, Decimal) else str(value)


def connect(address: str, context: BackendContext) -> MappedBilling:
    """Return the backend for tables at `address`, or in our database; ValueError names a wrong setting."""
    options = parse_options(TableMappingOptions, context.options)
    return MappedBilling(open_database(address) if address else context.database, context, options)
