"""Mapped billing backend: an operator's own tables or views, mapped by settings, read-only."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Select, column, select, table

from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import (
    Bill,
    BillDocument,
    BillLine,
    BillMedia,
    Capability,
    EntryType,
    LineKind,
    Subscriber,
    UsageEntry,
)
from storage.billing._client.answer_fields import clean_text, parse_amount, parse_day, require_identifier
from storage.billing._client.backend_settings import parse_options
from storage.billing.backend import BackendContext
from storage.billing.sql import bill_state
from storage.sql.engine import Database
from storage.sql.engine import connect as open_database

PAGE_SIZE = 1_000
"""Bills per page of a billing cycle."""
MAX_BILLS = 600
"""Newest bills read of one account."""
REQUIRED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "subscribers": ("id", "msisdn", "account", "since"),
    "bills": ("id", "account", "issued", "due", "total", "remaining"),
    "lines": ("bill", "rubric", "amount"),
}
"""Columns each mapping must name."""
DEFAULT_BY_OPTIONAL_COLUMN: Mapping[str, Mapping[str, Any]] = {
    "subscribers": {
        "name": "",
        "kind": "mobile",
        "segment": "residential",
        "language": "",
        "email": "",
        "email_validated": False,
        "address": "",
        "account_number": "",
        "media": "paper",
    },
    "bills": {"number": None, "tax": Decimal(0), "cancelled": False, "published": True},
    "lines": {"user": ""},
}
"""Columns a mapping may leave out, with the value they then have."""
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


class MappedTable:
    """One mapped table, its columns under our names. ValueError names a missing or unknown setting."""

    def __init__(self, mapping_name: str, mapping: Mapping[str, Any]) -> None:
        allowed = {*REQUIRED_COLUMNS[mapping_name], *DEFAULT_BY_OPTIONAL_COLUMN[mapping_name], "table"}
        for part in (*REQUIRED_COLUMNS[mapping_name], "table"):
            if not isinstance(mapping.get(part), str) or not mapping[part]:
                raise ValueError(f"bss.{mapping_name}.{part}: missing")
        for part in mapping:
            if part not in allowed:
                raise ValueError(
                    f"bss.{mapping_name}.{part}: not known here; there are {', '.join(sorted(allowed))}"
                )
        self._defaults = DEFAULT_BY_OPTIONAL_COLUMN[mapping_name]
        self.columns: dict[str, ColumnElement[Any]] = {
            ours: column(str(theirs)) for ours, theirs in mapping.items() if ours != "table"
        }
        schema, _, last = str(mapping["table"]).rpartition(".")
        self._table = table(last, *self.columns.values(), schema=schema or None)  # type: ignore[arg-type]

    def select_all(self) -> Select[Any]:
        """Select every mapped column, labelled with our name."""
        return select(*(each.label(ours) for ours, each in self.columns.items())).select_from(self._table)

    def with_defaults(self, row: Any) -> dict[str, Any]:
        """Return a row with the defaults of the columns that are not mapped."""
        return {**self._defaults, **row._mapping}


class MappedBilling:
    """Read-only `Billing` port over the operator's tables; changing the media raises NotEligible."""

    capabilities: Collection[Capability] = ()

    def __init__(self, database: Database, context: BackendContext, options: TableMappingOptions) -> None:
        self._database, self._context, self._email_word = database, context, options.electronic
        self._subscribers_table = MappedTable("subscribers", options.subscribers)
        self._bills_table = MappedTable("bills", options.bills)
        self._lines_table = MappedTable("lines", options.lines) if options.lines else None

    async def get_subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        return self._parse_subscriber(await self._fetch_first_row(self._subscribers_table, "msisdn", msisdn))

    def _parse_subscriber(self, row: Mapping[str, Any]) -> Subscriber:
        kind = str(row["kind"])
        return Subscriber(
            id=require_identifier(str(row["id"])),
            operator=self._context.operator,
            msisdn=str(row["msisdn"]),
            account=str(row["account"]),
            name=clean_text(row["name"]),
            kind=kind if kind in LINE_KINDS else "mobile",
            segment="business" if row["segment"] == "business" else "residential",
            language=clean_text(row["language"])[:2].lower(),
            since=self._parse_date(row["since"]),
            email=clean_text(row["email"], 320),
            email_validated=bool(row["email_validated"]),
            address=clean_text(row["address"]),
            account_number=clean_text(row["account_number"]),
        )

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        query = self._bills_table.select_all().where(self._bills_table.columns["account"] == account)
        query = query.order_by(self._bills_table.columns["issued"].desc()).limit(MAX_BILLS)
        rows = [self._bills_table.with_defaults(row) for row in await self._fetch_rows(query)]
        bills = [self._parse_bill(row) for row in rows if row["published"]]
        return [bill for bill in bills if bill.issued <= self._context.today()][offset : offset + limit]

    async def get_bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        row = await self._fetch_first_row(self._bills_table, "id", bill_id)
        bill = self._parse_bill(row)
        if bill.account != account or not row["published"] or bill.issued > self._context.today():
            raise NotFound
        return bill

    async def list_bill_lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail; empty when no table is mapped for it."""
        await self.get_bill(account, bill_id)
        if self._lines_table is None:
            return []
        query = self._lines_table.select_all().where(self._lines_table.columns["bill"] == bill_id)
        rows = [self._lines_table.with_defaults(row) for row in await self._fetch_rows(query)]
        return [
            BillLine(clean_text(row["rubric"]), clean_text(row["user"]), _column_amount(row["amount"]))
            for row in rows
        ]

    async def get_media(self, account: str) -> BillMedia:
        """Return how bills reach this account today; NotFound for an unknown account."""
        media = (await self._fetch_first_row(self._subscribers_table, "account", account))["media"]
        return "email" if str(media) == self._email_word else "paper"

    async def set_media(self, account: str, media: BillMedia) -> bool:
        """Return False when it is already set, else raise NotEligible: these tables are read-only."""
        if await self.get_media(account) == media:
            return False
        raise NotEligible("the billing tables of this operator are read-only")

    async def list_entries(self, account: str, what: EntryType, limit: int) -> Sequence[UsageEntry]:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def list_issued_bills(
        self, first: date, last: date
    ) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        columns, after = self._bills_table.columns, ""
        days = columns["issued"].between(first, min(last, self._context.today()))
        query = self._bills_table.select_all().where(days).order_by(columns["id"]).limit(PAGE_SIZE)
        while rows := [
            self._bills_table.with_defaults(row)
            for row in await self._fetch_rows(query.where(columns["id"] > after))
        ]:
            after = rows[-1]["id"]
            bills = [self._parse_bill(row) for row in rows if row["published"]]
            holders = await self._holders_by_account({bill.account for bill in bills})
            yield [(bill, holders[bill.account]) for bill in bills if bill.account in holders]

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        holders = await self._holders_by_account({account})
        if account not in holders:
            raise NotFound
        return holders[account]

    async def _holders_by_account(self, accounts: set[str]) -> dict[str, Subscriber]:
        """Return the subscriber with the smallest id of each account."""
        columns = self._subscribers_table.columns
        query = (
            self._subscribers_table.select_all()
            .where(columns["account"].in_(accounts))
            .order_by(columns["id"].desc())
        )
        return {
            str(row.account): self._parse_subscriber(self._subscribers_table.with_defaults(row))
            for row in await self._fetch_rows(query)
        }

    async def close(self) -> None:
        """Close the connections of a database of its own."""
        if self._database is not self._context.database:
            await self._database.close()

    def _parse_bill(self, row: Mapping[str, Any]) -> Bill:
        total, remaining = _column_amount(row["total"]), _column_amount(row["remaining"])
        due, cancelled = self._parse_date(row["due"]), bool(row["cancelled"])
        return Bill(
            id=require_identifier(str(row["id"])),
            number=clean_text(str(row["number"] or row["id"])),
            account=str(row["account"]),
            issued=self._parse_date(row["issued"]),
            due=due,
            total=total,
            tax=_column_amount(row["tax"]),
            remaining=remaining,
            state=bill_state(total, remaining, due, self._context.today(), cancelled=cancelled),
        )

    def _parse_date(self, value: object) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return parse_day(str(value), self._context.zone, "day")

    async def _fetch_first_row(self, mapped_table: MappedTable, column_name: str, value: str) -> dict[str, Any]:
        rows = await self._fetch_rows(
            mapped_table.select_all().where(mapped_table.columns[column_name] == value).limit(1)
        )
        if not rows:
            raise NotFound
        return mapped_table.with_defaults(rows[0])

    async def _fetch_rows(self, query: Select[Any]) -> Sequence[Any]:
        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._database.read(job)


def _column_amount(value: object) -> Decimal:
    """Parse a numeric or text column; a float is read by its shortest digits."""
    return parse_amount(value if isinstance(value, Decimal) else str(value), "amount")


def connect(address: str, context: BackendContext) -> MappedBilling:
    """Return the backend for tables at `address`, or in our database; ValueError names a wrong setting."""
    options = parse_options(TableMappingOptions, context.options)
    return MappedBilling(open_database(address) if address else context.database, context, options)
