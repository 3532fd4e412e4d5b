"""Mapped billing backend: an operator's own tables or views, mapped by settings, read-only."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

from sqlalchemy import ColumnElement, Connection, Select, column, select, table

from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import Bill, BillLine, Capability, Document, Entries, Entry, Kind, Media, Subscriber
from storage.billing._client.fields import amount, day, name, text
from storage.billing._client.options import read
from storage.billing.backend import Site
from storage.billing.sql import state_of
from storage.sql.engine import Database
from storage.sql.engine import connect as open_database

PAGE = 1_000
"""Bills per page of a billing cycle."""
MOST = 600
"""Newest bills read of one account."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "subscribers": ("id", "msisdn", "account", "since"),
    "bills": ("id", "account", "issued", "due", "total", "remaining"),
    "lines": ("bill", "rubric", "amount"),
}
"""Columns each mapping must name."""
MORE: Mapping[str, Mapping[str, Any]] = {
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
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Options:
    """The `bss` settings of an operator whose billing is `mapped`, or `mapped+postgresql://...` elsewhere.

    Each mapping has `table` (a table or view, `schema.table`) and for each of our columns its name there.
    """

    subscribers: Mapping[str, Any]
    bills: Mapping[str, Any]
    lines: Mapping[str, Any] = field(default_factory=dict)
    """Without it bills have no detail."""
    electronic: str = "email"
    """Value of the `media` column that means e-mail."""


class Columns:
    """One mapped table, its columns under our names. ValueError names a missing or unknown setting."""

    def __init__(self, what: str, told: Mapping[str, Any]) -> None:
        allowed = {*NEEDED[what], *MORE[what], "table"}
        for part in (*NEEDED[what], "table"):
            if not isinstance(told.get(part), str) or not told[part]:
                raise ValueError(f"bss.{what}.{part}: missing")
        for part in told:
            if part not in allowed:
                raise ValueError(f"bss.{what}.{part}: not known here; there are {', '.join(sorted(allowed))}")
        self._defaults = MORE[what]
        self.columns: dict[str, ColumnElement[Any]] = {
            ours: column(str(theirs)) for ours, theirs in told.items() if ours != "table"
        }
        schema, _, last = str(told["table"]).rpartition(".")
        self._table = table(last, *self.columns.values(), schema=schema or None)  # type: ignore[arg-type]

    def query(self) -> Select[Any]:
        """Select every mapped column, labelled with our name."""
        return select(*(each.label(ours) for ours, each in self.columns.items())).select_from(self._table)

    def row(self, found: Any) -> dict[str, Any]:
        """Return a row with the defaults of the columns that are not mapped."""
        return {**self._defaults, **found._mapping}


class MappedBilling:
    """Read-only `Billing` port over the operator's tables; changing the media raises NotEligible."""

    capabilities: Collection[Capability] = ()

    def __init__(self, database: Database, site: Site, options: Options) -> None:
        self._database, self._site, self._electronic = database, site, options.electronic
        self._people = Columns("subscribers", options.subscribers)
        self._bills = Columns("bills", options.bills)
        self._lines = Columns("lines", options.lines) if options.lines else None

    async def subscriber(self, msisdn: str) -> Subscriber:
        """Return the subscriber of a number; NotFound when there is none."""
        return self._subscriber(await self._one(self._people, "msisdn", msisdn))

    def _subscriber(self, row: Mapping[str, Any]) -> Subscriber:
        kind = str(row["kind"])
        return Subscriber(
            id=name(str(row["id"])),
            operator=self._site.operator,
            msisdn=str(row["msisdn"]),
            account=str(row["account"]),
            name=text(row["name"]),
            kind=kind if kind in KINDS else "mobile",
            segment="business" if row["segment"] == "business" else "residential",
            language=text(row["language"])[:2].lower(),
            since=self._day(row["since"]),
            email=text(row["email"], 320),
            email_validated=bool(row["email_validated"]),
            address=text(row["address"]),
            account_number=text(row["account_number"]),
        )

    async def bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        """Return issued bills, newest first."""
        query = self._bills.query().where(self._bills.columns["account"] == account)
        query = query.order_by(self._bills.columns["issued"].desc()).limit(MOST)
        rows = [self._bills.row(row) for row in await self._all(query)]
        bills = [self._bill(row) for row in rows if row["published"]]
        return [bill for bill in bills if bill.issued <= self._site.today()][offset : offset + limit]

    async def bill(self, account: str, bill_id: str) -> Bill:
        """Return one bill of this account; NotFound for another account's."""
        row = await self._one(self._bills, "id", bill_id)
        bill = self._bill(row)
        if bill.account != account or not row["published"] or bill.issued > self._site.today():
            raise NotFound
        return bill

    async def lines(self, account: str, bill_id: str) -> Sequence[BillLine]:
        """Return the bill's detail; empty when no table is mapped for it."""
        await self.bill(account, bill_id)
        if self._lines is None:
            return []
        query = self._lines.query().where(self._lines.columns["bill"] == bill_id)
        rows = [self._lines.row(row) for row in await self._all(query)]
        return [BillLine(text(row["rubric"]), text(row["user"]), _amount(row["amount"])) for row in rows]

    async def media(self, account: str) -> Media:
        """Return how bills reach this account today; NotFound for an unknown account."""
        media = (await self._one(self._people, "account", account))["media"]
        return "email" if str(media) == self._electronic else "paper"

    async def set_media(self, account: str, media: Media) -> bool:
        """Return False when it is already set, else raise NotEligible: these tables are read-only."""
        if await self.media(account) == media:
            return False
        raise NotEligible("the billing tables of this operator are read-only")

    async def entries(self, account: str, what: Entries, limit: int) -> Sequence[Entry]:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def document(self, account: str, bill_id: str) -> Document:
        """Raise NotFound: not available from mapped tables."""
        raise NotFound

    async def issued(self, first: date, last: date) -> AsyncIterator[Sequence[tuple[Bill, Subscriber]]]:
        """Iterate over the bills of these days with their holders, by bill id, one page in memory."""
        columns, after = self._bills.columns, ""
        days = columns["issued"].between(first, min(last, self._site.today()))
        query = self._bills.query().where(days).order_by(columns["id"]).limit(PAGE)
        while rows := [self._bills.row(row) for row in await self._all(query.where(columns["id"] > after))]:
            after = rows[-1]["id"]
            bills = [self._bill(row) for row in rows if row["published"]]
            holders = await self._holders({bill.account for bill in bills})
            yield [(bill, holders[bill.account]) for bill in bills if bill.account in holders]

    async def holder(self, account: str) -> Subscriber:
        """Return the subscriber who is notified of this account's bills; NotFound when there is none."""
        holders = await self._holders({account})
        if account not in holders:
            raise NotFound
        return holders[account]

    async def _holders(self, accounts: set[str]) -> dict[str, Subscriber]:
        """Return the subscriber with the smallest id of each account."""
        columns = self._people.columns
        query = self._people.query().where(columns["account"].in_(accounts)).order_by(columns["id"].desc())
        return {str(row.account): self._subscriber(self._people.row(row)) for row in await self._all(query)}

    async def close(self) -> None:
        """Close the connections of a database of its own."""
        if self._database is not self._site.database:
            await self._database.close()

    def _bill(self, row: Mapping[str, Any]) -> Bill:
        total, remaining = _amount(row["total"]), _amount(row["remaining"])
        due, cancelled = self._day(row["due"]), bool(row["cancelled"])
        return Bill(
            id=name(str(row["id"])),
            number=text(str(row["number"] or row["id"])),
            account=str(row["account"]),
            issued=self._day(row["issued"]),
            due=due,
            total=total,
            tax=_amount(row["tax"]),
            remaining=remaining,
            state=state_of(total, remaining, due, self._site.today(), cancelled=cancelled),
        )

    def _day(self, value: object) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        return day(str(value), self._site.zone, "day")

    async def _one(self, mapped: Columns, by: str, value: str) -> dict[str, Any]:
        rows = await self._all(mapped.query().where(mapped.columns[by] == value).limit(1))
        if not rows:
            raise NotFound
        return mapped.row(rows[0])

    async def _all(self, query: Select[Any]) -> Sequence[Any]:
        def job(connection: Connection) -> Sequence[Any]:
            return connection.execute(query).all()

        return await self._database.read(job)


def _amount(value: object) -> Decimal:
    """Parse a numeric or text column; a float is read by its shortest digits."""
    return amount(value if isinstance(value, Decimal) else str(value), "amount")


def connect(address: str, site: Site) -> MappedBilling:
    """Return the backend for tables at `address`, or in our database; ValueError names a wrong setting."""
    options = read(Options, site.options)
    return MappedBilling(open_database(address) if address else site.database, site, options)
